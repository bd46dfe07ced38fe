"""Running text, cut into windows of one length a batch: what language modelling draws from.

Batches are windows of documents or single sentences of one length, each in its frame and alone in its
sequence, so that the model also knows what stands alone: a document begins with a title, and of nothing but documents
it would learn to take every short text for one.

Legend for shapes:
    B  sequences of a batch     L  tokens of a sequence
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tolman.models.learning_transformer import Frame
from tolman.tokenization import TokenSequences

USUALLY_ALONE = 0.25
"""Share of the batches that are of single sentences."""
_SHORTEST = 2  # tokens: of one there is nothing to guess from
_LENGTHS = (8, 12, 16, 20, 24, 32)
"""Of sentences that stand alone, the frame included: few, for each makes the processor's library prepare, and keep,
programs of its own."""


@dataclass(frozen=True)
class Windows:
    """Windows begin anywhere, also in the middle of a document or a sentence.

    Attributes:
        stream: token ids of all documents.
        batch, length: of what is drawn from it, before windows are cut.
        vocabulary: V.
        alone: sentences in their frames, each of one of a few lengths; None where there are none.
        share: of the batches that are of single sentences.
        cuts: into how many parts a window may be cut, each as often: a batch of more and shorter windows.
    """

    stream: NDArray[np.int32]
    batch: int
    length: int
    vocabulary: int
    alone: TokenSequences | None = None
    share: float = USUALLY_ALONE
    cuts: Sequence[int] = (1,)

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
        share: float = USUALLY_ALONE,
        cuts: Sequence[int] = (1,),
    ) -> "Windows":
        """From documents, each with its frame, and from those sentences that have one of a few lengths."""
        alone = frame.put(sentences) if sentences is not None else None
        if alone is not None:
            fitting = np.flatnonzero(np.isin(alone.lengths, _LENGTHS))
            alone = alone.only(fitting[np.argsort(alone.lengths[fitting], kind="stable")])
        return cls(frame.put(documents).ids, batch, length, vocabulary, alone if alone else None, share, cuts)

    @property
    def possible(self) -> bool:
        """Whether there is a window's worth of text."""
        return len(self.stream) >= self.length

    def draw(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Sequences (B, L): windows that begin at random places, or sentences of one length, of as many tokens."""
        if self.alone is not None and generator.random() < self.share:
            return self._sentences(self.alone, generator)
        cut = int(generator.choice(self.cuts))
        length = max(_SHORTEST, self.length // cut)
        starts = generator.integers(0, len(self.stream) - length + 1, self.batch * cut)
        windows_BL: NDArray[np.int64] = self.stream[starts[:, None] + np.arange(length)].astype(np.int64)
        return windows_BL

    def _sentences(self, alone: TokenSequences, generator: np.random.Generator) -> NDArray[np.int64]:
        """A length is drawn as often as there are tokens in sentences of it."""
        length = int(alone.lengths[np.searchsorted(self._tokens, generator.random() * self._tokens[-1])])
        first, last = np.searchsorted(alone.lengths, [length, length + 1])
        rows = generator.integers(first, last, max(1, self.batch * self.length // length))
        sentences_BL: NDArray[np.int64] = alone.ids[alone.offsets[rows][:, None] + np.arange(length)].astype(np.int64)
        return sentences_BL

    @cached_property
    def _tokens(self) -> NDArray[np.int64]:
        """In the sentences up to each."""
        assert self.alone is not None
        return np.cumsum(self.alone.lengths)
