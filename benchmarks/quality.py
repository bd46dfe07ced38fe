"""Search quality, confidence and refusal of every base on six labelled sets, against BM25 and zero-shot MiniLM.

    python benchmarks/quality.py --data DATA [--bases scratch,minilm,scratch+minilm] [--sets ...] [--seeds 3]
    [--budget 60]
                                 [--untitled] [--first-sentence]

Nothing is fitted on judgments: they are read only after all is learned and chosen. `start` is the same encoder before
contrastive learning. BM25 is the full-text engine that searches use, with the language it guesses. MiniLM is cut at
256 tokens, as published; the blended encoder is scored as the weighted mean of the cosines of its parts, which is
what its vectors give.

Refusal: AUROC of answerability between a set's own questions and those of the other sets, and the share that is refused
of its own; of the other sets'; of general knowledge (nq_open); and of topics, words that stand in at least three and
under a tenth of the ranked documents, one by one and two of a document together.
"""

import argparse
import re
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from remembering import RememberingMiniLM
from report import write_result
from sets import SETS, RetrievalSet, json_lines

from tolman.confidence import Confidence, Evidence, coverage, telling_words
from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.corpus.passages import sentences, words
from tolman.judge import Pool
from tolman.making import Made, Maker
from tolman.metrics import auroc, expected_calibration_error, ndcg
from tolman.plan import Plan
from tolman.progress import Silent
from tolman.ranking import HybridRanking
from tolman.space.language import guess_language
from tolman.tuning import bm25_scores

NEIGHBOURS = 10
FOREIGN_QUESTIONS = 200
TOPICS = 100  # of one word, and as many of two
MINILM = RememberingMiniLM()


@dataclass
class Ground:
    """A set, and what does not depend on the base: corpus, BM25, MiniLM vectors of the ranked documents."""

    set: RetrievalSet

    @cached_property
    def corpus(self) -> Corpus:
        s = self.set
        documents = zip(s.ids, s.titles, s.texts, strict=True)
        return Corpus.from_documents(Document(id=i, title=title, text=text) for i, title, text in documents)

    @cached_property
    def contents(self) -> list[str]:
        return [_content(self.set.titles[row], self.set.texts[row]) for row in self.set.pool]

    def bm25(self, questions: list[str]) -> np.ndarray:
        pool = Pool(
            self.set.pool, self.contents, questions, np.zeros(0, np.int64), np.zeros((0, 0), bool), len(self.contents)
        )
        return bm25_scores(pool, guess_language(self.contents[:500]))

    @cached_property
    def own_bm25(self) -> np.ndarray:
        return self.bm25(self.set.queries)

    @cached_property
    def minilm(self) -> np.ndarray:
        return MINILM.encode(self.contents)

    def score(self, scores_QN: np.ndarray) -> float:
        return mean_ndcg(scores_QN, self.set)


def _content(title: str, text: str) -> str:
    return f"{title}\n{text}" if title else text


def mean_ndcg(scores_QN: np.ndarray, s: RetrievalSet) -> float:
    best_QK = np.argsort(-scores_QN, axis=1, kind="stable")[:, :10]
    ranked = [[str(s.pool[j]) for j in best] for best in best_QK]
    pooled = set(s.pool.tolist())
    gains = [{str(d): float(g) for d, g in relevant.items() if d in pooled} for relevant in s.relevant]
    return float(np.mean([ndcg(r, g) for r, g in zip(ranked, gains, strict=True)]))


def make(ground: Ground, base: str, objectives: str | None, seed: int, seconds: float) -> Made:
    with TemporaryDirectory() as workshop:
        plan = Plan.parse(base, objectives, None)
        pretrained = MINILM if plan.pretrained else None
        return Maker(
            ground.corpus, plan, pretrained, seconds=seconds, seed=seed, workshop=Path(workshop), progress=Silent()
        ).make()


def cosines(ground: Ground, made: Made, questions: list[str]) -> np.ndarray:
    """Of questions and ranked documents; MiniLM vectors are made once a set, not once a base and seed."""
    if made.encoder.family == "transformer":
        return MINILM.encode(questions, "query") @ ground.minilm.T
    if made.encoder.family == "static":
        return made.encoder.encode(questions, "query") @ made.encoder.encode(ground.contents).T
    pretrained, learned = made.encoder.parts
    weight = made.recipe["blend"]["weight"]
    static = learned.encode(questions, "query") @ learned.encode(ground.contents).T
    return (pretrained.encode(questions, "query") @ ground.minilm.T + weight * static) / (1 + weight)


def knn_accuracy(ground: Ground, made: Made) -> float | None:
    """Labels of the ranked documents voted by their 10 nearest others, each vote weighing its cosine."""
    s = ground.set
    if not any(s.labels):
        return None
    vectors_ND = made.encoder.encode(ground.contents) if made.encoder.family != "transformer" else ground.minilm
    names, labels_N = np.unique([s.labels[row] for row in s.pool], return_inverse=True)
    cosines_NN = vectors_ND @ vectors_ND.T
    np.fill_diagonal(cosines_NN, -1)
    near_NK = np.argpartition(-cosines_NN, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    votes = np.zeros((len(labels_N), len(names)))
    np.add.at(votes, (np.arange(len(labels_N))[:, None], labels_N[near_NK]), np.take_along_axis(cosines_NN, near_NK, 1))
    labelled = np.array([bool(s.labels[row]) for row in s.pool])
    return float((votes.argmax(axis=1) == labels_N)[labelled].mean())


def evidence(ground: Ground, made: Made, confidence: Confidence, questions: list[str]) -> list[Evidence]:
    """What `search` would weigh, over the ranked documents."""
    telling = [telling_words(question, confidence.passed_over) for question in questions]
    asked = list({word: None for each in telling for word in each})
    best = dict(zip(asked, ground.bm25(asked).max(axis=1).tolist(), strict=True))
    knows = made.encoder.family == "transformer"
    near = confidence.nearness(cosines(ground, made, questions), len(ground.contents))
    found = zip(telling, near, ground.bm25(questions).max(axis=1), strict=True)
    return [
        Evidence(
            float(cosine) if knows or bm25 else 0.0,
            coverage(float(bm25), [best[word] for word in each], len(ground.contents)),
            len(each),
            alone=knows,
        )
        for each, cosine, bm25 in found
    ]


def topics(ground: Ground) -> list[str]:
    """Plain queries that the ranked documents hold something about."""
    generator, contents = np.random.default_rng(0), ground.contents
    found = [sorted({word.lower() for word in re.findall(r"[^\W\d_]{3,}", content)}) for content in contents]
    count = Counter(word for each in found for word in each)
    fit = [[word for word in each if 3 <= count[word] < len(contents) / 10] for each in found]
    known = sorted({word for each in fit for word in each})
    pairs = [each for each in fit if len(each) > 1]
    two = [" ".join(generator.choice(pairs[i], 2, replace=False)) for i in generator.integers(0, len(pairs), TOPICS)]
    return [str(word) for word in generator.choice(known, TOPICS, replace=False)] + two


def refusal(ground: Ground, made: Made, asked: dict[str, list[str]]) -> dict[str, float]:
    """Share of each kind of question that is refused, and the AUROC of answerability between own and foreign ones."""
    confidence = Confidence.from_json(made.search.confidence)
    answers = {
        kind: [confidence.of_answer(each) for each in evidence(ground, made, confidence, questions)]
        for kind, questions in asked.items()
    }
    scores = {kind: [probability for probability, _ in each] for kind, each in answers.items()}
    own = [True] * len(scores["own"]) + [False] * len(scores["foreign"])
    shares = {f"{kind} refused": 1 - float(np.mean([found for _, found in each])) for kind, each in answers.items()}
    return {"refusal AUROC": auroc(scores["own"] + scores["foreign"], own)} | shares


def calibration(ground: Ground, made: Made, seed: int) -> float:
    """Expected calibration error of hit confidence: judged pairs against as many random ones. No question here was
    seen in fitting."""
    confidence = Confidence.from_json(made.search.confidence)
    scores, generator = cosines(ground, made, ground.set.queries), np.random.default_rng(seed)
    place = {row: i for i, row in enumerate(ground.set.pool.tolist())}
    promised, came = [], []
    for q, relevant in enumerate(ground.set.relevant):
        right = [place[row] for row in relevant if row in place]
        wrong = [i for i in generator.integers(0, len(place), 2 * len(right)) if i not in right][: len(right)]
        columns = np.array(right + wrong)
        length = len(words(ground.set.queries[q]))
        promised += confidence.of_hits(
            scores[q, columns], ground.own_bm25[q, columns], words=length, documents=len(place)
        ).tolist()
        came += [1] * len(right) + [0] * len(wrong)
    return expected_calibration_error(promised, came)


def measure(
    ground: Ground, base: str, seed: int, seconds: float, asked: dict[str, list[str]], *, without_minilm: bool
) -> dict[str, object]:
    started = time.monotonic()
    made = make(ground, base, None, seed, seconds)
    took = time.monotonic() - started
    own = cosines(ground, made, ground.set.queries)
    ranking = HybridRanking(made.search.lexical_weight)
    hybrid = np.stack([ranking.score(c, b) for c, b in zip(own, ground.own_bm25, strict=True)])
    calibrated = made.search.confidence is not None
    row = {"set": ground.set.name, "base": base, "seed": seed, "dense": ground.score(own)}
    if base == "scratch":
        start = make(ground, base, "none", seed, seconds)
        row["start"] = ground.score(cosines(ground, start, ground.set.queries))
    row |= refusal(ground, made, asked) if calibrated else {}
    return row | {
        "BM25": ground.score(ground.own_bm25),
        "MiniLM": None if without_minilm else ground.score(MINILM.encode(ground.set.queries) @ ground.minilm.T),
        "hybrid": ground.score(hybrid),
        "lexical weight": made.search.lexical_weight,
        "blend": made.recipe.get("blend", {}).get("weight"),
        "knn": knn_accuracy(ground, made),
        "fit ECE": made.quality.get("confidence_calibration_error"),
        "judged ECE": calibration(ground, made, seed) if calibrated else None,
        "chosen": chosen(made),
        "seconds": took,
    }


def chosen(made: Made) -> str | None:
    """Which recipe, and of how many that were tried."""
    if "chosen" not in made.recipe:
        return None
    scratch, tried = made.recipe["scratch"], len(made.recipe["trials"])
    if made.recipe["chosen"] == "start":
        return f"start, of {tried}"
    return f"t{scratch['temperature']:g} s{made.recipe['run']['steps']}, of {tried}"


def first_sentences(s: RetrievalSet) -> RetrievalSet:
    """Every document cut to its first sentence: texts under 40 words."""
    cut = [" ".join(text[slice(*sentences(text)[0])].split()[:39]) if text.strip() else text for text in s.texts]
    return replace(s.without_titles(), name=f"{s.name}-short", texts=cut)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bases", default="scratch,minilm,scratch+minilm")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=60)
    parser.add_argument("--name", default="", help="added to the name of the result file")
    parser.add_argument("--untitled", action="store_true")
    parser.add_argument("--first-sentence", action="store_true")
    options = parser.parse_args()
    sets = {name: SETS[name](options.data) for name in SETS if name in options.sets.split(",")}
    everyone = {name: s.queries for name, s in sets.items()}
    general = [q["question"] for q in json_lines(next(options.data.glob("nq_open/*.jsonl")))]
    generator = np.random.default_rng(0)
    rows = []
    for name, original in sets.items():
        s = original.without_titles() if options.untitled else original
        ground = Ground(first_sentences(s) if options.first_sentence else s)
        others = [q for other, queries in everyone.items() if other != name for q in queries]
        foreign = [others[i] for i in generator.permutation(len(others))[:FOREIGN_QUESTIONS]]
        asked = {"own": s.queries, "foreign": foreign, "general": general[:FOREIGN_QUESTIONS], "topic": topics(ground)}
        for base in options.bases.split(","):
            for seed in range(options.seeds if base != "minilm" else 1):
                without = "minilm" not in options.bases
                rows.append(measure(ground, base, seed, options.budget, asked, without_minilm=without))
                print({k: round(v, 4) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
    variant = "-untitled" if options.untitled else "-short" if options.first_sentence else ""
    write_result(f"quality{variant}{options.name}", rows, __doc__ or "")


if __name__ == "__main__":
    main()
