"""A pretrained encoder made fit for a corpus: what it gains there, and what it loses elsewhere.

    python benchmarks/adapting.py --data DATA [--base minilm] [--sets scifact,...] [--minutes 5]
                                  [--way beside|learned-on] [--objectives contrastive]

Two ways, each for so many minutes in each labelled set, and as much of it kept as the judge says. `beside`: the base as
it is, with a static encoder of the corpus beside it, as `learn --base scratch+minilm` makes. `learned-on`: the base
itself goes on learning, as by `learn --base minilm --objectives contrastive`. nDCG@10 is of the set's own questions (of
people, or titles that were taken out of the documents), among the documents that are ranked; Spearman is of the cosines
of English pairs of sentences with people's scores (STS benchmark, dev), in a hundredth part. Every weight of the static
encoder, or share of the way from the base to what was learned, is measured; judgments choose none of them.
"""

import argparse
import csv
import gzip
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from report import Cell, write_result
from scipy.stats import spearmanr
from sets import SETS, RetrievalSet

from tolman.adapting import SHARES, adapt_transformer, choose_share
from tolman.cli.watching import progress_on_stderr
from tolman.judge import set_exam
from tolman.making import POOL
from tolman.metrics import ndcg
from tolman.models import load_encoder
from tolman.models.encoder import Encoder, Floats
from tolman.models.pretrained import resolve_base
from tolman.models.transformer import TransformerEncoder
from tolman.plan import parse_objectives
from tolman.progress import Progress
from tolman.recipe import Adaptation
from tolman.scratch import learn_scratch
from tolman.tuning import BLEND_WEIGHTS, Choice, choose_blend

NOTES = (
    "{way}, at most {minutes:g} minutes, {threads} threads, {objectives}. nDCG@10 of the set's own questions; STS: "
    "Spearman on the dev part of the STS benchmark, English, x 100. 0: the base as it is; other columns: {columns}. "
    "kept: what the judge chose without labels."
)
COLUMNS = {
    "beside": "weight of the static encoder beside it",
    "learned-on": "a share of the way from it to what was learned, averaged weights",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", default="minilm")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--way", choices=list(COLUMNS), default="beside")
    parser.add_argument("--objectives", default="contrastive")
    parser.add_argument("--rate", type=float, help="peak learning rate  [default: the recipe's]")
    parser.add_argument("--name", default="adapting", help="of the result file")
    options = parser.parse_args()
    base = load_encoder(resolve_base(options.base))
    assert isinstance(base, TransformerEncoder)
    pairs = list(sts_pairs(options.data))
    row = {"beside": beside, "learned-on": learned_on}[options.way]
    rows = []
    with progress_on_stderr() as progress:
        for name in options.sets.split(","):
            rows.append(row(SETS[name](options.data), base, pairs, options, progress))
            progress.say(str(rows[-1]))
    write_result(
        options.name,
        rows,
        NOTES.format(
            way=options.way,
            minutes=options.minutes,
            threads=torch.get_num_threads(),
            objectives=options.objectives,
            columns=COLUMNS[options.way],
        ),
    )


def beside(
    chosen: RetrievalSet,
    base: TransformerEncoder,
    pairs: list[tuple[str, str, float]],
    options: argparse.Namespace,
    progress: Progress,
) -> dict[str, Cell]:
    exam = set_exam(chosen.titles, chosen.texts, seed=0)
    pool = exam.pool(POOL, 0)
    began = time.monotonic()
    learned = learn_scratch(
        exam,
        pool,
        seconds=options.minutes * 60,
        seed=0,
        corpus=chosen.name,
        checkpoint=None,
        progress=progress,
    )
    seconds, static = time.monotonic() - began, learned.best.encoder
    assert static is not None
    choice = choose_blend(pool, pool.cosines(base), pool.cosines(static))
    both = [(cosines(encoder, chosen), sentence_cosines(encoder, pairs)) for encoder in (base, static)]
    quality: dict[str, Cell] = {}
    for weight in BLEND_WEIGHTS:
        scores, alike = (one + weight * other for one, other in zip(*both, strict=True))
        quality[f"nDCG {weight:g}"] = retrieval(scores, chosen)
        quality[f"STS {weight:g}"] = similarity(alike, pairs)
    return {"set": chosen.name, "seconds": seconds, **told(choice, quality)}


def told(choice: Choice, quality: dict[str, Cell]) -> dict[str, Cell]:
    """What was measured, and what came of the judge's choice."""

    def kept(measure: str) -> float:
        ours, start = quality[f"{measure} {choice.weight:g}"], quality[f"{measure} 0"]
        assert isinstance(ours, float)
        assert isinstance(start, float)
        return ours - start

    grades = {f"grade {weight:g}": grade for weight, grade in choice.quality.items()}
    return {**quality, "kept": choice.weight, "gain": kept("nDCG"), "STS lost": -kept("STS"), **grades}


def learned_on(
    chosen: RetrievalSet,
    base: TransformerEncoder,
    pairs: list[tuple[str, str, float]],
    options: argparse.Namespace,
    progress: Progress,
) -> dict[str, Cell]:
    exam = set_exam(chosen.titles, chosen.texts, seed=0)
    pool = exam.pool(POOL, 0) if len(exam) else None
    recipe = Adaptation.derive(base.dim, base.checkpoint.max_tokens)
    if options.rate:
        recipe = replace(recipe, rate=options.rate)
    adapted = adapt_transformer(
        exam,
        base,
        parse_objectives(options.objectives) or {},
        recipe,
        seconds=options.minutes * 60,
        steps=None,
        seed=0,
        corpus=chosen.name,
        checkpoint=None,
        progress=progress,
    )
    choice, _ = choose_share(adapted, base, pool)
    quality: dict[str, Cell] = {}
    for share in SHARES:
        encoder = TransformerEncoder(replace(base.checkpoint, trunk=adapted.between(share).trunk), base.folder)
        quality[f"nDCG {share:g}"] = retrieval(cosines(encoder, chosen), chosen)
        quality[f"STS {share:g}"] = similarity(sentence_cosines(encoder, pairs), pairs)
    return {"set": chosen.name, "steps": adapted.run.steps, **told(choice, quality)}


def cosines(encoder: Encoder, chosen: RetrievalSet) -> Floats:
    """Of the set's questions and what is ranked."""
    contents = [f"{chosen.titles[i]}\n{chosen.texts[i]}" if chosen.titles[i] else chosen.texts[i] for i in chosen.pool]
    return encoder.encode(chosen.queries, "query") @ encoder.encode(contents, "document").T


def retrieval(scores_QN: Floats, chosen: RetrievalSet) -> float:
    """Mean nDCG@10."""
    place = {int(row): column for column, row in enumerate(chosen.pool)}
    found = []
    for scores_N, relevant in zip(scores_QN, chosen.relevant, strict=True):
        best = np.argsort(-scores_N, kind="stable")[:10]
        found.append(ndcg(best.tolist(), {place[row]: grade for row, grade in relevant.items() if row in place}))
    return float(np.mean(found))


def sts_pairs(data: Path) -> Iterator[tuple[str, str, float]]:
    with gzip.open(data / "stsb_multi" / "en-dev.tsv.gz", "rt", encoding="utf-8", newline="") as lines:
        for pair in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield pair["sentence1"], pair["sentence2"], float(pair["score"])


def sentence_cosines(encoder: Encoder, pairs: list[tuple[str, str, float]]) -> Floats:
    """Of both sentences of each pair."""
    ones, others, _ = zip(*pairs, strict=True)
    return np.asarray((encoder.encode(ones) * encoder.encode(others)).sum(axis=1))


def similarity(alike: Floats, pairs: list[tuple[str, str, float]]) -> float:
    """Spearman with people's scores, x 100."""
    return 100 * float(spearmanr(alike, [score for _, _, score in pairs]).statistic)


if __name__ == "__main__":
    main()
