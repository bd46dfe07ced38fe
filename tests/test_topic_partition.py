import random
import sys
import threading

import numpy as np
import pytest
from planted import planted
from sklearn.metrics import adjusted_rand_score

from tolman.errors import MissingExtra
from tolman.leiden import Leiden
from tolman.metrics import adjusted_rand_index
from tolman.topics.graph import build_graph, contract, first_neighbour_groups
from tolman.topics.levels import best_level, weigh_levels
from tolman.topics.partition import consensus, discriminants, refine, settle


def test_the_adjusted_rand_index_counts_groups_by_their_documents():
    rng = np.random.default_rng(0)
    first, second, sizes = rng.integers(4, size=30), rng.integers(5, size=30), rng.integers(1, 9, size=30)
    expected = adjusted_rand_score(np.repeat(first, sizes), np.repeat(second, sizes))
    assert adjusted_rand_index(first, second, sizes) == pytest.approx(expected)
    assert adjusted_rand_index(first, first, sizes) == 1


@pytest.mark.parametrize("seed", range(3))
def test_the_consensus_finds_planted_topics_whatever_the_seed(seed):
    vectors, classes = planted([60, 80, 100, 40])
    graph = build_graph(vectors)
    groups = contract(graph, first_neighbour_groups(graph))
    found = refine(graph, consensus(groups, 1.0, 20, np.random.default_rng(seed)))
    assert adjusted_rand_score(classes, found) > 0.99


def test_the_level_that_is_worth_most_has_as_many_topics_as_were_planted():
    vectors, _ = planted([60, 80, 100, 40, 70, 50])
    graph = build_graph(vectors)
    level = best_level(weigh_levels(contract(graph, first_neighbour_groups(graph))))
    assert level.topics == pytest.approx(6, abs=0.5)


def test_settling_moves_a_stray_to_where_its_ties_are_and_nobody_who_may_not():
    vectors, classes = planted([60, 60])
    graph, strayed = build_graph(vectors), classes.copy()
    strayed[[5, 70]] = 1 - classes[[5, 70]]
    np.testing.assert_array_equal(settle(graph, strayed), classes)
    held = np.arange(120) != 5
    assert settle(graph, strayed, held)[5] == strayed[5]


def test_discriminants_tell_classes_apart():
    vectors, classes = planted([60, 80, 40])
    assert (discriminants(vectors, classes)(vectors).argmax(axis=1) == classes).mean() > 0.99


@pytest.mark.parametrize("seed", range(2))
def test_where_neighbours_disagree_what_a_part_has_in_common_has_a_say(seed):
    vectors, classes = planted([150] * 8, spread=2.5, seed=seed)
    graph, rng = build_graph(vectors), np.random.default_rng(seed)
    strayed = np.where(rng.random(len(classes)) < 0.2, rng.integers(8, size=len(classes)), classes)
    by_ties, by_both = ((found == classes).mean() for found in (settle(graph, strayed), refine(graph, strayed)))
    assert by_both > by_ties + 0.03


def test_where_they_agree_they_decide():
    vectors, classes = planted([60, 80, 100])
    np.testing.assert_array_equal(refine(build_graph(vectors), classes), classes)


def test_leiden_leaves_the_generator_of_python_as_it_was():
    random.seed(3)
    expected = random.random()
    random.seed(3)
    Leiden(4, np.array([[0, 1], [2, 3]])).at(1.0, np.ones(2), np.ones(4), seed=0)
    assert random.random() == expected


def test_leiden_finds_the_same_while_another_thread_draws_from_pythons_generator():
    rng = np.random.default_rng(0)
    ends = np.argwhere(np.triu(rng.random((300, 300)) < 0.1, 1))
    weights, run, done = rng.random(len(ends)), Leiden(300, ends), threading.Event()
    strengths = np.bincount(ends.ravel(), np.repeat(weights, 2))

    def draw() -> None:
        while not done.is_set():
            random.random()

    alone = [run.at(1.0, weights, strengths, seed) for seed in range(20)]
    other, switching = threading.Thread(target=draw), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    other.start()
    try:
        beside = [run.at(1.0, weights, strengths, seed) for seed in range(20)]
    finally:
        done.set()
        other.join()
        sys.setswitchinterval(switching)
    np.testing.assert_array_equal(alone, beside)


def test_without_igraph_the_line_that_installs_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "igraph", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tolman\[topics\]'"):
        Leiden(2, np.array([[0, 1]]))
