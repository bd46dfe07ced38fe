"""What every encoder is: texts in, unit vectors out.

Legend for shapes:
    N  texts
    D  dimensions of the latent space
    T  tokens of one text
"""

from collections.abc import Mapping, Sequence, Set, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tolman.errors import TolmanError

Role: TypeAlias = Literal["document", "query"]
ROLES: tuple[Role, ...] = get_args(Role)
Floats: TypeAlias = NDArray[np.float32]


def unit(vectors_ND: Floats) -> Floats:
    """Rows scaled to length 1; rows of zeros stay."""
    norms_N1 = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    scaled_ND: Floats = np.divide(vectors_ND, norms_N1, out=np.zeros_like(vectors_ND), where=norms_N1 > 0)
    return scaled_ND


def require_texts(texts: Sequence[str], role: str = "document") -> list[str]:
    """`texts` as a list, if that is what they are: a single text would be taken apart into letters.

    Raises:
        TolmanError: something else, or no such role; says what came and where.
    """
    if role not in ROLES:
        raise TolmanError(f'a role is "document" or "query", got {role!r}')
    if isinstance(texts, str | bytes | Mapping | Set) or not isinstance(texts, Sized):
        raise TolmanError(f"expected a list of texts, got {type(texts).__name__}: put a single text into [brackets]")
    listed = list(texts)
    for place, text in enumerate(listed):
        if not isinstance(text, str):
            raise TolmanError(f"expected a list of texts, got {type(text).__name__} at place {place}")
    return listed


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
        """Unit vectors (N, D), float32, in the order of `texts`. A text without any known token gives a zero vector.

        Raises:
            TolmanError: `texts` is no list of texts, or there is no such role (see `require_texts`).
        """
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
