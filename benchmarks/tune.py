"""What choosing a recipe without labels costs in quality: regret against the best of its own trials by judgments.

    python benchmarks/tune.py --data DATA [--sets scifact,cranfield,...] [--variants plain,untitled,short] [--budget 60]

Every trial of `tune` is also scored by true nDCG@10 (%), which `tune` never sees; `regret` is the best of them less the
chosen one, `usual regret` the same for the recipe that `learn` takes by default. newsgroups20 and reuters are cut to
the documents that are ranked. `judging share` is the judge's time over the budget. `untitled` has no titles, `short`
nothing but the first sentence of each document. Scoring the truth takes from
the budget: `tune` alone makes more trials.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from quality import Ground, first_sentences, mean_ndcg
from report import write_result
from sets import SETS, RetrievalSet

from tolman.judge import set_exam
from tolman.making import POOL
from tolman.progress import Silent
from tolman.ranking import HybridRanking
from tolman.scratch import Trial, learn_scratch
from tolman.space.language import guess_language
from tolman.tuning import bm25_scores, choose_lexical_weight, usual_lexical_weight

SEED = 0


def only_ranked(s: RetrievalSet) -> RetrievalSet:
    """Learned from what is ranked and nothing else."""
    place = {row: i for i, row in enumerate(s.pool.tolist())}
    ids, titles, texts, labels = ([given[row] for row in s.pool] for given in (s.ids, s.titles, s.texts, s.labels))
    relevant = [{place[row]: grade for row, grade in each.items() if row in place} for each in s.relevant]
    return RetrievalSet(s.name, ids, titles, texts, labels, s.queries, relevant, np.arange(len(ids)))


def measure(s: RetrievalSet, seconds: float) -> dict[str, object]:
    exam = set_exam(s.titles, s.texts, seed=SEED)
    pool, ground = exam.pool(POOL, SEED) if len(exam) else None, Ground(s)
    true: list[float] = []

    def cosines(trial: Trial) -> np.ndarray:
        assert trial.encoder is not None
        return trial.encoder.encode(s.queries, "query") @ trial.encoder.encode(ground.contents).T

    learned = learn_scratch(
        *(exam, pool),
        seconds=seconds,
        seed=SEED,
        corpus=s.name,
        checkpoint=None,
        progress=Silent(),
        search="halving",
        watch=lambda trial: true.append(100 * mean_ndcg(cosines(trial), s)),
    )
    best_QN = cosines(learned.best)
    chosen, choice = 100 * mean_ndcg(best_QN, s), learned.choice or {}
    true = true or [chosen]  # where there is no judge nobody watches
    weight = usual_lexical_weight(natural=exam.natural, pretrained=False)
    if pool is not None:
        lexical_QN = bm25_scores(pool, guess_language(pool.contents[:200]))
        weight = choose_lexical_weight(pool, pool.cosines(learned.best.encoder), lexical_QN, pretrained=False).weight
    return {
        "set": s.name,
        "trials": len(learned.trials),
        "chosen": f"t{learned.best.recipe.temperature:g} s{learned.best.recipe.steps}",
        "start": 100 * mean_ndcg(cosines(learned.start), s),
        "usual": true[0],
        "dense": chosen,
        "regret": max(true) - chosen,
        "usual regret": max(true) - true[0],
        "BM25": 100 * mean_ndcg(ground.own_bm25, s),
        "hybrid": 100 * mean_ndcg(HybridRanking(weight).score_all(best_QN, ground.own_bm25), s),
        "weight": weight,
        "best of draws": choice.get("best"),
        "judging share": learned.judging / seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--variants", default="plain,untitled,short")
    parser.add_argument("--budget", type=float, default=60)
    parser.add_argument("--name", default="", help="added to the name of the result file")
    options = parser.parse_args()
    rows = []
    for name in options.sets.split(","):
        plain = SETS[name](options.data)
        plain = only_ranked(plain) if len(plain.pool) < len(plain.ids) else plain
        for variant in options.variants.split(","):
            untitled = replace(plain.without_titles(), name=f"{name}-untitled")
            s = {"plain": plain, "untitled": untitled, "short": first_sentences(plain)}[variant]
            rows.append(measure(s, options.budget))
            print({k: round(v, 3) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
            write_result(f"tune{options.name}", rows, __doc__ or "")  # an hour is not lost to its last minute


if __name__ == "__main__":
    main()
