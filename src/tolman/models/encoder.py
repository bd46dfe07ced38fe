"""What every encoder is: texts in, unit vectors out.

Legend for shapes:
    N  texts
    D  dimensions of the latent space
    T  tokens of one text
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Role: TypeAlias = Literal["document", "query"]
Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TokenStates:
    """One text, token by token.

    Attributes:
        vectors_TD: contextual state of each token, float32.
        spans: (start, end) of each token, in characters of the text.
    """

    vectors_TD: Floats
    spans: tuple[tuple[int, int], ...]


class Encoder(Protocol):
    """Maps texts to unit vectors of one latent space.

    Attributes:
        family: "static", "transformer" or "blended".
        dim: D.
        passage_tokens: the longest text, in this encoder's tokens, that is encoded in one piece; longer documents
            are cut into passages (see `tolman.encoding`).
        fingerprint: sha256 (hex) over everything that determines the vectors: weights, tokenizer, pooling,
            normalisation. Two encoders with one fingerprint make the same space.
    """

    @property
    def family(self) -> str:
        """ "static", "transformer" or "blended"."""
        ...

    @property
    def dim(self) -> int:
        """D."""
        ...

    @property
    def passage_tokens(self) -> int:
        """Longest text encoded in one piece."""
        ...

    @property
    def fingerprint(self) -> str:
        """sha256 of what determines the vectors."""
        ...

    def encode(self, texts: Sequence[str], role: Role = "document") -> Floats:
        """Unit vectors (N, D), float32, in the order of `texts`. A text without any known token gives a zero vector."""
        ...

    def tokens(self, text: str) -> TokenStates:
        """Contextual state of every token of `text`."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, before any truncation."""
        ...

    def save(self, folder: Path) -> None:
        """Write the encoder into `folder`, so that `load_encoder` and sentence-transformers give its vectors.

        Raises:
            StorageError: the disk refuses.
        """
        ...
