"""A map made, and grown when documents come and go: those that are on it stay where they are.

Legend for shapes:
    N  documents
    K  neighbours of each
    D  dimensions
    O  documents that are on the map already
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tolman.digests import Digests, digests_of
from tolman.models.encoder import Floats
from tolman.neighbours import Ints
from tolman.progress import Progress
from tolman.projection.files import MapRows
from tolman.projection.layout import LAYING_OUT, lay_out, settle, start_on_plane
from tolman.projection.order import (
    NEIGHBOURS,
    canonical_order,
    settled_among,
    settled_neighbours,
    settled_neighbours_of,
)
from tolman.projection.placing import place_among
from tolman.projection.trust import neighbours_on_map, shared

_MARGIN = 1e-5  # of cosines
_FEW = 0.25  # of all documents: beyond, comparing all with all is faster
_GATHERING = 1 / 3  # of the neighbours of a new document: with fewer new ones it is at home among the old
_ROWS = 1 << 14  # compared with the new ones at a time


def make_rows(vectors_ND: Floats, ids: Sequence[str], seed: int, progress: Progress) -> MapRows:
    """A map of at least two documents. Their order makes no difference to where they are."""
    digests_N = digests_of(vectors_ND)
    order_N = canonical_order(digests_N, ids)
    sorted_ND = np.ascontiguousarray(vectors_ND[order_N])
    progress.start("neighbours")
    neighbours_NK = settled_neighbours(sorted_ND)
    progress.start("map", sum(stage.steps for stage in LAYING_OUT))
    places_N2 = lay_out(neighbours_NK, start_on_plane(sorted_ND, seed), progress.advance)
    back_N = np.argsort(order_N)
    return _complete(ids, digests_N, places_N2[back_N], order_N[neighbours_NK[back_N]], np.zeros(len(ids), np.bool_))


def grow_rows(stored: MapRows, vectors_ND: Floats, ids: Sequence[str], progress: Progress) -> MapRows | None:
    """The same map for other documents; None: there are too few that were on it.

    Who was on it and has the same vector stays, to the last bit. Who is new, or has another, is placed among these.
    Who is gone is left out.
    """
    digests_N = digests_of(vectors_ND)
    was_N = _rows_before(stored, ids, digests_N)
    old_O = np.flatnonzero(was_N >= 0)
    if len(old_O) < 2:
        return None
    neighbours_NK = _neighbours(stored, vectors_ND, was_N)
    places_N2 = np.zeros((len(ids), 2), np.float32)
    places_N2[old_O] = stored.places_N2[was_N[old_O]]
    placed_N = was_N < 0
    placed_N[old_O] |= stored.placed_N[was_N[old_O]]
    new = np.flatnonzero(was_N < 0)
    if len(new):
        progress.start("placing", len(new))
        new = new[canonical_order(digests_N[new], [ids[int(row)] for row in new])]
        among = settled_among(vectors_ND[old_O], vectors_ND[new])
        places_N2[new] = _settled(places_N2[old_O], place_among(places_N2[old_O], among), old_O, new, neighbours_NK)
        progress.advance(len(new))
    return _complete(ids, digests_N, places_N2, neighbours_NK, placed_N)


def _settled(old_O2: Floats, places_Q2: Floats, old_O: Ints, new_Q: Ints, neighbours_NK: Ints) -> Floats:
    """New documents that are neighbours of each other gather, as what they have in common may be nowhere on the map."""
    if np.isin(neighbours_NK[new_Q], new_Q).mean(axis=1).max() < _GATHERING:
        return places_Q2
    order_N = np.concatenate([old_O, new_Q])
    where_N = np.argsort(order_N)
    together_N2 = np.concatenate([old_O2, places_Q2])
    return settle(where_N[neighbours_NK[order_N]], together_N2, len(old_O))[len(old_O) :]


def _complete(
    ids: Sequence[str], digests_N: Digests, places_N2: Floats, neighbours_NK: Ints, placed_N: np.ndarray
) -> MapRows:
    near_NK = neighbours_on_map(places_N2, neighbours_NK.shape[1])
    return MapRows(tuple(ids), digests_N, places_N2, neighbours_NK, shared(neighbours_NK, near_NK), placed_N)


def _rows_before(stored: MapRows, ids: Sequence[str], digests_N: Digests) -> Ints:
    """(N,): the row that each document had with this very vector; -1: none."""
    found = pc.fill_null(pc.index_in(pa.array(ids, pa.string()), pa.array(stored.ids, pa.string())), -1)
    was_N = np.asarray(found.to_numpy(zero_copy_only=False), np.int64)
    was_N[(was_N >= 0) & (stored.digests_N[was_N] != digests_N)] = -1
    return was_N


def _neighbours(stored: MapRows, vectors_ND: Floats, was_N: Ints) -> Ints:
    """(N, K): what is known of the neighbours, and found anew where it can have changed."""
    documents, k = len(vectors_ND), min(NEIGHBOURS, len(vectors_ND) - 1)
    old_O = np.flatnonzero(was_N >= 0)
    if stored.neighbours_NK.shape[1] != k:
        return settled_neighbours(vectors_ND)
    now = np.full(len(stored.ids), -1, np.int64)
    now[was_N[old_O]] = old_O
    neighbours_NK = np.full((documents, k), -1, np.int64)
    neighbours_NK[old_O] = now[stored.neighbours_NK[was_N[old_O]]]
    stale_N = (neighbours_NK < 0).any(axis=1)
    stale_N |= _nearer_ones(vectors_ND, neighbours_NK[:, -1], np.flatnonzero(was_N < 0))
    stale = np.flatnonzero(stale_N)
    if len(stale) > _FEW * documents:
        return settled_neighbours(vectors_ND)
    if len(stale):
        neighbours_NK[stale] = settled_neighbours_of(vectors_ND, stale)
    return neighbours_NK


def _nearer_ones(vectors_ND: Floats, last_N: Ints, new: Ints) -> np.ndarray:
    """(N,): whether one of the new documents is nearer than the last neighbour was."""
    nearer_N = np.zeros(len(vectors_ND), np.bool_)
    if not len(new):
        return nearer_N
    new_QD = np.ascontiguousarray(vectors_ND[new])
    for start in range(0, len(vectors_ND), _ROWS):
        part = slice(start, start + _ROWS)
        reach = np.einsum("nd,nd->n", vectors_ND[part], vectors_ND[last_N[part]])
        nearer_N[part] = (vectors_ND[part] @ new_QD.T).max(axis=1) > reach - _MARGIN
    return nearer_N
