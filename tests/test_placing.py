import numpy as np
from clustered import clustered

from tolman.neighbours import nearest_among
from tolman.projection.layout import lay_out, start_on_plane
from tolman.projection.order import settled_neighbours
from tolman.projection.placing import place_among
from tolman.projection.trust import neighbours_on_map, shared

ALL = clustered(1_000)
OLD, NEW = ALL[:800], ALL[800:]
TRUE = settled_neighbours(OLD)
PLACES = lay_out(TRUE, start_on_plane(OLD, 0))
AMONG = nearest_among(OLD, NEW, 15).positions_NK


def kept(places_Q2) -> float:
    far_QN = ((places_Q2[:, None].astype(float) - PLACES) ** 2).sum(2)
    return float(shared(AMONG, np.argsort(far_QN, axis=1)[:, :15]).mean())


def test_placed_points_keep_as_many_neighbours_as_those_that_were_laid_out():
    laid_out = float(shared(TRUE, neighbours_on_map(PLACES, 15)).mean())
    placed = kept(place_among(PLACES, AMONG))
    assert placed > laid_out - 0.03
    assert placed > kept(PLACES[AMONG].mean(axis=1)) + 0.03


def test_each_is_placed_by_itself():
    together = place_among(PLACES, AMONG)
    assert np.allclose(together[:5], [place_among(PLACES, AMONG[row : row + 1])[0] for row in range(5)], atol=0.2)


def test_nobody_lies_on_another():
    twins = nearest_among(OLD, OLD[:50], 15).positions_NK
    placed_Q2 = place_among(PLACES, np.concatenate([AMONG, twins, np.repeat(twins[:, :1], 15, axis=1)]))
    far_QN = ((placed_Q2[:, None].astype(float) - PLACES) ** 2).sum(2)
    assert far_QN.min() > 0


def test_a_map_of_two_points_takes_a_third():
    placed_Q2 = place_among(np.array([[0, 0], [1, 1]], np.float32), np.array([[1, 0]]))
    assert np.isfinite(placed_Q2).all()
    assert np.abs(placed_Q2[0] - [[0, 0], [1, 1]]).sum(axis=1).min() > 0


def test_no_points_no_places():
    assert place_among(PLACES, np.empty((0, 15), np.int64)).shape == (0, 2)
