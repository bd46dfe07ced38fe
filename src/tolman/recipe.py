"""The numbers that an encoder is learned with, derived from the corpus: of a static one, and of a transformer."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from tolman.crew import SOLO
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


@dataclass(frozen=True)
class Shape:
    """A transformer's size.

    Attributes:
        layers, width, heads: of the trunk; the feed-forward net is twice as wide.
        window: tokens of a sequence, the longest it ever sees.
        rate: peak learning rate of tables and norms.
        tokens, pairs, rounds: of a step, see `TransformerRecipe`: a round's states fit into a processor's cache.
    """

    layers: int
    width: int
    heads: int
    window: int
    rate: float
    tokens: int
    pairs: int
    rounds: int


SHAPES: dict[Size, Shape] = {
    "tiny": Shape(layers=4, width=256, heads=4, window=128, rate=4e-3, tokens=2_048, pairs=64, rounds=2),
    "small": Shape(layers=6, width=512, heads=8, window=256, rate=2e-3, tokens=4_096, pairs=128, rounds=4),
    "base": Shape(layers=12, width=768, heads=12, window=512, rate=1e-3, tokens=8_192, pairs=256, rounds=4),
}
_BYTES_A_TOKEN = 2_000  # of text, for each token of the vocabulary
_VOCABULARY = 2_048, 32_768
_LATENT_NUMBERS = 512
_BYTES_A_STATE = 45
"""Of a GPU's memory, for each token, layer and number of its width: at `base` 11 to 14 GB for 32,768 tokens."""
_FILLED = 0.7  # of that memory


@dataclass(frozen=True)
class TransformerRecipe:
    """Every number a transformer is learned with from nothing.

    Attributes:
        shape: see `Shape`.
        vocabulary: tokens.
        tokens: of a round, for each objective but the contrastive.
        pairs: of the contrastive objective in a round, at most.
        rounds: of a step, see `Crew.batches`.
        rate: peak learning rate of tables and norms.
        matrix_rate: of matrices, whose steps are made orthogonal.
        decay: of matrices.
        warmup: share of the run in which the rate rises.
        knee: steps of a run, beyond which the peak falls with the square root of their number.
        temperature: of the contrastive softmax.
        stretch: tokens of a text of a pair, at most.
        latents: vectors that a text is reconstructed from.
        latent_numbers: of all of them together.
        masked_alone, masked_cuts: of masked learning, the share of batches that are of single sentences, and into how
            many parts windows are cut; see `objectives.windows.Windows`.
    """

    shape: Shape
    vocabulary: int
    tokens: int
    pairs: int
    rounds: int
    rate: float
    matrix_rate: float
    decay: float = 0.01
    warmup: float = 0.05
    knee: int = 600
    temperature: float = 0.08
    stretch: int = 64
    latents: int = 16
    latent_numbers: int = _LATENT_NUMBERS
    masked_alone: float = 0.5
    masked_cuts: tuple[int, ...] = (1, 2, 4)

    @property
    def dim(self) -> int:
        """Of a vector."""
        return self.shape.width

    @property
    def window(self) -> int:
        """Tokens of a sequence of running text."""
        return self.shape.window

    @classmethod
    def derive(cls, characters: int, documents: int, size: Size) -> "TransformerRecipe":
        """From how much text there is.

        Args:
            characters: of all documents.
            documents: how many.
            size: of the trunk.
        """
        shape = SHAPES[size]
        fitting = 2 ** round(np.log2(max(1.0, characters / _BYTES_A_TOKEN)))
        return cls(
            shape=shape,
            vocabulary=int(np.clip(fitting, *_VOCABULARY)),
            tokens=shape.tokens,
            pairs=max(2, min(shape.pairs, documents // 2)),
            rounds=shape.rounds,
            rate=shape.rate,
            matrix_rate=2.5 * shape.rate,
        )

    def on_gpus(self, count: int, *, objectives: int, documents: int, memory: int) -> "TransformerRecipe":
        """The same number of tokens and pairs a step in one round for each GPU, as far as its memory goes.

        Not quite the same step: of a larger round, all pairs are told apart, and windows or sentences of one length are
        drawn. Rounds that fit into a cache are of no use there.

        Args:
            count: of GPUs.
            objectives: that share a step.
            documents: that pairs are made of.
            memory: free bytes of each.
        """
        shape = self.shape
        fitting = int(memory * _FILLED / (_BYTES_A_STATE * self.tokens * shape.layers * shape.width))
        wanted = SOLO.batches(self.rounds, objectives)
        together = max(1, min(wanted, -(-wanted * objectives // count), fitting))
        pairs = max(2, min(together * self.pairs, documents // 2))
        return replace(self, tokens=together * self.tokens, pairs=pairs, rounds=self.rounds // together)

    def fingerprint(self, *dependencies: object) -> str:
        """Of everything a training run depends on."""
        return _fingerprint(self, *dependencies)


@dataclass(frozen=True)
class Adaptation:
    """Every number that a pretrained transformer is learned on with.

    Attributes:
        dim: of a vector.
        longest: tokens of a text that are looked at.
        tokens: of a batch, for each objective but the contrastive.
        pairs: of a contrastive batch, at most.
        rate: peak learning rate of what is above the blocks; each layer further down learns `layer_decay` as fast.
        decay: of the weights.
        temperature: of the contrastive softmax.
        masked_alone, masked_cuts: see `TransformerRecipe`.
    """

    dim: int
    longest: int = 128
    tokens: int = 2_048
    pairs: int = 64
    rate: float = 5e-5
    layer_decay: float = 0.9
    decay: float = 0.01
    temperature: float = 0.05
    masked_alone: float = 0.25
    masked_cuts: tuple[int, ...] = (1,)

    @property
    def stretch(self) -> int:
        """Tokens of a text of a pair, at most."""
        return self.longest

    @classmethod
    def derive(cls, dim: int, longest: int) -> "Adaptation":
        """For a model with vectors of `dim` numbers that looks at `longest` tokens."""
        return cls(dim, min(cls.longest, longest))

    @property
    def window(self) -> int:
        """Tokens of a sequence of running text."""
        return self.longest

    def fingerprint(self, *dependencies: object) -> str:
        """Of everything a training run depends on."""
        return _fingerprint(self, *dependencies)


def _fingerprint(recipe: "TransformerRecipe | Adaptation", *dependencies: object) -> str:
    return hashlib.sha256(json.dumps([asdict(recipe), *dependencies], default=str).encode()).hexdigest()
