import numpy as np
import pytest
from clustered import clustered

from tolman.projection import repulsion
from tolman.projection.layout import lay_out, start_on_plane
from tolman.projection.order import settled_neighbours
from tolman.projection.repulsion import Repulsion


def exact(x_N, y_N):
    """The sum over all pairs, and its slopes."""
    right_NN, up_NN = (places_N.astype(float)[:, None] - places_N for places_N in (x_N, y_N))
    near_NN = 1 / (1 + right_NN**2 + up_NN**2)
    return near_NN.sum(1), (-2 * near_NN**2 * right_NN).sum(1), (-2 * near_NN**2 * up_NN).sum(1)


def error(got, wanted) -> float:
    """The root of the mean square, relative to that of what was wanted."""
    return float(np.sqrt(((got - wanted) ** 2).mean() / (wanted**2).mean()))


def test_the_grid_gives_what_all_pairs_give():
    vectors_ND = clustered(800)
    places = lay_out(settled_neighbours(vectors_ND), start_on_plane(vectors_ND, 0)).T
    (near_N, *slopes), (wanted_N, *wanted_slopes) = Repulsion()(*places), exact(*places)
    assert error(near_N, wanted_N) < 0.03
    assert all(error(got, wanted) < 0.1 for got, wanted in zip(slopes, wanted_slopes, strict=True))
    # What is divided by: the mean over all pairs of two different points.
    assert near_N.sum() - 800 == pytest.approx(wanted_N.sum() - 800, rel=5e-3)


def test_points_closer_than_the_nodes_push_each_other_the_right_way():
    places = (np.random.default_rng(0).normal(size=(2, 500)) * 1e-3).astype(np.float32)
    _, *slopes = Repulsion()(*places)
    assert all(error(got, wanted) < 0.05 for got, wanted in zip(slopes, exact(*places)[1:], strict=True))


def test_a_layout_too_wide_for_the_grid_has_wider_spaces(monkeypatch):
    monkeypatch.setattr(repulsion, "_MOST_NODES", 64)
    places = (np.random.default_rng(0).normal(size=(2, 500)) * 12).astype(np.float32)
    assert error(Repulsion()(*places)[0], exact(*places)[0]) < 0.2


def test_points_at_one_place_push_nobody_anywhere():
    _, right_N, up_N = Repulsion()(np.zeros(5, np.float32), np.zeros(5, np.float32))
    assert np.abs([right_N, up_N]).max() < 1e-4
