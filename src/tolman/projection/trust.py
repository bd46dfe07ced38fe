"""How far a map can be trusted: whether those near each other on it are near each other in the latent space.

Legend for shapes:
    N  points of the map
    K  neighbours of each
    Q  points that are asked about
    D  dimensions of the latent space
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from threadpoolctl import threadpool_limits

from tolman.models.encoder import Floats
from tolman.neighbours import Ints

_SAMPLE = 500
_AT_A_TIME = 250


def neighbours_on_map(places_N2: Floats, k: int) -> Ints:
    """(N, k): the nearest others of each point on the plane."""
    _, found_NK = KDTree(places_N2).query(places_N2, k=range(1, k + 2))
    other_NK = found_NK != np.arange(len(places_N2))[:, None]
    other_NK[other_NK.all(axis=1), -1] = False  # one of many at the very same place
    return np.asarray(found_NK[other_NK].reshape(len(places_N2), k), np.int64)


def shared(true_QK: Ints, near_QK: Ints) -> NDArray[np.float32]:
    """(Q,): which share of each point's true neighbours is among those on the map."""
    if not true_QK.shape[1]:
        return np.ones(len(true_QK), np.float32)
    hits_Q = np.zeros(len(true_QK), np.int64)
    for column in range(true_QK.shape[1]):
        hits_Q += (near_QK == true_QK[:, column, None]).any(axis=1)
    return (hits_Q / np.float32(true_QK.shape[1])).astype(np.float32)


def trustworthiness(vectors_ND: Floats, near_NK: Ints) -> float | None:
    """How little of what is near on the map is far in the latent space (Venna and Kaski 2001); 1 is best.

    Of a sample where there are many points. None where there are too few to define it.
    """
    points, k = near_NK.shape
    if 2 * points - 3 * k - 1 <= 0:
        return None
    asked_Q = np.arange(points)
    if points > _SAMPLE:
        asked_Q = np.sort(np.random.default_rng(0).choice(points, _SAMPLE, replace=False))
    with threadpool_limits(1):  # else the last digit depends on the number of threads
        parts = (asked_Q[start : start + _AT_A_TIME] for start in range(0, len(asked_Q), _AT_A_TIME))
        excess = sum(_excess_ranks(vectors_ND, part_Q, near_NK[part_Q]) for part_Q in parts)
    return float(1 - 2 * excess / (len(asked_Q) * k * (2 * points - 3 * k - 1)))


def _excess_ranks(vectors_ND: Floats, asked_Q: Ints, near_QK: Ints) -> int:
    """By how many places those near on the map come after the k-th in the latent space, summed."""
    cosines_QN = vectors_ND[asked_Q] @ vectors_ND.T
    cosines_QN[np.arange(len(asked_Q)), asked_Q] = -np.inf
    near_cosines_QK = np.take_along_axis(cosines_QN, near_QK, axis=1)
    nearer_KQ = [(cosines_QN > cosines_Q[:, None]).sum(axis=1) for cosines_Q in near_cosines_QK.T]
    return int(np.maximum(np.array(nearer_KQ) + 1 - near_QK.shape[1], 0).sum())
