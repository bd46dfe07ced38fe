"""Each document's nearest others in the full latent space: what topics and the map are both made of.

Legend for shapes:
    N  documents
    K  neighbours of each
    D  dimensions
"""

from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from tolman.models.encoder import Floats

Ints = NDArray[np.int64]

_EXACT_UP_TO = 50_000  # beyond, comparing all with all takes minutes
_CELLS_PROBED = 24
_SAMPLE_PER_CELL = 64


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest others of each document, nearest first.

    Attributes:
        positions_NK: which documents, by row.
        cosines_NK: how near.
    """

    positions_NK: Ints
    cosines_NK: Floats

    def __len__(self) -> int:
        return len(self.positions_NK)

    def of(self, rows: Ints) -> "Neighbours":
        """Only those of some documents."""
        return Neighbours(self.positions_NK[rows], self.cosines_NK[rows])

    def without(self, own_N: Ints) -> "Neighbours":
        """One fewer of each: without its own row, or without the last where equals took that one's place."""
        other_NK = self.positions_NK != own_N[:, None]
        other_NK[other_NK.all(axis=1), -1] = False
        shape = len(self), other_NK.shape[1] - 1
        return Neighbours(self.positions_NK[other_NK].reshape(shape), self.cosines_NK[other_NK].reshape(shape))


def nearest_neighbours(vectors_ND: Floats, k: int) -> Neighbours:
    """The `k` nearest others of every row, by cosine; all others where there are fewer.

    Exact up to 50,000 rows. Beyond that, from the nearest cells of an inverted file (FAISS).

    Args:
        vectors_ND: unit vectors; rows of zeros are as far from everything as a right angle.
        k: at least 1.
    """
    vectors_ND = np.ascontiguousarray(vectors_ND, np.float32)
    documents, k = len(vectors_ND), min(k, len(vectors_ND) - 1)
    if k < 1:
        return Neighbours(np.empty((documents, 0), np.int64), np.empty((documents, 0), np.float32))
    cosines_NK, positions_NK = _index(vectors_ND).search(vectors_ND, k + 1)
    return Neighbours(positions_NK, cosines_NK).without(np.arange(documents))


def nearest_among(vectors_ND: Floats, queries_QD: Floats, k: int) -> Neighbours:
    """The `k` rows of `vectors_ND` nearest to each of `queries_QD` (exact)."""
    index = faiss.IndexFlatIP(vectors_ND.shape[1])
    index.add(np.ascontiguousarray(vectors_ND, np.float32))
    cosines_QK, positions_QK = index.search(np.ascontiguousarray(queries_QD, np.float32), min(k, len(vectors_ND)))
    return Neighbours(positions_QK, cosines_QK)


def _index(vectors_ND: Floats) -> faiss.Index:
    documents, dim = vectors_ND.shape
    flat = faiss.IndexFlatIP(dim)
    if documents <= _EXACT_UP_TO:
        flat.add(vectors_ND)
        return flat
    cells = int(np.sqrt(documents))
    index = faiss.IndexIVFFlat(flat, dim, cells, faiss.METRIC_INNER_PRODUCT)
    chosen = np.random.default_rng(0).choice(documents, min(documents, cells * _SAMPLE_PER_CELL), replace=False)
    index.train(vectors_ND[np.sort(chosen)])
    index.add(vectors_ND)
    index.nprobe = _CELLS_PROBED
    return index
