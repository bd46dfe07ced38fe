"""Running text, cut into windows of one length: what language modelling draws from.

Legend for shapes:
    B  windows of a batch     L  tokens of a window
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tolman.models.learning_transformer import Frame
from tolman.tokenization import TokenSequences


@dataclass(frozen=True)
class Windows:
    """All documents one after the other; windows begin anywhere, also in the middle of one.

    Attributes:
        stream: token ids of everything.
        batch, length: of what is drawn.
        vocabulary: V.
    """

    stream: NDArray[np.int32]
    batch: int
    length: int
    vocabulary: int

    @classmethod
    def of(cls, documents: TokenSequences, frame: Frame, *, batch: int, length: int, vocabulary: int) -> "Windows":
        """From documents, each with its frame."""
        return cls(frame.put(documents).ids, batch, length, vocabulary)

    @property
    def possible(self) -> bool:
        """Whether there is a window's worth of text."""
        return len(self.stream) >= self.length

    def draw(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Windows (B, L) that begin at random places."""
        starts_B = generator.integers(0, len(self.stream) - self.length + 1, self.batch)
        windows_BL: NDArray[np.int64] = self.stream[starts_B[:, None] + np.arange(self.length)].astype(np.int64)
        return windows_BL
