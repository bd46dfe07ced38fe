"""An order of documents that depends on what they are and not on where they stand, and neighbours without chance.

How a matrix product rounds depends on the number of threads, so of two neighbours as near as each other now one comes
first and now the other. Where the last that counts is that close, the cosines are computed again, slowly and always
alike, and of equals the one that is first in the order wins.

Legend for shapes:
    N  documents
    K  neighbours of each
    C  candidates for them, a few more
    D  dimensions
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tolman.models.encoder import Floats
from tolman.neighbours import Ints, Neighbours, nearest_among, nearest_neighbours

Digests = NDArray[np.uint64]

NEIGHBOURS = 15
_SPARE = 8
_CLOSE = 1e-5  # cosines in float32 may be that far off, with much to spare
_ROWS = 1 << 16  # of a slow product at a time


def digests_of(vectors_ND: Floats) -> Digests:
    """A number for each vector, equal for equal vectors."""
    rows = np.ascontiguousarray(vectors_ND, np.float32)
    found = b"".join(hashlib.blake2b(row, digest_size=8).digest() for row in rows)
    return np.frombuffer(found, "<u8").astype(np.uint64)


def canonical_order(digests_N: Digests, ids: Sequence[str]) -> Ints:
    """Rows sorted by what their vectors are, equal ones by id."""
    return np.asarray(np.lexsort((np.asarray(ids, object).astype(str), digests_N)), np.int64)


def settled_neighbours(vectors_ND: Floats) -> Ints:
    """(N, K): the nearest others of every row, the same whatever the number of threads."""
    k = min(NEIGHBOURS, len(vectors_ND) - 1)
    return _settled(vectors_ND, np.arange(len(vectors_ND)), nearest_neighbours(vectors_ND, k + _SPARE), k)


def settled_neighbours_of(vectors_ND: Floats, rows_R: Ints) -> Ints:
    """(R, K): the same for some of the rows."""
    k = min(NEIGHBOURS, len(vectors_ND) - 1)
    found = nearest_among(vectors_ND, vectors_ND[rows_R], k + _SPARE + 1)
    other_RC = found.positions_NK != rows_R[:, None]
    other_RC[other_RC.all(axis=1), -1] = False
    shape = len(rows_R), other_RC.shape[1] - 1
    others = Neighbours(found.positions_NK[other_RC].reshape(shape), found.cosines_NK[other_RC].reshape(shape))
    return _settled(vectors_ND, rows_R, others, k)


def _settled(vectors_ND: Floats, rows_R: Ints, candidates: Neighbours, k: int) -> Ints:
    """The `k` nearest among the candidates; where the last is too close to the next to tell, by a slower comparison."""
    nearest_RK = np.array(candidates.positions_NK[:, :k])
    cosines_RC = candidates.cosines_NK
    if cosines_RC.shape[1] <= k:
        return nearest_RK
    close_R = cosines_RC[:, k - 1] - cosines_RC[:, k] < _CLOSE
    endless_R = cosines_RC[:, k - 1] - cosines_RC[:, -1] < _CLOSE  # as close to the last that was asked for
    among = len(vectors_ND) - 1
    if cosines_RC.shape[1] < among:
        for place in np.flatnonzero(endless_R):
            nearest_RK[place] = _first(vectors_ND, rows_R[place], np.delete(np.arange(among + 1), rows_R[place]), k)
        close_R &= ~endless_R
    for place in np.flatnonzero(close_R):
        nearest_RK[place] = _first(vectors_ND, rows_R[place], np.sort(candidates.positions_NK[place]), k)
    return nearest_RK


def _first(vectors_ND: Floats, row: np.int64, others_C: Ints, k: int) -> Ints:
    cosines_C = np.concatenate(
        [
            np.einsum("cd,d->c", vectors_ND[others_C[start : start + _ROWS]], vectors_ND[row], dtype=np.float64)
            for start in range(0, len(others_C), _ROWS)
        ]
    )
    return others_C[np.argsort(-np.round(cosines_C, 9), kind="stable")[:k]]
