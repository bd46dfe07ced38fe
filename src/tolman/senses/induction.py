"""Which occurrences of a word mean the same, and how many senses there are: no labels, no number given.

Each occurrence is joined to its nearest others, and the graph is cut where modularity at a low resolution is highest
(Leiden: Traag et al. 2019, arXiv:1810.08473; resolution: Reichardt and Bornholdt 2006). Parts may be of any size, where
k-means would cut the most frequent sense in two. Nearly every graph of neighbours is a little better cut somewhere than
left whole, a cloud without clusters too; where little is gained the word has one sense. One rule for every word. Of a
frequent word a sample is cut; the others go with their neighbours in it.

Legend for shapes:
    N  occurrences     F  those that are cut     D  dimensions     K  neighbours     S  senses
"""

import random
from dataclasses import dataclass

import igraph
import numpy as np
from numpy.typing import NDArray

from tolman.models.encoder import Floats
from tolman.neighbours import Neighbours, nearest_among, nearest_neighbours

Ints = NDArray[np.int64]

RESOLUTION = 0.25
"""Of modularity, where 1 is the usual: senses are few and broad."""
LEAST_GAIN = 0.055
"""Modularity beyond that of the whole in one part, from which on there is more than one sense."""
NEIGHBOURS = 25
CUT_TOGETHER = 1_200
"""Occurrences that are cut; with more the same number of neighbours would hold together less."""
_FEWEST_NEIGHBOURS = 5
_STARTS = 5  # of Leiden, of which the best counts
_SMALLEST_SHARE = 0.02  # of a sense
_SMALLEST_SENSE = 5  # occurrences


@dataclass(frozen=True, slots=True)
class Partition:
    """Occurrences by sense.

    Attributes:
        sense_N: of each, counted from 0, the largest first.
        confidence_N: how sure that is: the share of its neighbours that are in its sense, less where they are few.
    """

    sense_N: Ints
    confidence_N: Floats


def partition(vectors_ND: Floats) -> Partition:
    """Find the senses of occurrences.

    Args:
        vectors_ND: unit vectors, in an order that doesn't depend on how documents lie in the space.
    """
    occurrences = len(vectors_ND)
    cut_F = np.sort(np.random.default_rng(0).permutation(occurrences)[:CUT_TOGETHER])
    part_F = _large_first(_cut(vectors_ND[cut_F]))
    votes_NS = _votes(vectors_ND, cut_F, part_F)
    sense_N = votes_NS.argmax(axis=1)
    share_N = votes_NS[np.arange(occurrences), sense_N]
    order = np.argsort(-np.bincount(sense_N, minlength=votes_NS.shape[1]), kind="stable")
    return Partition(np.argsort(order)[sense_N].astype(np.int64), share_N.astype(np.float32))


def _neighbours_of(occurrences: int) -> int:
    """Fewer where occurrences are few: a sense must have room for its own."""
    return max(_FEWEST_NEIGHBOURS, min(NEIGHBOURS, occurrences // 12))


def _cut(vectors_FD: Floats) -> Ints:
    """The part (F,) of each in the best of several cuts, by modularity; one part where little is gained by it."""
    graph, weights = _graph(nearest_neighbours(vectors_FD, _neighbours_of(len(vectors_FD))))
    parts, best = np.zeros(len(vectors_FD), np.int64), 1 - RESOLUTION + LEAST_GAIN  # 1 - RESOLUTION: of one part
    for start in range(_STARTS):
        igraph.set_random_number_generator(random.Random(start))
        found = graph.community_leiden(
            objective_function="modularity", weights=weights, resolution=RESOLUTION, n_iterations=-1
        ).membership
        quality = graph.modularity(found, weights=weights, resolution=RESOLUTION)
        if quality > best + 1e-9:  # else the first of equals, whatever the last digits
            best, parts = quality, np.array(found, np.int64)
    igraph.set_random_number_generator(random)
    return parts


def _graph(near: Neighbours) -> "tuple[igraph.Graph, list[float]]":
    """Everyone joined to its neighbours, by their cosine."""
    one = np.repeat(np.arange(len(near)), near.positions_NK.shape[1])
    other, weight = near.positions_NK.ravel(), np.maximum(near.cosines_NK.ravel(), 1e-3)
    ends, first = np.unique(np.sort(np.stack([one, other], axis=1), axis=1), axis=0, return_index=True)
    return igraph.Graph(n=len(near), edges=ends.tolist()), weight[first].tolist()


def _large_first(part_F: Ints) -> Ints:
    """Parts by size, from 0; -1 for those of a part too small to be a sense."""
    parts, sizes = np.unique(part_F, return_counts=True)
    fewest = max(_SMALLEST_SENSE, _SMALLEST_SHARE * len(part_F))
    kept = [part for part in parts[np.argsort(-sizes, kind="stable")] if sizes[parts == part][0] >= fewest]
    place = {part: i for i, part in enumerate(kept)} or {int(parts[sizes.argmax()]): 0}
    return np.array([place.get(part, -1) for part in part_F.tolist()], np.int64)


def _votes(vectors_ND: Floats, cut_F: Ints, part_F: Ints) -> Floats:
    """The share (N, S) of each occurrence's nearest others that belongs to each sense, nearer ones counting more."""
    senses, known = int(part_F.max()) + 1, part_F >= 0
    cut_F, part_F = cut_F[known], part_F[known]
    near = nearest_among(vectors_ND[cut_F], vectors_ND, _neighbours_of(len(cut_F)) + 1)
    other_NK = cut_F[near.positions_NK] != np.arange(len(vectors_ND))[:, None]
    weight_NK = np.where(other_NK, np.maximum(near.cosines_NK, 1e-3), 0.0)
    votes_NS = np.stack([(weight_NK * (part_F[near.positions_NK] == s)).sum(axis=1) for s in range(senses)], axis=1)
    return (votes_NS / np.maximum(weight_NK.sum(axis=1, keepdims=True), 1e-12)).astype(np.float32)
