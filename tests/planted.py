"""Vectors around planted centres, and texts that say which: topics with a known answer."""

import numpy as np
from numpy.typing import NDArray

from tolman.models.encoder import Floats
from tolman.topics.finding import Material

WORDS = ("parcel courier late", "refund money card", "lamp broken socket", "garden hose leak", "violin string bow")
WORDS += ("harbour ship storm", "glacier ice melt", "engine oil smoke")


def planted(sizes: list[int], *, spread: float = 0.6, dim: int = 48, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Unit vectors (N, D) around as many random centres as there are sizes, and the centre of each."""
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((len(sizes), dim)) / np.sqrt(dim)
    classes = np.repeat(np.arange(len(sizes)), sizes)
    noise = np.random.default_rng(seed).standard_normal((len(classes), dim)) / np.sqrt(dim)
    vectors = centres[classes] + spread * noise
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), classes


def planted_material(sizes: list[int], **options: float) -> tuple[Material, NDArray[np.int64]]:
    """The same with ids and texts: words of the class, and some that all share."""
    vectors, classes = planted(sizes, **options)  # type: ignore[arg-type]
    texts = [f"the {WORDS[c % len(WORDS)]} and number {i % 10}" for i, c in enumerate(classes)]
    return Material([f"d{i}" for i in range(len(texts))], texts, vectors), classes
