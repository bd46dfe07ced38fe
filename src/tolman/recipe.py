"""The numbers that a static encoder is learned with: derived from the corpus, varied by the search for a better one."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from tolman.tokenization import vocabulary_size

Size: TypeAlias = Literal["tiny", "small", "base"]
DIMENSIONS: dict[Size, int] = {"tiny": 128, "small": 256, "base": 512}
_EPOCHS = 20  # of a corpus that isn't small
_SHARP, _SOFT = 0.08, 0.2  # temperatures


@dataclass(frozen=True)
class ScratchRecipe:
    """Every number a static encoder is learned with.

    Attributes:
        vocabulary: tokens.
        dim: dimensions; the loss is also taken at a quarter of them.
        batch: pairs.
        steps: at most; a short budget ends earlier.
        rate: peak learning rate.
        temperature: of the contrastive softmax.
        heads_share: share of batches that pair titles (or first sentences) with bodies; the rest pair spans with
            documents.
        query_dropout, document_dropout: share of tokens left out at random.
    """

    vocabulary: int
    dim: int
    batch: int
    steps: int
    rate: float
    temperature: float
    heads_share: float = 0.5
    query_dropout: float = 0.0
    document_dropout: float = 0.6

    @classmethod
    def derive(cls, documents: int, size: Size | None = None) -> "ScratchRecipe":
        """From the number of documents: where the search for a recipe begins.

        Small corpora get fewer dimensions, lower rates and a softer softmax. With a sharp one (temperature .05) and
        whole documents they overfit within two dozen steps.
        """
        small = documents < 3_000
        batch = max(2, min(512 if small else 1024, documents // 2))
        return cls(
            vocabulary=vocabulary_size(documents),
            dim=DIMENSIONS[size or ("small" if small else "base")],
            batch=batch,
            steps=96 if small else max(1, min(400, _EPOCHS * documents // batch)),
            temperature=_SOFT if small else _SHARP,
            rate=float(np.clip(0.01 * np.sqrt(documents / 18_000), 0.002, 0.01)),
        )

    def neighbours(self) -> Iterator["ScratchRecipe"]:
        """Recipes that differ in one number, those first that paid on most corpora.

        What the pairs are is not varied: the judge asks for sentences, and favours who learned from nothing but spans.
        """
        yield replace(self, temperature=_SOFT if self.temperature == _SHARP else _SHARP)
        yield replace(self, steps=3 * self.steps)

    def fingerprint(self, corpus: str, seed: int, seconds: float) -> str:
        """Of everything a training run depends on."""
        parts = json.dumps([asdict(self), corpus, seed, seconds])
        return hashlib.sha256(parts.encode()).hexdigest()
