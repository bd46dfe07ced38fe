"""Dividing the documents: many runs of Leiden, what they agree on, and a second look at single documents.

One run depends on its seed. So the partition that is kept is the one nearest to many runs: it minimises Binder's loss
(Wade and Ghahramani 2018, arXiv:1505.03339), the number of pairs of documents that are together in one and apart in the
other.

Legend for shapes:
    N  documents
    G  groups of documents, T ties between them
    R  runs
    B  blocks: groups that all runs left together
    P  parts
    D  dimensions
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tolman.leiden import Leiden
from tolman.metrics import adjusted_rand_index
from tolman.models.encoder import Floats
from tolman.neighbours import Ints, Weights
from tolman.topics.graph import Contraction, DocumentGraph, indicator, sums

_TOGETHER = 0.5  # runs that have two documents together, over all, from which on they should be
_LEAST_AGREEMENT = 0.02  # pairs below it are taken for never together: the loss changes by a hair, the work by much
_RESTARTS = 8  # the loss has many valleys
_SHRINKAGE = 0.3
_VOTES = 20
_LOOKS = 2  # with discriminants; more would hang more on the first
_UNHEARD = 0.02  # of a document's ties: what a part has that none leads to
_MOST_INSIDE = 0.99
_LEAST_STRENGTH = 1e-12


def consensus(contraction: Contraction, resolution: float, runs: int, rng: np.random.Generator) -> Ints:
    """(N,) The partition nearest to `runs` runs of Leiden, from 0 on without gaps."""
    run = Leiden(len(contraction), contraction.ends_T2)
    weighed = contraction.weigh(contraction.graph.weights_E)
    parts_GR = np.column_stack([run.at(resolution, *weighed, int(seed)) for seed in rng.integers(1 << 30, size=runs)])
    blocks, block_G = np.unique(parts_GR, axis=0, return_inverse=True)
    sizes_B = sums(block_G.ravel(), contraction.sizes.astype(np.float64), len(blocks))
    return _median(blocks, sizes_B)[block_G.ravel()][contraction.groups_N]


def _median(parts_BR: Ints, sizes_B: Weights) -> Ints:
    """(B,) The partition with the least Binder loss to the runs. Blocks count as many documents as they have."""
    from scipy.sparse import hstack, triu

    count, runs = parts_BR.shape
    members = hstack([indicator(parts_B, int(parts_B.max()) + 1) for parts_B in parts_BR.T]).tocsr()
    together = triu(members @ members.T, 1).tocoo()
    often = together.data > _LEAST_AGREEMENT * runs
    first, second, times = together.row[often], together.col[often], together.data[often]
    if not len(first):
        return np.arange(count)
    weights = times / runs * sizes_B[first] * sizes_B[second]
    run = Leiden(count, np.column_stack([first, second]))
    tries = [run(weights, sizes_B, _TOGETHER, seed, sweeps=-1) for seed in range(_RESTARTS)]

    def gain(parts_B: Ints) -> float:
        inside = parts_B[first] == parts_B[second]
        return float(weights[inside].sum()) - _TOGETHER * float((np.bincount(parts_B, sizes_B) ** 2).sum()) / 2

    return max(tries, key=gain)


def refine(
    graph: DocumentGraph, parts_N: Ints, movable_N: NDArray[np.bool_] | None = None, *, renumber: bool = True
) -> Ints:
    """A second look at every document, since groups had been moved as one.

    Each goes where most of its ties are, until nobody moves. From then on linear discriminants, which know where in the
    whole space a part is, have a say, too: the greater, the less ties agree with each other. Where neighbours are of
    one mind nothing tells parts apart as well as they do; where they aren't, as among titles of a few words, what a
    part has in common tells more. docs/decisions/0012 has both kinds.

    Args:
        graph, parts_N, movable_N, renumber: see `settle`.
    """
    parts_N, count = settle(graph, parts_N, movable_N, renumber=renumber), int(parts_N.max()) + 1
    weight = _worth_of_ties(graph, parts_N)
    for _ in range(_LOOKS):
        placed_NP = discriminants(graph.vectors_ND, parts_N, count)(graph.vectors_ND)
        placed_NP[:, np.bincount(parts_N, minlength=count) == 0] = -np.inf  # nobody is the first of a part
        better_N = (placed_NP + weight * np.log(_shares(graph, parts_N, count) + _UNHEARD)).argmax(axis=1)
        if movable_N is not None:
            better_N = np.where(movable_N, better_N, parts_N)
        if np.array_equal(better_N, parts_N):
            break
        parts_N = better_N
    return _renumbered(parts_N) if renumber else parts_N


def _worth_of_ties(graph: DocumentGraph, parts_N: Ints) -> float:
    """Of the log of what share of its ties a document has to a part, beside log odds of the discriminants.

    Rises with the square of the odds that a tie stays inside its part.
    """
    own_N = _shares(graph, parts_N, int(parts_N.max()) + 1)[np.arange(len(parts_N)), parts_N]
    inside = min(float(own_N[graph.strengths > 0].mean()), _MOST_INSIDE) if np.any(graph.strengths) else _MOST_INSIDE
    return float((inside / (1 - inside)) ** 2 / 4)


def _shares(graph: DocumentGraph, parts_N: Ints, count: int) -> Weights:
    """(N, `count`) share of each document's ties to each part."""
    shares_NP: Weights = graph.votes(parts_N, count)
    shares_NP /= np.maximum(graph.strengths, _LEAST_STRENGTH)[:, None]
    return shares_NP


def settle(
    graph: DocumentGraph, parts_N: Ints, movable_N: NDArray[np.bool_] | None = None, *, renumber: bool = True
) -> Ints:
    """Move documents to the part with most of their ties, all at once, until nobody moves or twenty times.

    Args:
        graph: of documents.
        parts_N: from 0 on.
        movable_N: who may; None: all.
        renumber: so that there are no gaps where a part was left by all.
    """
    parts_N, count = parts_N.copy(), int(parts_N.max()) + 1
    own = np.arange(len(parts_N))
    for _ in range(_VOTES):
        votes_NP = graph.votes(parts_N, count)
        best_N = votes_NP.argmax(axis=1)
        moves_N = votes_NP[own, best_N] > votes_NP[own, parts_N] * (1 + 1e-9)
        if movable_N is not None:
            moves_N &= movable_N
        if not moves_N.any():
            break
        parts_N[moves_N] = best_N[moves_N]
    return _renumbered(parts_N) if renumber else parts_N


def _renumbered(parts_N: Ints) -> Ints:
    """From 0 on, without the parts that nobody is in any more."""
    return np.unique(parts_N, return_inverse=True)[1].astype(np.int64)


class Discriminants:
    """Gaussian parts with one covariance: log of how probable each part is for a vector, up to a constant."""

    def __init__(self, weights_DP: Floats, bias_P: Floats) -> None:
        self.weights_DP, self.bias_P = weights_DP, bias_P

    def __call__(self, vectors_ND: Floats) -> Floats:
        """(N, P)."""
        return vectors_ND @ self.weights_DP + self.bias_P


def discriminants(vectors_ND: Floats, parts_N: Ints, count: int | None = None) -> Discriminants:
    """Fisher's linear discriminants, the covariance shrunk by .3 towards a sphere (Ledoit and Wolf 2004)."""
    count, dim = int(parts_N.max()) + 1 if count is None else count, vectors_ND.shape[1]
    sizes_P = np.bincount(parts_N, minlength=count)
    members = indicator(parts_N, count)
    means_PD = np.asarray(members.T @ vectors_ND) / np.maximum(sizes_P, 1)[:, None]
    spread_ND = vectors_ND - means_PD[parts_N].astype(np.float32)
    covariance_DD = (spread_ND.T @ spread_ND) / len(parts_N)
    sphere = np.trace(covariance_DD) / dim + 1e-9
    covariance_DD = (1 - _SHRINKAGE) * covariance_DD + _SHRINKAGE * sphere * np.eye(dim)
    weights_DP = np.linalg.solve(covariance_DD, means_PD.T)
    bias_P = np.log(np.maximum(sizes_P, 0.5) / len(parts_N)) - 0.5 * (weights_DP.T * means_PD).sum(axis=1)
    return Discriminants(weights_DP.astype(np.float32), bias_P.astype(np.float32))


def mean_agreement(runs: Sequence[Ints], sizes_G: Ints) -> float:
    """Adjusted Rand index of all pairs of runs, in the mean; each group counts as many documents as it has."""
    pairs = [adjusted_rand_index(runs[i], runs[j], sizes_G) for i in range(len(runs)) for j in range(i)]
    return float(np.mean(pairs)) if pairs else 1.0
