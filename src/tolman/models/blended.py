"""Several encoders side by side in one vector.

Each part's unit vector is scaled by the root of its weight, and all are joined: the cosine of two texts is then the
weighted mean of the cosines that the parts give them. An encoder learned on the corpus and a pretrained one are better
together than either alone, nearly everywhere it was measured.

Legend for shapes:
    N  texts     T  tokens of one text     D  dimensions, those of all parts together
"""

import json
import math
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np

from tolman.errors import ModelError
from tolman.models import load_encoder
from tolman.models.encoder import Encoder, Floats, Role, TokenStates, require_texts, unit
from tolman.models.portable import write_portable
from tolman.storage import storing

PART_NAMES = "abcdefgh"


class BlendedEncoder:
    """Two or more encoders whose cosines are averaged.

    Args:
        parts: the encoders; the first one's tokens are the blend's.
        weights: how much each counts, not negative; only their ratio matters.

    Raises:
        ModelError: not one weight a part, or weights that can't be.
    """

    family = "blended"

    def __init__(self, parts: Sequence[Encoder], weights: Sequence[float]) -> None:
        if not 2 <= len(parts) <= len(PART_NAMES) or len(parts) != len(weights):
            raise ModelError(
                f"a blend needs two to eight encoders and a weight for each: got {len(parts)}, {len(weights)}"
            )
        if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not sum(weights):
            raise ModelError(f"weights of a blend must be finite, not negative and not all 0: got {list(weights)}")
        self.parts = tuple(parts)
        self.weights = tuple(float(weight) for weight in weights)

    @property
    def dim(self) -> int:
        """D."""
        return sum(part.dim for part in self.parts)

    @property
    def passage_tokens(self) -> int:
        """That of the part which sees least at a time."""
        return self._narrowest.passage_tokens

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the fingerprints and weights of the parts."""
        parts = [[part.fingerprint, weight] for part, weight in zip(self.parts, self.weights, strict=True)]
        return sha256(json.dumps(["tolman blended 1", parts]).encode()).hexdigest()

    def encode(self, texts: Sequence[str], role: Role = "document") -> Floats:
        """Unit vectors (N, D). A part that knows no token of a text leaves the others alone in its vector.

        Raises:
            TolmanError: no list of texts, or no such role.
        """
        texts = require_texts(texts, role)
        return _join([part.encode(texts, role) for part in self.parts], self.weights)

    def tokens(self, text: str) -> TokenStates:
        """Every token of the first part, with the mean state of the tokens that overlap it in each other part."""
        first, *others = (part.tokens(text) for part in self.parts)
        aligned = [first.vectors_TD, *(_align(states, first.spans) for states in others)]
        return TokenStates(_join([unit(vectors_TD) for vectors_TD in aligned], self.weights), first.spans)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, as the part counts them which sees least at a time."""
        return self._narrowest.count_tokens(texts)

    def save(self, folder: Path) -> None:
        """Write each part into a folder of its own under `folder`, and what joins them.

        Raises:
            StorageError: the disk refuses.
        """
        names = list(PART_NAMES[: len(self.parts)])
        settings = {
            "family": self.family,
            "format": 1,
            "parts": names,
            "weights": self.weights,
            "fingerprint": self.fingerprint,
        }
        for part, name in zip(self.parts, names, strict=True):
            part.save(folder / name)
        with storing(f"can't write the encoder to {folder}"):
            (folder / "tolman.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
            write_portable(folder, "tolman_blended", "TolmanBlended")

    @classmethod
    def load(cls, folder: Path) -> "BlendedEncoder":
        """Read what `save` wrote.

        Raises:
            ModelError: a part is missing or damaged.
        """
        try:
            settings = json.loads((folder / "tolman.json").read_text(encoding="utf-8"))
            names, weights = (
                [str(name) for name in settings["parts"]],
                [float(weight) for weight in settings["weights"]],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder} holds no readable blended encoder: {error}") from error
        if any(name not in PART_NAMES for name in names):
            raise ModelError(f"{folder} names parts that no blend has: {', '.join(names)}")
        return cls([load_encoder(folder / name) for name in names], weights)

    @property
    def _narrowest(self) -> Encoder:
        return min(self.parts, key=lambda part: part.passage_tokens)


def _join(vectors: Sequence[Floats], weights: Sequence[float]) -> Floats:
    scaled = [math.sqrt(weight) * vectors_ND for vectors_ND, weight in zip(vectors, weights, strict=True)]
    return unit(np.concatenate(scaled, axis=1, dtype=np.float32))


def _align(states: TokenStates, spans: Sequence[tuple[int, int]]) -> Floats:
    """For each of `spans` the mean of the states whose own spans overlap it; zeros where none does."""
    starts = np.array([start for start, _ in states.spans])
    ends = np.array([end for _, end in states.spans])
    aligned_TD = np.zeros((len(spans), states.vectors_TD.shape[1]), dtype=np.float32)
    for row, (start, end) in enumerate(spans):
        overlapping = (starts < end) & (ends > start)
        if overlapping.any():
            aligned_TD[row] = states.vectors_TD[overlapping].mean(axis=0)
    return aligned_TD
