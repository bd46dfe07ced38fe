"""Vectors in clusters within clusters, for the tests of the map."""

import numpy as np


def clustered(documents: int, *, dim: int = 48, clusters: int = 12, seed: int = 0) -> np.ndarray:
    """(documents, dim) unit vectors around `clusters` centres, each with three of its own around it."""
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(clusters, dim))
    smaller = centres[:, None] + 0.5 * chance.normal(size=(clusters, 3, dim))
    chosen = smaller.reshape(-1, dim)[chance.integers(0, 3 * clusters, documents)]
    vectors = (chosen + 0.4 * chance.normal(size=(documents, dim))).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
