import numpy as np
import pytest
from clustered import clustered
from sklearn import manifold

from tolman.projection.trust import neighbours_on_map, shared, trustworthiness


def test_neighbours_on_the_map_are_those_of_brute_force():
    places_N2 = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    far_NN = ((places_N2[:, None].astype(float) - places_N2) ** 2).sum(2)
    np.fill_diagonal(far_NN, np.inf)
    assert (neighbours_on_map(places_N2, 15) == np.argsort(far_NN, axis=1)[:, :15]).all()


def test_nobody_is_its_own_neighbour_even_where_many_lie_at_one_place():
    near_NK = neighbours_on_map(np.zeros((40, 2), np.float32), 15)
    assert near_NK.shape == (40, 15)
    assert all(len(set(near_K)) == 15 for near_K in near_NK.tolist())


def test_shared_is_the_share_of_the_first_among_the_second():
    assert shared(np.array([[1, 2, 3], [4, 5, 6]]), np.array([[3, 9, 1], [0, 1, 2]])).tolist() == pytest.approx(
        [2 / 3, 0]
    )


def test_trustworthiness_is_that_of_sklearn():
    vectors_ND = clustered(400)
    places_N2 = vectors_ND[:, :2]
    wanted = manifold.trustworthiness(vectors_ND, places_N2, n_neighbors=15, metric="cosine")
    assert trustworthiness(vectors_ND, neighbours_on_map(places_N2, 15)) == pytest.approx(wanted, abs=1e-4)


def test_too_few_points_have_no_trustworthiness():
    assert trustworthiness(clustered(16), neighbours_on_map(clustered(16)[:, :2], 15)) is None
