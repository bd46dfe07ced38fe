"""Leiden (Traag et al. 2019, arXiv:1810.08473), by igraph: parts of a graph whose nodes hang together.

Maximises modularity with a resolution (Reichardt and Bornholdt 2006): the higher, the more parts. Given as igraph's
constant Potts model, with the strengths of nodes as their masses, it is the same, and takes nodes that stand for many.

Legend for shapes:
    G  nodes, T ties between them
"""

import random
from typing import Any

import numpy as np

from tolman.errors import MissingExtra
from tolman.neighbours import Ints
from tolman.topics.graph import Weights

_SWEEPS = 2
_LEAST_MASS = 1e-12


def igraph() -> Any:
    """The module igraph.

    Raises:
        MissingExtra: it isn't installed.
    """
    try:
        import igraph as module
    except ImportError as error:
        raise MissingExtra("finding topics", extra="topics") from error
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
        before = random.getstate()  # igraph draws from Python's generator; whoever else does shall not notice
        random.seed(seed)
        try:
            found = self._graph.community_leiden(
                "CPM",
                weights=weights_T,
                node_weights=masses_G,
                resolution=penalty,
                n_iterations=sweeps,
                initial_membership=start_G,
            )
        finally:
            random.setstate(before)
        return np.asarray(found.membership, np.int64)

    def at(
        self, resolution: float, weights_T: Weights, strengths_G: Weights, seed: int, start_G: Ints | None = None
    ) -> Ints:
        """(G,) parts of the highest modularity at this resolution."""
        penalty = resolution / max(float(strengths_G.sum()), _LEAST_MASS)
        return self(weights_T, strengths_G, penalty, seed, start_G=start_G)
