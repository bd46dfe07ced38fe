import numpy as np
import pytest
from planted import planted

from tolman.topics.graph import build_graph, canonical_order, centred, closeness, contract, first_neighbour_groups
from tolman.topics.levels import modularity


def test_ties_are_the_fuzzy_union_of_what_both_ends_think():
    vectors, _ = planted([30, 30])
    graph = build_graph(vectors, neighbours=8)
    one_way = np.zeros((60, 60))
    rows = np.arange(60)[:, None]
    one_way[rows, graph.neighbours.positions_NK] = closeness(graph.neighbours.cosines_NK)
    both = one_way + one_way.T - one_way * one_way.T
    np.testing.assert_allclose(graph.adjacency.toarray(), both, atol=1e-12)
    np.testing.assert_allclose(graph.strengths, both.sum(axis=1))


def test_the_nearest_counts_one_and_all_together_as_much_as_in_umap():
    cosines = np.sort(np.random.default_rng(0).uniform(0.2, 0.9, (50, 16)).astype(np.float32))[:, ::-1]
    weights = closeness(cosines)
    np.testing.assert_allclose(weights[:, 0], 1)
    np.testing.assert_allclose(weights.sum(axis=1), np.log2(16), rtol=1e-4)
    assert (closeness(np.array([[0.5, -0.1]], np.float32))[:, 1] == 0).all()


def test_documents_without_known_words_have_no_ties():
    vectors, _ = planted([30, 30])
    vectors[:5] = 0
    graph = build_graph(vectors)
    assert (graph.strengths[:5] == 0).all()
    assert (graph.strengths[5:] > 0).all()


def test_votes_are_sums_of_ties_to_each_group():
    vectors, classes = planted([20, 25, 30])
    graph = build_graph(vectors, neighbours=6)
    groups = np.where(np.arange(75) % 4 == 0, -1, classes)
    expected = np.stack([graph.adjacency.toarray()[:, groups == part].sum(axis=1) for part in range(3)], axis=1)
    np.testing.assert_allclose(graph.votes(groups, 3), expected)
    members = np.array([3, 40, 70])
    np.testing.assert_allclose(graph.votes_of(members, groups, 3), expected[members].sum(axis=0))


def test_a_partition_of_groups_has_the_modularity_it_has_among_documents():
    vectors, _ = planted([40, 40, 40])
    graph = build_graph(vectors, neighbours=8)
    groups = contract(graph, first_neighbour_groups(graph))
    alone = contract(graph, np.arange(120))
    parts_of_groups = np.arange(len(groups)) % 3
    of_groups = modularity(groups, *groups.weigh(graph.weights_E), parts_of_groups)
    of_documents = modularity(alone, *alone.weigh(graph.weights_E), parts_of_groups[groups.groups_N])
    assert of_groups == pytest.approx(of_documents)


def test_groups_of_first_neighbours_hold_each_document_and_its_nearest():
    vectors, classes = planted([50, 50])
    graph = build_graph(vectors)
    groups = first_neighbour_groups(graph)
    np.testing.assert_array_equal(groups, groups[graph.neighbours.positions_NK[:, 0]])
    assert all(len(set(classes[groups == group])) == 1 for group in np.unique(groups))


def test_the_canonical_order_doesnt_depend_on_the_order_of_rows():
    vectors, _ = planted([40, 40])
    shuffled = np.random.default_rng(0).permutation(80)
    np.testing.assert_array_equal(
        vectors[canonical_order(vectors)], vectors[shuffled][canonical_order(vectors[shuffled])]
    )


def test_centring_takes_away_what_all_share_and_leaves_zeros():
    vectors, _ = planted([40, 40])
    vectors[3] = 0
    moved = centred(vectors, vectors.mean(axis=0))
    assert (moved[3] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(np.delete(moved, 3, axis=0), axis=1), 1, rtol=1e-5)
