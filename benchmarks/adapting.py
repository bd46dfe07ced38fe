"""A pretrained encoder learned on in a corpus: what it gains there, and what it loses elsewhere.

    python benchmarks/adapting.py --data DATA [--base minilm] [--sets scifact,...] [--minutes 5]
                                  [--objectives contrastive]

Learns on from the base in each labelled set for so many minutes, as `learn --base minilm --objectives contrastive`
does, and keeps as much of it as the judge says. nDCG@10 is of the set's own questions (of people, or titles that were
taken out of the documents), among the documents that are ranked; Spearman is of the cosines of English pairs of
sentences with people's scores (STS benchmark, dev), in a hundredth part. Every share of the way from the base to what
was learned is measured; judgments choose none of them.
"""

import argparse
import csv
import gzip
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
from tolman.models.pretrained import resolve_base
from tolman.models.transformer import TransformerEncoder
from tolman.plan import parse_objectives
from tolman.progress import Progress
from tolman.recipe import Adaptation

NOTES = (
    "{minutes:g} minutes, {threads} threads, {objectives}. nDCG@10 of the set's own questions; STS: Spearman on the "
    "dev part of the STS benchmark, English, x 100. 0: the base as it is; other columns: a share of the way from it to "
    "what was learned, averaged weights. kept: the share that the judge chose without labels."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", default="minilm")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--objectives", default="contrastive")
    parser.add_argument("--rate", type=float, help="peak learning rate  [default: the recipe's]")
    parser.add_argument("--name", default="adapting", help="of the result file")
    options = parser.parse_args()
    base = load_encoder(resolve_base(options.base))
    assert isinstance(base, TransformerEncoder)
    pairs = list(sts_pairs(options.data))
    rows = []
    with progress_on_stderr() as progress:
        for name in options.sets.split(","):
            rows.append(row(SETS[name](options.data), base, pairs, options, progress))
            progress.say(str(rows[-1]))
    notes = NOTES.format(minutes=options.minutes, threads=torch.get_num_threads(), objectives=options.objectives)
    write_result(options.name, rows, notes)


def row(
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
        quality[f"nDCG {share:g}"] = retrieval(encoder, chosen)
        quality[f"STS {share:g}"] = similarity(encoder, pairs)
    gained = quality[f"nDCG {choice.weight:g}"], quality["nDCG 0"]
    return {
        "set": chosen.name,
        "steps": adapted.run.steps,
        **quality,
        "kept": choice.weight,
        "gain": float(gained[0] or 0) - float(gained[1] or 0),
        "STS lost": float(quality["STS 0"] or 0) - float(quality[f"STS {choice.weight:g}"] or 0),
        **{f"grade {share:g}": grade for share, grade in choice.quality.items()},
    }


def retrieval(encoder: TransformerEncoder, chosen: RetrievalSet) -> float:
    """Mean nDCG@10."""
    contents = [f"{chosen.titles[i]}\n{chosen.texts[i]}" if chosen.titles[i] else chosen.texts[i] for i in chosen.pool]
    scores_QN = encoder.encode(chosen.queries, "query") @ encoder.encode(contents, "document").T
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


def similarity(encoder: TransformerEncoder, pairs: list[tuple[str, str, float]]) -> float:
    """Spearman, x 100."""
    ones, others, scores = zip(*pairs, strict=True)
    cosines = (encoder.encode(ones) * encoder.encode(others)).sum(axis=1)
    return 100 * float(spearmanr(cosines, scores).statistic)


if __name__ == "__main__":
    main()
