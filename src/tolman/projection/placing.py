"""A place for a point on a map that is there already: among its neighbours, where most of them are near.

The mean of its neighbours' places falls between the clusters they are in. So several places are tried: each neighbour's
own, and where a few steps towards the neighbours around it lead (the mean shift of a Student kernel). The one with the
most true neighbours among the nearest on the map wins; of equals, the one that t-SNE's attraction favours.

Legend for shapes:
    N  points of the map
    Q  points to be placed
    K  neighbours of each
    C  places tried for each
"""

import numpy as np
from scipy.spatial import KDTree

from tolman.models.encoder import Floats
from tolman.neighbours import Ints
from tolman.projection.trust import shared

_SHIFTS = ((3, 1.0), (10, 0.1))  # steps, and the kernel's width squared
_AT_A_TIME = 512
_TIES = 0.01  # what attraction weighs against one neighbour more
_BESIDE = 0.05  # of the distance to the next
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


def place_among(places_N2: Floats, neighbours_QK: Ints) -> Floats:
    """(Q, 2): places of new points, each by itself.

    Args:
        places_N2: of those that are there.
        neighbours_QK: the true nearest among them of each new point.
    """
    tree = KDTree(places_N2)
    starts = range(0, len(neighbours_QK), _AT_A_TIME)
    parts = [_best(tree, places_N2, neighbours_QK[start : start + _AT_A_TIME]) for start in starts]
    return _apart(tree, np.concatenate([np.empty((0, 2), np.float32), *parts]))


def _best(tree: KDTree, places_N2: Floats, neighbours_QK: Ints) -> Floats:
    around_QK2 = places_N2[neighbours_QK]
    tried_QC2 = np.concatenate([around_QK2, *(_shifted(around_QK2, *shift) for shift in _SHIFTS)], axis=1)
    (points, tried, _), k = tried_QC2.shape, neighbours_QK.shape[1]
    _, near = tree.query(tried_QC2.reshape(-1, 2), k=range(1, k + 1))
    kept_QC = shared(np.repeat(neighbours_QK, tried, axis=0), near).reshape(points, tried)
    distances_QCK = ((tried_QC2[:, :, None] - around_QK2[:, None]) ** 2).sum(axis=3)
    worth_QC = kept_QC - _TIES * np.log1p(distances_QCK).mean(axis=2)
    return np.asarray(tried_QC2[np.arange(points), worth_QC.argmax(axis=1)], np.float32)


def _shifted(around_QK2: Floats, steps: int, width: float) -> Floats:
    """From every neighbour towards the others, the near ones most."""
    tried_QC2 = around_QK2
    for _ in range(steps):
        pull_QCK = 1 / (np.float32(width) + ((tried_QC2[:, :, None] - around_QK2[:, None]) ** 2).sum(axis=3))
        tried_QC2 = pull_QCK @ around_QK2 / pull_QCK.sum(axis=2, keepdims=True)
    return tried_QC2


def _apart(tree: KDTree, places_Q2: Floats) -> Floats:
    """Whoever would lie on top of another moves a little, each in a direction of its own."""
    distances_Q2, _ = tree.query(places_Q2, k=[1, 2])
    gap_Q = np.where(np.isfinite(distances_Q2[:, 1]) & (distances_Q2[:, 1] > 0), distances_Q2[:, 1], 1.0)
    covering_Q = distances_Q2[:, 0] < _BESIDE * gap_Q
    angles_Q = np.arange(len(places_Q2)) * _GOLDEN_ANGLE
    aside_Q2 = np.stack([np.cos(angles_Q), np.sin(angles_Q)], axis=1) * (_BESIDE * gap_Q)[:, None]
    return (places_Q2 + np.where(covering_Q[:, None], aside_Q2, 0)).astype(np.float32)
