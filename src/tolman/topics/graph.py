"""The graph in which topics are found: every document tied to its nearest, and groups of documents drawn together.

Ties are weighted as in UMAP (McInnes et al. 2018, arXiv:1802.03426, section 3.1): the nearest other document counts 1,
the others less the farther they are, in units of how far a document's neighbours are on the whole; what either of two
thinks of the other counts (fuzzy union). Vectors are centred first: what all documents share says nothing about topics.
Measured against plain cosines, shared neighbours and reduced hubness: docs/decisions/0012.

Legend for shapes:
    N  documents
    K  neighbours of each
    D  dimensions
    E  ties between documents, each once
    G  groups of documents
    T  ties between groups, each once
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tolman.models.encoder import Floats
from tolman.neighbours import Ints, Neighbours, Weights, nearest_neighbours

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NEIGHBOURS = 25
_BISECTIONS = 30
_LEAST_LENGTH = 1e-9


@dataclass(frozen=True)
class DocumentGraph:
    """Documents and the ties between them.

    Attributes:
        vectors_ND: centred, of unit length; zeros for a document without any known word.
        center_D: what was taken from every vector.
        neighbours: of the centred vectors.
        ends_E2: positions of the two documents of each tie, the lower first.
        weights_E: in (0, 1].
    """

    vectors_ND: Floats
    center_D: Floats
    neighbours: Neighbours
    ends_E2: Ints
    weights_E: Weights

    def __len__(self) -> int:
        return len(self.vectors_ND)

    @cached_property
    def strengths(self) -> Weights:
        """(N,) sum of the weights of each document's ties."""
        return sums(self.ends_E2.ravel(), np.repeat(self.weights_E, 2), len(self))

    @cached_property
    def adjacency(self) -> "csr_array":
        """(N, N), symmetric, no diagonal."""
        return _symmetric(self.ends_E2, self.weights_E, len(self))

    def only(self, kept_E: NDArray[np.bool_]) -> "DocumentGraph":
        """The same documents with some of the ties."""
        return replace(self, ends_E2=self.ends_E2[kept_E], weights_E=self.weights_E[kept_E])

    def votes(self, groups_N: Ints, count: int) -> Weights:
        """(N, `count`): the weight of each document's ties to each group; documents of group -1 don't vote."""
        return np.asarray((self.adjacency @ indicator(groups_N, count)).todense())

    def votes_of(self, members: Ints, groups_N: Ints, count: int) -> Weights:
        """(`count`,): the same for some documents together."""
        ties = self.adjacency[members].tocoo()
        to_M = groups_N[ties.coords[1]]
        return sums(to_M[to_M >= 0], ties.data[to_M >= 0], count)


def centred(vectors_ND: Floats, center_D: Floats) -> Floats:
    """Vectors less what all share, at unit length again; zeros stay zeros."""
    moved_ND = np.where(np.any(vectors_ND, axis=1, keepdims=True), vectors_ND - center_D, np.float32(0))
    length_N1 = np.linalg.norm(moved_ND, axis=1, keepdims=True)
    return np.ascontiguousarray(moved_ND / np.maximum(length_N1, _LEAST_LENGTH), np.float32)


def canonical_order(vectors_ND: Floats) -> Ints:
    """An order of rows that depends on what is in them alone: by their shadow on a line.

    In this order the same documents give the same topics however their rows stood.
    """
    line_D = np.random.default_rng(0).standard_normal(vectors_ND.shape[1])
    return np.argsort(vectors_ND.astype(np.float64) @ line_D, kind="stable")


def build_graph(vectors_ND: Floats, neighbours: int = NEIGHBOURS) -> DocumentGraph:
    """The graph over some documents, from their unit vectors (N, D)."""
    center_D = vectors_ND.mean(axis=0, dtype=np.float64).astype(np.float32)
    moved_ND = centred(vectors_ND, center_D)
    nearest = nearest_neighbours(moved_ND, min(neighbours, max(1, len(moved_ND) // 3)))
    ends_E2, weights_E = _union(nearest.positions_NK, closeness(nearest.cosines_NK))
    return DocumentGraph(moved_ND, center_D, nearest, ends_E2, weights_E)


def closeness(cosines_NK: Floats) -> Weights:
    """(N, K): how much each neighbour counts for a document, in [0, 1]; 0 beyond a right angle.

    1 for the nearest; the scale of the rest is such that all together count log2(K).
    """
    documents, k = cosines_NK.shape
    beyond_NK = np.sqrt(np.maximum(2 - 2 * cosines_NK.astype(np.float64), 0))
    beyond_NK -= beyond_NK[:, :1]
    low_N1, high_N1, wanted = np.full((documents, 1), 1e-4), np.full((documents, 1), 4.0), np.log2(max(2, k))
    for _ in range(_BISECTIONS):
        scale_N1 = (low_N1 + high_N1) / 2
        too_much_N1 = np.exp(-beyond_NK / scale_N1).sum(axis=1, keepdims=True) > wanted
        low_N1, high_N1 = np.where(too_much_N1, low_N1, scale_N1), np.where(too_much_N1, scale_N1, high_N1)
    return np.where(cosines_NK > 0, np.exp(-beyond_NK / scale_N1), 0.0)


def _union(positions_NK: Ints, weights_NK: Weights) -> tuple[Ints, Weights]:
    """Ties, each once: a + b - ab of what the two ends think of each other."""
    from scipy.sparse import coo_array, triu

    documents, k = positions_NK.shape
    rows_NK = np.repeat(np.arange(documents), k)
    one_way = coo_array((weights_NK.ravel(), (rows_NK, positions_NK.ravel())), (documents, documents)).tocsr()
    both = one_way + one_way.T - one_way.multiply(one_way.T)
    ties = triu(both, 1).tocoo()
    there = ties.data > 0
    ends_E2 = np.column_stack([ties.row[there], ties.col[there]]).astype(np.int64)
    return ends_E2, ties.data[there].astype(np.float64)


def sums(places: Ints, weights: Weights, count: int) -> Weights:
    """(`count`,) the sum of the weights at each place."""
    return np.bincount(places, weights, count).astype(np.float64)


def _symmetric(ends_E2: Ints, weights_E: Weights, count: int) -> "csr_array":
    from scipy.sparse import coo_array

    rows, columns = np.concatenate([ends_E2.T, ends_E2.T[::-1]], axis=1)
    return coo_array((np.tile(weights_E, 2), (rows, columns)), (count, count)).tocsr()


def indicator(groups_N: Ints, count: int) -> "csr_array":
    """(N, `count`) with a one where a document is in a group; none for group -1."""
    from scipy.sparse import coo_array

    there = np.flatnonzero(groups_N >= 0)
    ones = np.ones(len(there))
    return coo_array((ones, (there, groups_N[there])), (len(groups_N), count)).tocsr()


def first_neighbour_groups(graph: DocumentGraph) -> Ints:
    """(N,) Groups of documents that are linked by being someone's nearest, about a fifth as many as there are.

    The first step of FINCH (Sarfraz et al. 2019, arXiv:1902.11266): no seed, no parameter, no order of rows. What is
    in one group is treated as one from here on, until `refine` looks at single documents again.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    documents = len(graph)
    nearest = graph.neighbours
    linked = np.flatnonzero(nearest.cosines_NK[:, 0] > 0) if nearest.cosines_NK.shape[1] else np.empty(0, np.int64)
    links = (np.ones(len(linked)), (linked, nearest.positions_NK[linked, 0]))
    _, groups_N = connected_components(coo_array(links, (documents, documents)), directed=False)
    return np.asarray(groups_N, np.int64)


@dataclass(frozen=True)
class Contraction:
    """The graph with each group drawn together to one node.

    A partition of the groups has the same modularity here as in the graph of documents.

    Attributes:
        graph: of documents.
        groups_N: of each document, from 0 on without gaps.
        ends_T2: groups at the two ends of each tie; none of a group with itself.
        slot_E: which of them each tie between documents became; T for those inside of a group.
    """

    graph: DocumentGraph
    groups_N: Ints
    ends_T2: Ints
    slot_E: Ints

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def sizes(self) -> Ints:
        """(G,) documents in each group."""
        return np.bincount(self.groups_N).astype(np.int64)

    def weigh(self, weights_E: Weights) -> tuple[Weights, Weights]:
        """Weights (T,) of the ties and strengths (G,) of the groups, for these weights of the documents' ties."""
        ends_E2 = self.groups_N[self.graph.ends_E2]
        strengths_G = sums(ends_E2.ravel(), np.repeat(weights_E, 2), len(self))
        return sums(self.slot_E, weights_E, len(self.ends_T2) + 1)[:-1], strengths_G


def contract(graph: DocumentGraph, groups_N: Ints) -> Contraction:
    """Draw each group of documents together."""
    groups_N = np.unique(groups_N, return_inverse=True)[1].astype(np.int64)
    count = int(groups_N.max()) + 1
    ends_E2 = np.sort(groups_N[graph.ends_E2], axis=1)
    inside_E = ends_E2[:, 0] == ends_E2[:, 1]
    keys, slot = np.unique(ends_E2[~inside_E] @ np.array([count, 1]), return_inverse=True)
    slot_E = np.full(len(ends_E2), len(keys))
    slot_E[~inside_E] = slot
    return Contraction(graph, groups_N, np.column_stack([keys // count, keys % count]), slot_E)
