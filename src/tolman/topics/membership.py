"""How much a document belongs to each topic, and whether to any: probabilities that mean what they say.

Two things are known of a document: the topics of its nearest others, and where it is in the whole space (linear
discriminants). How much each counts is fitted on the documents themselves, whose own topic is left out of what their
neighbours and discriminants say. So the probability of a topic is how often documents of which that much is known turn
out to be in it.

A document that is much farther from its nearest than documents of this space are belongs nowhere: beyond the fence of
Tukey 1977, one and a half quartile ranges over the upper quartile, and farther than 99 % of the documents.

Legend for shapes:
    N  documents of the space, Q documents to place
    K  neighbours of each
    P  topics
    D  dimensions
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tolman.models.encoder import Floats
from tolman.neighbours import Ints, Neighbours, nearest_among
from tolman.topics.division import NOWHERE
from tolman.topics.graph import DocumentGraph, Weights, centred, closeness, sums
from tolman.topics.partition import discriminants

_FOLDS = 4
_FITTED_ON = 8_000  # documents
_UNHEARD = 1e-3  # of all votes: what a topic has that no neighbour is in
_FENCE, _WITHIN = 1.5, 0.99  # quartile ranges; share of documents
_BLOCK = 4_096


@dataclass(frozen=True)
class Placing:
    """What is fitted to a space to place documents in it; see `fit_placing`.

    Attributes:
        center_D: of the space when topics were found.
        weight_votes, weight_place: of the two things known.
        fence: mean distance (1 - cosine) from the nearest beyond which a document belongs nowhere.
        neighbours: K.
    """

    center_D: Floats
    weight_votes: float
    weight_place: float
    fence: float
    neighbours: int

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {"center_D": [float(value) for value in self.center_D]}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Placing":
        """Inverse of `to_json`; KeyError, TypeError or ValueError for anything else."""
        numbers = {each.name: stored[each.name] for each in fields(cls)}
        center_D = np.asarray(numbers.pop("center_D"), np.float32)
        if center_D.ndim != 1 or not all(isinstance(value, int | float) for value in numbers.values()):
            raise ValueError("placing holds something other than numbers")
        return cls(center_D, **numbers)


class Membership:
    """Gives each vector its topic."""

    def __init__(self, placing: Placing, moved_ND: Floats, parts_N: Ints) -> None:
        """From documents whose topics are known.

        Args:
            placing: fitted to them, or to most of them.
            moved_ND: their centred vectors.
            parts_N: their topics, from 0 on; NOWHERE: none.
        """
        known = parts_N >= 0
        self._placing, self._moved_ND, self._parts_N = placing, moved_ND[known], parts_N[known]
        self._discriminants = discriminants(self._moved_ND, self._parts_N)

    def place(self, vectors_QD: Floats) -> tuple["Places", Neighbours]:
        """Where further documents belong, by their unit vectors; and their nearest among those that are in a topic."""
        moved_QD = centred(vectors_QD, self._placing.center_D)
        near = nearest_among(self._moved_ND, moved_QD, self._placing.neighbours)
        return self.judge(moved_QD, near, self._parts_N), near

    def judge(self, moved_ND: Floats, near: Neighbours, parts_N: Ints, own_N: Ints | None = None) -> "Places":
        """The same for centred vectors whose neighbours, and these neighbours' topics, are known.

        Args:
            moved_ND: centred vectors.
            near: their neighbours.
            parts_N: topics of what `near` points at.
            own_N: topics that the vectors are in; NOWHERE: in none, for they have nothing in common with any. None: not
                known yet, the likeliest counts.
        """
        topic_N = np.full(len(moved_ND), NOWHERE) if own_N is None else own_N.copy()
        own_probability_N, next_N = np.zeros(len(moved_ND)), np.zeros(len(moved_ND))
        for rows, probability_NP in self._probabilities(moved_ND, near, parts_N):
            topic_N[rows] = np.where(topic_N[rows] >= 0, topic_N[rows], probability_NP.argmax(axis=1))
            own = np.arange(len(probability_NP)), topic_N[rows]
            own_probability_N[rows] = probability_NP[own]
            probability_NP[own] = 0
            next_N[rows] = probability_NP.max(axis=1)
        distance_N = distance(near)
        tied_N = np.any(moved_ND, axis=1) & (True if own_N is None else own_N >= 0)
        outside_N = (distance_N > self._placing.fence) | ~tied_N
        return Places(topic_N, own_probability_N, own_probability_N - next_N, outside_N)

    def _probabilities(self, moved_ND: Floats, near: Neighbours, parts_N: Ints) -> Iterator[tuple[slice, Weights]]:
        for start in range(0, len(moved_ND), _BLOCK):
            rows = slice(start, min(start + _BLOCK, len(moved_ND)))
            voted_NP = votes(near.of(np.arange(rows.start, rows.stop)), parts_N, len(self._discriminants.bias_P))
            placed_NP = self._discriminants(moved_ND[rows])
            yield rows, _softmax(_scores(voted_NP, placed_NP, self._placing.weight_votes, self._placing.weight_place))


@dataclass(frozen=True)
class Places:
    """What is known of where some documents belong.

    Attributes:
        topic_N: the one each is in, or the likeliest.
        probability_N: of it.
        margin_N: over the likeliest other; below zero where that is likelier.
        outside_N: too far from all to belong anywhere.
    """

    topic_N: Ints
    probability_N: Weights
    margin_N: Weights
    outside_N: NDArray[np.bool_]

    def take(self, rows: Ints) -> "Places":
        """Of these documents, in this order."""
        return Places(*(getattr(self, each.name)[rows] for each in fields(self)))


def distance(near: Neighbours) -> Weights:
    """(N,) mean of 1 - cosine over the neighbours."""
    return 1 - near.cosines_NK.mean(axis=1, dtype=np.float64) if near.cosines_NK.shape[1] else np.ones(len(near))


def votes(near: Neighbours, parts_N: Ints, count: int) -> Weights:
    """(N, P) share of each document's neighbours, by closeness, in each topic."""
    rows = len(near)
    weights_NK = closeness(near.cosines_NK)
    parts_NK = parts_N[near.positions_NK]
    heard = parts_NK >= 0
    cells = (np.arange(rows)[:, None] * count + parts_NK)[heard]
    voted_NP = sums(cells, weights_NK[heard], rows * count).reshape(rows, count)
    shares_NP: Weights = voted_NP / np.maximum(voted_NP.sum(axis=1, keepdims=True), 1e-12)
    return shares_NP


def fit_placing(graph: DocumentGraph, parts_N: Ints) -> Placing:
    """Fit it on the documents in which topics were found (NOWHERE: in none)."""
    known = np.flatnonzero(parts_N >= 0)
    chosen = known[:: max(1, len(known) // _FITTED_ON)]
    near = graph.neighbours.of(chosen)
    voted = votes(near, parts_N, int(parts_N.max()) + 1)
    placed = _placed_by_others(graph.vectors_ND, parts_N, known)[np.searchsorted(known, chosen)]
    weight_votes, weight_place = _fit_weights(voted, placed, parts_N[chosen])
    low, high, most = np.quantile(distance(near), [0.25, 0.75, _WITHIN])
    fence = float(max(high + _FENCE * (high - low), most))
    return Placing(graph.center_D, weight_votes, weight_place, fence, graph.neighbours.positions_NK.shape[1])


def _placed_by_others(vectors_ND: Floats, parts_N: Ints, known: Ints) -> Floats:
    """Log probabilities of the known documents' topics, each by discriminants fitted without it."""
    count = int(parts_N.max()) + 1
    placed = np.zeros((len(known), count), np.float32)
    for fold in range(_FOLDS):
        held = np.arange(len(known)) % _FOLDS == fold
        rest = known[~held]
        fitted = discriminants(vectors_ND[rest], parts_N[rest], count)
        placed[held] = fitted(vectors_ND[known[held]])
    return placed


def _fit_weights(voted_NP: Weights, placed_NP: Floats, parts_N: Ints) -> tuple[float, float]:
    """The weights under which the documents' own topics are likeliest; neither below zero."""
    from scipy.optimize import minimize

    own = np.arange(len(parts_N))

    def surprise(weights: Weights) -> float:
        probability_NP = _softmax(_scores(voted_NP, placed_NP, *weights))
        return float(-np.log(probability_NP[own, parts_N] + 1e-12).mean())

    found = minimize(
        surprise, [1.0, 0.1], method="Nelder-Mead", bounds=[(0, 20), (0, 20)], options={"xatol": 0.01, "fatol": 1e-4}
    )
    return float(found.x[0]), float(found.x[1])


def _scores(voted_NP: Weights, placed_NP: Floats, weight_votes: float, weight_place: float) -> Weights:
    return weight_votes * np.log(voted_NP + _UNHEARD) + weight_place * placed_NP


def _softmax(scores_NP: Weights) -> Weights:
    powers_NP = np.exp(scores_NP - scores_NP.max(axis=1, keepdims=True))
    shares_NP: Weights = powers_NP / powers_NP.sum(axis=1, keepdims=True)
    return shares_NP
