"""An order of documents that depends on what they are and not on where they stand, and neighbours without chance.

How a matrix product rounds depends on the number of threads, so of two neighbours as near as each other now one comes
first and now the other. Where the last that counts is that close, the cosines are computed again, slowly and always
alike, and of equals the one that is first in the order wins.

Legend for shapes:
    N  documents
    K  neighbours of each
    C  candidates for them, a few more
    Q  vectors that are compared with all
    D  dimensions
"""

from collections.abc import Sequence

import numpy as np

from tolman.digests import Digests
from tolman.models.encoder import Floats
from tolman.neighbours import Ints, Neighbours, nearest_among, nearest_neighbours

NEIGHBOURS = 15
_SPARE = 8
_CLOSE = 1e-5  # cosines in float32 may be that far off, with much to spare
_ROWS = 1 << 16  # of a slow product at a time


def canonical_order(digests_N: Digests, ids: Sequence[str]) -> Ints:
    """Rows sorted by what their vectors are, equal ones by id."""
    return np.asarray(np.lexsort((np.asarray(ids, object).astype(str), digests_N)), np.int64)


def settled_neighbours(vectors_ND: Floats) -> Ints:
    """(N, K): the nearest others of every row, the same whatever the number of threads."""
    k = min(NEIGHBOURS, len(vectors_ND) - 1)
    found = nearest_neighbours(vectors_ND, k + _SPARE)
    return _settled(vectors_ND, vectors_ND, np.arange(len(vectors_ND)), found, k)


def settled_neighbours_of(vectors_ND: Floats, rows_Q: Ints) -> Ints:
    """(Q, K): the same for some of the rows."""
    k = min(NEIGHBOURS, len(vectors_ND) - 1)
    found = nearest_among(vectors_ND, vectors_ND[rows_Q], k + _SPARE + 1)
    return _settled(vectors_ND, vectors_ND[rows_Q], rows_Q, found.without(rows_Q), k)


def settled_among(vectors_ND: Floats, queries_QD: Floats) -> Ints:
    """(Q, K): the same for vectors that are none of the rows."""
    k = min(NEIGHBOURS, len(vectors_ND))
    found = nearest_among(vectors_ND, queries_QD, k + _SPARE)
    return _settled(vectors_ND, queries_QD, np.full(len(queries_QD), -1), found, k)


def _settled(vectors_ND: Floats, queries_QD: Floats, own_Q: Ints, candidates: Neighbours, k: int) -> Ints:
    """The `k` nearest among the candidates; where the last is too close to the next to tell, by a slower comparison.

    Args:
        vectors_ND: what is compared with.
        queries_QD: what is compared.
        own_Q: which row each is, and not its own neighbour; -1: none.
        candidates: of each, nearest first.
        k: how many.
    """
    nearest_QK, cosines_QC = np.array(candidates.positions_NK[:, :k]), candidates.cosines_NK
    if cosines_QC.shape[1] <= k:
        return nearest_QK
    close_Q = cosines_QC[:, k - 1] - cosines_QC[:, k] < _CLOSE
    endless_Q = cosines_QC[:, k - 1] - cosines_QC[:, -1] < _CLOSE  # as close to the last that was asked for
    known: dict[bytes, Ints] = {}  # many documents may be the very same
    for query in np.flatnonzero(close_Q):
        vector_D, among = queries_QD[query], np.sort(candidates.positions_NK[query])
        if endless_Q[query]:
            key = vector_D.tobytes()
            if key not in known:
                known[key] = _first(vectors_ND, vector_D, np.arange(len(vectors_ND)), k + 1)
            nearest_QK[query] = known[key][known[key] != own_Q[query]][:k]
        else:
            nearest_QK[query] = _first(vectors_ND, vector_D, among, k)
    return nearest_QK


def _first(vectors_ND: Floats, vector_D: Floats, among_C: Ints, k: int) -> Ints:
    """The `k` nearest of some rows, computed slowly and always alike; of equals the first."""
    cosines_C = np.concatenate(
        [
            np.einsum("cd,d->c", vectors_ND[among_C[start : start + _ROWS]], vector_D, dtype=np.float64)
            for start in range(0, len(among_C), _ROWS)
        ]
    )
    return among_C[np.argsort(-np.round(cosines_C, 9), kind="stable")[:k]]
