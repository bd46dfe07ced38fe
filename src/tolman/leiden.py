"""Leiden (Traag et al. 2019, arXiv:1810.08473), by igraph: parts of a graph that hang together.

Maximises modularity with a resolution (Reichardt and Bornholdt 2006): the higher, the more parts. Given as igraph's
constant Potts model, with the strengths of nodes as their masses, it is the same, and takes nodes that stand for many.

Legend for shapes:
    G  nodes, T ties between them
"""

import random
from threading import Lock
from typing import Any

import numpy as np

from tolman.errors import MissingExtra
from tolman.neighbours import Ints, Weights

_SWEEPS = 2
_LEAST_MASS = 1e-12
_DRAWING = Lock()  # igraph draws from one generator, whoever calls it


def igraph() -> Any:
    """The module igraph.

    Raises:
        MissingExtra: it isn't installed.
    """
    try:
        import igraph as module
    except ImportError as error:
        raise MissingExtra("finding topics and senses", extra="topics") from error
    return module


class Leiden:
    """Runs over one graph, whose weights may differ from run to run."""

    def __init__(self, nodes: int, ends_T2: Ints) -> None:
        self._graph = igraph().Graph(n=nodes, edges=ends_T2)

    def __call__(
        self,
        weights_T: Weights,
        masses_G: Weights,
        penalty: float,
        seed: int,
        *,
        sweeps: int = _SWEEPS,
        start_G: Ints | None = None,
    ) -> Ints:
        """(G,) parts, from 0 on: ties inside are worth their weight, and every pair costs penalty x both masses.

        Args:
            weights_T: of the ties.
            masses_G: of the nodes.
            penalty: the higher, the more parts.
            seed: of the order in which nodes are looked at.
            sweeps: how often; -1: until nothing is gained.
            start_G: parts to begin with; None: each node alone.
        """
        # As lists, which igraph reads three times as fast as arrays.
        weights, masses = np.asarray(weights_T, np.float64).tolist(), np.asarray(masses_G, np.float64).tolist()
        with _DRAWING:
            # Of Python's common generator other threads would draw, too, and change what is found.
            igraph().set_random_number_generator(random.Random(seed))
            try:
                found = self._graph.community_leiden(
                    "CPM",
                    weights=weights,
                    node_weights=masses,
                    resolution=penalty,
                    n_iterations=sweeps,
                    initial_membership=start_G,
                )
            finally:
                igraph().set_random_number_generator(random)  # its usual one
        return np.asarray(found.membership, np.int64)

    def at(
        self,
        resolution: float,
        weights_T: Weights,
        strengths_G: Weights,
        seed: int,
        *,
        sweeps: int = _SWEEPS,
        start_G: Ints | None = None,
    ) -> Ints:
        """(G,) parts of the highest modularity at this resolution; `strengths_G` are the sums of the nodes' ties."""
        penalty = resolution / max(float(strengths_G.sum()), _LEAST_MASS)
        return self(weights_T, strengths_G, penalty, seed, sweeps=sweeps, start_G=start_G)


def modularity(
    ends_T2: Ints, weights_T: Weights, strengths_G: Weights, parts_G: Ints, resolution: float = 1.0
) -> float:
    """Share of the ties inside parts, less `resolution` times what it would be if ties were drawn by their ends."""
    across_T = parts_G[ends_T2[:, 0]] != parts_G[ends_T2[:, 1]]
    total = max(float(strengths_G.sum()), _LEAST_MASS)
    by_chance = float((np.bincount(parts_G, strengths_G) ** 2).sum()) / total**2
    return 1 - 2 * float(weights_T[across_T].sum()) / total - resolution * by_chance
