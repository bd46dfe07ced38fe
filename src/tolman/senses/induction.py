"""Which occurrences of a word mean the same, and how many senses there are: no labels, no number given.

Each occurrence is joined to its nearest others, and the graph is cut where modularity at a low resolution is highest
(Leiden: Traag et al. 2019, arXiv:1810.08473; resolution: Reichardt and Bornholdt 2006). Parts may be of any size, where
k-means would cut the most frequent sense in two. Where a cut falls depends on who was drawn and on the resolution; so
several draws are cut at several resolutions, each cut is carried on to all occurrences by their neighbours, and the one
that the others agree with most is taken. Nearly every graph of neighbours is a little better cut somewhere than left
whole, a cloud without clusters too; where little is gained on average, the word has one sense. One rule for every word.

Legend for shapes:
    N  occurrences     F  those of one draw     D  dimensions     K  neighbours     S  senses
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tolman.errors import MissingExtra
from tolman.models.encoder import Floats
from tolman.neighbours import Ints, Neighbours, nearest_among, nearest_neighbours

RESOLUTIONS = (0.24, 0.27, 0.3)
"""Of modularity, where 1 is the usual: senses are few and broad."""
LEAST_GAIN = 0.065
"""Mean modularity beyond that of the whole in one part, from which on there is more than one sense."""
NEIGHBOURS = 25
DRAWN = 1_200
"""Most occurrences of a draw: among more of them the same number of neighbours would hold together less."""
_DRAWS = 5
_DRAWN_SHARE = 0.8  # of few occurrences
_FEWEST_NEIGHBOURS = 5
_STARTS = 2  # of Leiden, of which the better counts
_SMALLEST_SHARE = 0.02  # of a sense
_SMALLEST_SENSE = 5  # occurrences


@dataclass(frozen=True, slots=True)
class Partition:
    """Occurrences by sense.

    Attributes:
        sense_N: of each, counted from 0, the largest first.
        confidence_N: how sure that is: the mean share of its neighbours, over all draws, that are in its sense.
    """

    sense_N: Ints
    confidence_N: Floats


@dataclass(frozen=True, slots=True)
class _Cut:
    """One draw cut at one resolution, and carried on to all.

    Attributes:
        gain: modularity beyond that of one part.
        sense_N: of every occurrence.
    """

    gain: float
    sense_N: Ints


def partition(vectors_ND: Floats) -> Partition:
    """Find the senses of occurrences.

    Args:
        vectors_ND: unit vectors, in an order that doesn't depend on how documents lie in the space.

    Raises:
        MissingExtra: igraph isn't installed.
    """
    occurrences = len(vectors_ND)
    size = min(DRAWN, max(1, round(_DRAWN_SHARE * occurrences)))
    draws = [np.sort(np.random.default_rng(i).permutation(occurrences)[:size]) for i in range(_DRAWS)]
    near = [_nearest_drawn(vectors_ND, drawn_F) for drawn_F in draws]
    cuts = [cut for drawn_F, each in zip(draws, near, strict=True) for cut in _cuts(vectors_ND, drawn_F, each)]
    if np.mean([cut.gain for cut in cuts]) < LEAST_GAIN:
        return Partition(np.zeros(occurrences, np.int64), np.ones(occurrences, np.float32))
    sense_N = _large_first(_most_agreed([cut.sense_N for cut in cuts]))
    votes_NS = np.mean([_votes(each, sense_N) for each in near], axis=0)
    return _by_votes(votes_NS)


def _igraph() -> Any:
    try:
        import igraph
    except ImportError as error:
        raise MissingExtra("telling senses apart", extra="topics") from error
    return igraph


def _neighbours_of(occurrences: int) -> int:
    """Fewer where occurrences are few: a sense must have room for its own."""
    return max(_FEWEST_NEIGHBOURS, min(NEIGHBOURS, occurrences // 12))


def _cuts(vectors_ND: Floats, drawn_F: Ints, near: Neighbours) -> list[_Cut]:
    """A draw cut at every resolution."""
    graph, weights = _graph(nearest_neighbours(vectors_ND[drawn_F], _neighbours_of(len(drawn_F))))
    before = random.getstate()  # igraph draws from Python's generator; whoever else does shall not notice
    cuts = []
    for resolution in RESOLUTIONS:
        best, part_F = -np.inf, np.zeros(len(drawn_F), np.int64)
        for start in range(_STARTS):
            random.seed(start)
            found = graph.community_leiden("modularity", weights=weights, resolution=resolution, n_iterations=-1)
            quality = graph.modularity(found.membership, weights=weights, resolution=resolution)
            if quality > best + 1e-9:  # else the first of equals, whatever the last digits
                best, part_F = quality, np.array(found.membership, np.int64)
        sense_N = np.full(len(vectors_ND), -1, np.int64)
        sense_N[drawn_F] = part_F
        cuts.append(_Cut(best - (1 - resolution), _votes(near, sense_N).argmax(axis=1)))
    random.setstate(before)
    return cuts


def _graph(near: Neighbours) -> tuple[Any, list[float]]:
    """Everyone joined to its neighbours, by their cosine."""
    one = np.repeat(np.arange(len(near)), near.positions_NK.shape[1])
    other, weight = near.positions_NK.ravel(), np.maximum(near.cosines_NK.ravel(), 1e-3)
    ends, first = np.unique(np.sort(np.stack([one, other], axis=1), axis=1), axis=0, return_index=True)
    return _igraph().Graph(n=len(near), edges=ends.tolist()), weight[first].tolist()


def _nearest_drawn(vectors_ND: Floats, drawn_F: Ints) -> Neighbours:
    """The nearest of a draw to each occurrence; one that was drawn itself is not its own, but with a cosine of 0."""
    near = nearest_among(vectors_ND[drawn_F], vectors_ND, _neighbours_of(len(drawn_F)) + 1)
    positions_NK = drawn_F[near.positions_NK]
    itself_NK = positions_NK == np.arange(len(vectors_ND))[:, None]
    return Neighbours(positions_NK, np.where(itself_NK, 0, np.maximum(near.cosines_NK, 1e-3)).astype(np.float32))


def _votes(near: Neighbours, sense_N: Ints) -> Floats:
    """The share (N, S) of each occurrence's neighbours that is in each sense, nearer ones counting more."""
    sense_NK = sense_N[near.positions_NK]
    by_sense = [(near.cosines_NK * (sense_NK == s)).sum(axis=1) for s in range(int(sense_N.max()) + 1)]
    votes_NS = np.stack(by_sense, axis=1)
    shares_NS: Floats = votes_NS / np.maximum(votes_NS.sum(axis=1, keepdims=True), 1e-12)
    return shares_NS


def _most_agreed(cuts: Sequence[Ints]) -> Ints:
    """The one that agrees most with all the others, by the adjusted Rand index."""
    agreement = np.array([[_rand(one, other) for other in cuts] for one in cuts])
    return cuts[int(agreement.mean(axis=1).round(6).argmax())]


def _rand(one_N: Ints, other_N: Ints) -> float:
    """Adjusted Rand index (Hubert and Arabie 1985) of two partitions."""
    counts = np.zeros((int(one_N.max()) + 1, int(other_N.max()) + 1))
    np.add.at(counts, (one_N, other_N), 1)
    pairs, rows, columns = (float((c * (c - 1)).sum()) for c in (counts, counts.sum(axis=1), counts.sum(axis=0)))
    chance = rows * columns / max(len(one_N) * (len(one_N) - 1), 1)
    most = (rows + columns) / 2
    return 1.0 if most == chance else (pairs - chance) / (most - chance)


def _large_first(sense_N: Ints) -> Ints:
    """Senses by size, from 0; -1 for occurrences of those too small to be one."""
    sizes = np.bincount(sense_N)
    fewest = max(_SMALLEST_SENSE, _SMALLEST_SHARE * len(sense_N))
    order = np.argsort(-sizes, kind="stable")
    place = np.full(len(sizes), -1, np.int64)
    kept = [sense for sense in order if sizes[sense] >= fewest] or [order[0]]
    place[kept] = np.arange(len(kept))
    return place[sense_N]


def _by_votes(votes_NS: Floats) -> Partition:
    """Everyone where most of its neighbours are; the largest sense first."""
    sense_N = votes_NS.argmax(axis=1)
    order = np.argsort(-np.bincount(sense_N, minlength=votes_NS.shape[1]), kind="stable")
    held = order[: len(np.unique(sense_N))]
    place = np.full(votes_NS.shape[1], -1, np.int64)
    place[held] = np.arange(len(held))
    return Partition(place[sense_N], votes_NS.max(axis=1).astype(np.float32))
