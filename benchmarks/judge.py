"""Does the label-free judge rank encoders as human judgments do? Spearman and regret over candidates, a set at a time.

    python benchmarks/judge.py --data DATA [--sets scifact,cranfield,...] [--budget 40]

Candidates: LSA at four sizes; the static encoder at a tenth, a third and all of its training, at three temperatures,
one wrecked by a rate ten times too high; MiniLM; MiniLM beside LSA, learned and wrecked at four weights; learned and
MiniLM with BM25 at four weights; BM25 alone. All are learned from what the exam leaves of the documents. Regret: true
nDCG@10 of the best candidate less that of the one the judge would pick. "scratch" rows: the same among candidates
without MiniLM, "static" rows among those that are a static encoder alone.

Judges: "ours" is that of `learn`: the logarithm of the right answer's place, over heads and lost sentences; "heads" and
"sentences" are its halves; "nDCG" grades heads by nDCG@10, as it did before.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from quality import mean_ndcg
from remembering import RememberingMiniLM
from report import write_result
from scipy.stats import spearmanr
from sets import SETS, RetrievalSet

from tolman.judge import Exam, Pool, set_exam
from tolman.lesson import Lesson
from tolman.making import POOL
from tolman.models.encoder import Encoder
from tolman.models.static import StaticEncoder
from tolman.optimization import Optimizers, all_alike
from tolman.progress import Silent
from tolman.ranking import HybridRanking
from tolman.recipe import ScratchRecipe
from tolman.space.language import guess_language
from tolman.training import Schedule, train
from tolman.tuning import bm25_scores

WEIGHTS = (0.25, 0.5, 1.0, 2.0)
LEXICAL = (0.05, 0.1, 0.2, 0.4)
SEED = 0
TEMPERATURES = (0.05, 0.08, 0.2)


def static_candidates(exam: Exam, seconds: float) -> Iterator[tuple[str, Encoder]]:
    recipe = ScratchRecipe.derive(len(exam.texts))
    start = Lesson.prepare(exam, recipe, SEED)
    whole = start.trunk().finished(start.tokenizer)
    for dim in (recipe.dim // 8, recipe.dim // 4, recipe.dim // 2, recipe.dim):
        yield f"lsa-{dim}", StaticEncoder(start.tokenizer, whole.table_VD[:, :dim], whole.saturation)
    for temperature in TEMPERATURES:
        for share in (0.1, 0.33, 1.0):
            changed = replace(recipe, temperature=temperature, steps=max(2, round(share * recipe.steps)))
            yield f"t{temperature}-{share}", learned(exam, changed, seconds)
    yield "wrecked", learned(exam, replace(recipe, rate=recipe.rate * 10), seconds)


def learned(exam: Exam, recipe: ScratchRecipe, seconds: float) -> Encoder:
    lesson = Lesson.prepare(exam, recipe, SEED)
    trunk = lesson.trunk()
    train(
        trunk,
        [(1.0, lesson.objective(lesson.recipe))],
        Schedule(recipe.steps, seconds, warmup=10 / recipe.steps),
        Optimizers(all_alike(recipe.rate)(trunk)),
        seed=SEED,
        checkpoint=None,
        recipe="",
        progress=Silent(),
    )
    return trunk.finished(lesson.tokenizer)


class Scores:
    """One candidate's scores of the true questions over the set, and of the judge's over its pool."""

    def __init__(self, true_QN: np.ndarray, judge_QN: np.ndarray) -> None:
        self.all = (true_QN, judge_QN)

    def plus(self, weight: float, other: "Scores") -> "Scores":
        return Scores(*(a + weight * b for a, b in zip(self.all, other.all, strict=True)))

    def hybrid(self, weight: float, bm25: "Scores") -> "Scores":
        ranking = HybridRanking(weight)
        return Scores(*(ranking.score_all(x, y) for x, y in zip(self.all, bm25.all, strict=True)))


def candidates(s: RetrievalSet, exam: Exam, pool: Pool, seconds: float) -> dict[str, Scores]:
    contents = [f"{s.titles[i]}\n{s.texts[i]}" if s.titles[i] else s.texts[i] for i in s.pool]

    def scores(encoder: Encoder) -> Scores:
        return Scores(encoder.encode(s.queries, "query") @ encoder.encode(contents).T, pool.cosines(encoder))

    language = guess_language(pool.contents[:500])
    asked = Pool(s.pool, contents, s.queries, np.zeros(0, np.int64), np.zeros((0, 0), bool), len(contents))
    bm25 = Scores(bm25_scores(asked, language), bm25_scores(pool, language))
    found = {name: scores(encoder) for name, encoder in static_candidates(exam, seconds)}
    best = f"t{ScratchRecipe.derive(len(exam.texts)).temperature}-1.0"
    found["bm25"] = bm25
    found |= {f"{best}+{w}bm25": found[best].hybrid(w, bm25) for w in LEXICAL}
    minilm = scores(RememberingMiniLM())
    largest = max((name for name in found if name.startswith("lsa")), key=lambda name: int(name[4:]))
    found["minilm"] = minilm
    found |= {f"minilm+{w}{name}": minilm.plus(w, found[name]) for name in (largest, best, "wrecked") for w in WEIGHTS}
    return found | {f"minilm+{w}bm25": minilm.hybrid(w, bm25) for w in LEXICAL}


def judges(pool: Pool, scores_QN: np.ndarray, heads: int) -> dict[str, float]:
    """What each judge says of one candidate."""
    grades, ahead = pool.grade_questions(scores_QN), pool.ahead(scores_QN)[:heads]
    ndcg_of_heads = np.where(ahead < 10, 1 / np.log2(ahead + 2), 0.0)
    return {
        "ours": float(pool.grade_scores(scores_QN).mean()),
        "heads": float(grades[:heads].mean()),
        "sentences": float(grades[heads:].mean()),
        "nDCG": float(ndcg_of_heads.mean()),
    }


def groups(names: list[str]) -> dict[str, list[str]]:
    scratch = [name for name in names if "minilm" not in name]
    return {"all": names, "scratch": scratch, "static": [name for name in scratch if "bm25" not in name]}


def compare(names: list[str], true: dict[str, float], judged: dict[str, float]) -> tuple[float, float]:
    """(Spearman, regret) of a judge over some candidates."""
    pick = max(names, key=lambda name: judged[name])
    rho = spearmanr([true[name] for name in names], [judged[name] for name in names]).statistic
    return float(rho), max(true[name] for name in names) - true[pick]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--budget", type=float, default=40)
    options = parser.parse_args()
    rows = []
    for name in options.sets.split(","):
        s = SETS[name](options.data)
        exam = set_exam(s.titles, s.texts, seed=SEED)
        pool = exam.pool(POOL, SEED)
        found = candidates(s, exam, pool, options.budget)
        true = {c: mean_ndcg(scores.all[0], s) for c, scores in found.items()}
        said = {c: judges(pool, scores.all[1], len(exam)) for c, scores in found.items()}
        for group, chosen in groups(list(found)).items():
            for judge in ("ours", "heads", "sentences", "nDCG"):
                judged = {c: said[c][judge] for c in chosen}
                rho, regret = compare(chosen, true, judged)
                row = {"set": name, "among": group, "judge": judge, "candidates": len(chosen), "spearman": rho}
                rows.append(row | {"regret": regret, "picks": max(chosen, key=lambda c: judged[c])})
                print(rows[-1], flush=True)
        print({c: (round(true[c], 3), round(said[c]["ours"], 4)) for c in found}, flush=True)
    write_result("judge", rows, __doc__ or "")


if __name__ == "__main__":
    main()
