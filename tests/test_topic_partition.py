import random
import sys

import numpy as np
import pytest
from planted import planted
from sklearn.metrics import adjusted_rand_score

from tolman.errors import MissingExtra
from tolman.topics.graph import build_graph, contract, first_neighbour_groups
from tolman.topics.leiden import Leiden
from tolman.topics.levels import best_level, weigh_levels
from tolman.topics.partition import agreement, consensus, discriminants, refine, settle


def test_agreement_is_the_adjusted_rand_index_with_groups_counted_by_their_documents():
    rng = np.random.default_rng(0)
    first, second, sizes = rng.integers(4, size=30), rng.integers(5, size=30), rng.integers(1, 9, size=30)
    expected = adjusted_rand_score(np.repeat(first, sizes), np.repeat(second, sizes))
    assert agreement(first, second, sizes) == pytest.approx(expected)
    assert agreement(first, first, sizes) == 1


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


def test_leiden_leaves_the_generator_of_python_as_it_was():
    random.seed(3)
    expected = random.random()
    random.seed(3)
    Leiden(4, np.array([[0, 1], [2, 3]])).at(1.0, np.ones(2), np.ones(4), seed=0)
    assert random.random() == expected


def test_without_igraph_the_line_that_installs_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "igraph", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tolman\[topics\]'"):
        Leiden(2, np.array([[0, 1]]))
