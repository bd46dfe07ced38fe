"""Do topics stay what they are: over seeds and row orders, and over rounds of growth.

    python benchmarks/topic_stability.py --data DATA --cache DIR [--sets banking77,...] [--bases minilm,...] [--runs 10]

`same` rows: topics are found `--runs` times, each time with another seed of the runs that partitions agree with and
another order of rows; adjusted Rand index between all pairs, mean and least, at each depth. `other order` is the least
index where only the order differs.

`growth` rows: topics are found in a fifth of the documents, then again with 8 % more ten times. `kept` is the least
share, over the rounds, of documents that kept number and name of their shown topic; AMI with the classes and the number
of topics after the last round beside those of a cold fit on all documents.

`unseen` rows: topics are found in 80 % of the documents of nine in ten classes, then again with the rest. `in new` is
the share of documents of the unseen classes that are in topics that weren't there, AMI is among these documents alone,
beside that of a cold fit.

`placing` rows: topics are found in all documents; a fifth is then placed as if it had come later. `right` is the share
that gets the topic it was found in, ECE the expected calibration error of the probabilities, and what one takes.
"""

import time
from dataclasses import replace
from itertools import combinations

import numpy as np
from classes import LabelledSpace, labelled_spaces, parser_for_spaces
from report import Cell, write_result
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from tolman.metrics import expected_calibration_error
from tolman.topics.division import NOWHERE
from tolman.topics.finding import Found, Material, find, find_again
from tolman.topics.graph import build_graph
from tolman.topics.membership import Membership, fit_placing
from tolman.topics.tree import Tree, numbered


def material(given: LabelledSpace) -> Material:
    return Material([f"d{i}" for i in range(len(given.contents))], given.contents, given.vectors)


def known_to(found: Found, rows: np.ndarray, count: int) -> Tree:
    """The tree over `count` documents, of which those at `rows` had been there."""
    shown, fine = np.full(count, NOWHERE), np.full(count, NOWHERE)
    shown[rows], fine[rows] = found.tree.shown_N, found.tree.fine_N
    return replace(found.tree, shown_N=shown, fine_N=fine)


def same(given: LabelledSpace, runs: int) -> list[dict[str, Cell]]:
    whole, rng = material(given), np.random.default_rng(0)
    trees = []
    for seed in range(runs):
        order = rng.permutation(len(whole))
        trees.append(find(whole.take(order), seed=seed).tree.take(np.argsort(order)))
    order = rng.permutation(len(whole))
    other = find(whole.take(order), seed=0).tree.take(np.argsort(order))
    rows: list[dict[str, Cell]] = []
    for depth in ("broad", "shown", "fine"):
        labels = [tree.ids_at(depth) for tree in trees if tree.at(depth)]
        indices = [adjusted_rand_score(a, b) for a, b in combinations(labels, 2)]
        if indices:
            row: dict[str, Cell] = {
                "what": "same",
                "depth": depth,
                "runs": len(labels),
                "topics": len(trees[0].at(depth)),
            }
            row |= {"ARI": float(np.mean(indices)), "least ARI": float(min(indices))}
            rows.append(row | {"other order": float(adjusted_rand_score(labels[0], other.ids_at(depth)))})
    return rows


def growth(given: LabelledSpace, rounds: int = 10) -> dict[str, Cell]:
    whole, labels = material(given), given.labels
    order = np.random.default_rng(0).permutation(len(whole))
    sizes = np.linspace(0.2, 1, rounds + 1) * len(whole)
    rows, kept = order[: round(sizes[0])], []
    found = find(whole.take(rows))
    for size in sizes[1:]:
        more = order[: round(size)]
        before, tree = known_to(found, rows, len(whole)).take(more), found.tree
        found = find_again(whole.take(more), before)
        named = {number: topic.name for number, topic in tree.topics.items()}
        ids, after = tree.shown_N, found.tree.shown_N[: len(rows)]
        kept.append(
            np.mean([a == b and found.tree.topics[b].name == named[a] for a, b in zip(ids, after, strict=True)])
        )
        rows = more
    cold = find(whole.take(rows))
    return {
        "what": "growth",
        "kept": float(min(kept)),
        "AMI": float(adjusted_mutual_info_score(labels[rows], found.tree.shown_N)),
        "cold AMI": float(adjusted_mutual_info_score(labels[rows], cold.tree.shown_N)),
        "topics": len(found.tree.at("shown")),
        "cold topics": len(cold.tree.at("shown")),
    }


def unseen(given: LabelledSpace) -> dict[str, Cell]:
    whole, labels, rng = material(given), given.labels, np.random.default_rng(0)
    classes = np.unique(labels)
    hidden = np.isin(labels, rng.choice(classes, max(1, len(classes) // 10), replace=False))
    rows = np.flatnonzero(~hidden & (rng.random(len(labels)) < 0.8))
    first = find(whole.take(rows))
    again, cold = find_again(whole, known_to(first, rows, len(whole))), find(whole)
    new = set(again.tree.topics) - set(first.tree.topics)
    return {
        "what": "unseen",
        "kept": float((again.tree.shown_N[rows] == first.tree.shown_N).mean()),
        "unseen": int(hidden.sum()),
        "in new": float(np.isin(again.tree.shown_N[hidden], list(new)).mean()),
        "AMI": float(adjusted_mutual_info_score(labels[hidden], again.tree.shown_N[hidden])),
        "cold AMI": float(adjusted_mutual_info_score(labels[hidden], cold.tree.shown_N[hidden])),
    }


def placing(given: LabelledSpace) -> dict[str, Cell]:
    """A fifth placed among the other documents, whose topics are those of a fit on all."""
    whole = material(given)
    numbers, parts = numbered(find(whole).tree.shown_N)
    later = np.random.default_rng(0).random(len(whole)) < 0.2
    graph = build_graph(whole.vectors_ND[~later])
    placing = fit_placing(graph, parts[~later])
    member = Membership(placing, graph.vectors_ND, parts[~later])
    started = time.perf_counter()
    places, _ = member.place(whole.vectors_ND[later])
    seconds = time.perf_counter() - started
    right = places.topic_N == parts[later]
    return {
        "what": "placing",
        "topics": len(numbers),
        "placed": int(later.sum()),
        "right": float(right.mean()),
        "ECE": float(expected_calibration_error(places.probability_N, right)),
        "ms each": 1000 * seconds / later.sum(),
    }


def main() -> None:
    parser = parser_for_spaces(__doc__)
    parser.add_argument("--what", default="same,growth,unseen,placing")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    measures = {"same": lambda given: same(given, options.runs), "growth": growth, "unseen": unseen, "placing": placing}
    rows: list[dict[str, Cell]] = []
    for given in labelled_spaces(options):
        for what in options.what.split(","):
            measured = measures[what](given)
            for row in measured if isinstance(measured, list) else [measured]:
                rows.append({"set": given.name, "base": given.base} | row)
                print(rows[-1], flush=True)
            write_result(f"topic-stability{options.name}", rows, __doc__ or "")


if __name__ == "__main__":
    main()
