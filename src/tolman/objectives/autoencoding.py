"""Autoencoding: a text goes through a bottleneck of a few numbers and is written again from them.

The encoder sees all of the text, or what a noise leaves of it (TSDAE, Wang et al. 2021, arXiv:2104.06979: deleted
tokens are to be written nevertheless); the decoder is the same trunk, causal, and begins with the latent vectors as a
prefix. Words that it has written are hidden from it now and then, so that it relies on the latent vectors and not on
its knowledge of the language (Bowman et al. 2016, arXiv:1511.06349). We differ from TSDAE in the prefix, where it has
cross-attention and a decoder of its own.

Legend for shapes:
    N  texts of a batch
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tolman.models.learning_transformer import LearningTransformer
from tolman.tokenization import TokenSequences

_LENGTHS = 4  # of the texts of a batch


@dataclass(frozen=True)
class Autoencoding:
    """Write texts again.

    Attributes:
        texts: sentences, tokenised.
        tokens: of a batch, about.
        noise: share of the tokens that the encoder doesn't see.
        hidden: share of the written tokens that the decoder doesn't see.
    """

    texts: TokenSequences
    tokens: int
    noise: float = 0.0
    hidden: float = 0.3

    name = "autoencoding"

    @property
    def possible(self) -> bool:
        """Whether there is a text."""
        return len(self.texts) > 0

    def loss(self, model: LearningTransformer, generator: np.random.Generator) -> Tensor:
        """Mean cross entropy of every written token, the end included, in nats."""
        texts = self.texts.only(self._rows(generator))
        seen = texts.without(self.noise, generator) if self.noise else texts
        return model.reconstruction_loss(seen, texts, self.hidden, generator)

    def _rows(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Of a few lengths only, each drawn as often as there are texts of it: attention then runs over few groups."""
        by_length, lengths = self._by_length
        rows = []
        for _ in range(_LENGTHS):
            length = lengths[generator.integers(len(lengths))]
            first, last = np.searchsorted(lengths, [length, length + 1])
            count = max(1, round(self.tokens / _LENGTHS / length))
            rows.append(by_length[generator.integers(first, last, count)])
        return np.concatenate(rows)

    @cached_property
    def _by_length(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of the texts, the shortest first, and their lengths."""
        order = np.argsort(self.texts.lengths, kind="stable")
        return order, self.texts.lengths[order]
