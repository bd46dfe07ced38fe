"""Running text, cut into windows of one length: what language modelling draws from.

Most windows are of documents, one after the other. Some are of single sentences, each in its frame, so that the model
also knows what stands alone: a document begins with a title, and of nothing but documents it would learn to take every
short text for one.

Legend for shapes:
    B  windows of a batch     L  tokens of a window
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tolman.models.learning_transformer import Frame
from tolman.tokenization import TokenSequences

_ALONE = 0.25  # share of the windows that are of single sentences


@dataclass(frozen=True)
class Windows:
    """Windows begin anywhere, also in the middle of a document or a sentence.

    Attributes:
        streams: token ids, each with its share of the windows.
        batch, length: of what is drawn.
        vocabulary: V.
    """

    streams: Sequence[tuple[float, NDArray[np.int32]]]
    batch: int
    length: int
    vocabulary: int

    @classmethod
    def of(
        cls,
        documents: TokenSequences,
        frame: Frame,
        *,
        batch: int,
        length: int,
        vocabulary: int,
        sentences: TokenSequences | None = None,
    ) -> "Windows":
        """From documents, each with its frame, and sentences in any order, each with its own."""
        streams = [(1.0, frame.put(documents).ids)]
        if sentences is not None:
            mixed = sentences.only(np.random.default_rng(0).permutation(len(sentences)))
            streams = [(1 - _ALONE, streams[0][1]), (_ALONE, frame.put(mixed).ids)]
        return cls([(share, ids) for share, ids in streams if len(ids) >= length], batch, length, vocabulary)

    @property
    def possible(self) -> bool:
        """Whether there is a window's worth of text."""
        return len(self.streams) > 0

    def draw(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Windows (B, L) that begin at random places."""
        shares = np.array([share for share, _ in self.streams])
        counts = np.floor(np.cumsum(shares) / shares.sum() * self.batch + 0.5).astype(int)
        parts = [
            ids[generator.integers(0, len(ids) - self.length + 1, count)[:, None] + np.arange(self.length)]
            for (_, ids), count in zip(self.streams, np.diff(counts, prepend=0), strict=True)
        ]
        return np.concatenate(parts).astype(np.int64)
