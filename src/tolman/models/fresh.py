"""A transformer that has learned nothing yet.

Weights are drawn from a truncated normal, those that write to the residual stream smaller by the square root of twice
the number of layers (Radford et al., "GPT-2", 2019).
"""

import math

import torch
from torch import Tensor

from tolman.models.bottleneck import Bottleneck
from tolman.models.head import Head
from tolman.models.language_head import LanguageHead
from tolman.models.learning_transformer import Transformer
from tolman.models.trunk import Embeddings, LayerNorm, Linear, PackedTrunk, PreNormBlock

SPREAD = 0.02
THETA = 10_000.0
ACTIVATION = "silu"
_EPS = 1e-5
_FEED_FORWARD = 2  # times the width
_LOOKING = 0.02  # spread of the queries of a bottleneck: at first it looks by place
_SHARPNESS = 1.0


class Drawer:
    """Draws weights, the same for the same seed."""

    def __init__(self, seed: int, width: int) -> None:
        self.generator, self.width = torch.Generator().manual_seed(seed), width

    def matrix(self, rows: int, columns: int, spread: float = SPREAD) -> Tensor:
        """(rows, columns)."""
        empty = torch.empty(rows, columns)
        return torch.nn.init.trunc_normal_(empty, std=spread, a=-3 * spread, b=3 * spread, generator=self.generator)

    def linear(self, rows: int, columns: int, spread: float = SPREAD) -> Linear:
        """Without a bias."""
        return Linear(self.matrix(rows, columns, spread), None)

    def norm(self) -> LayerNorm:
        """Over the width."""
        return LayerNorm(torch.ones(self.width), None, _EPS)

    def trunk(self, *, vocabulary: int, layers: int, heads: int, window: int) -> PackedTrunk:
        """Pre-norm blocks, rotary positions."""
        width, inner, into = self.width, _FEED_FORWARD * self.width, SPREAD / math.sqrt(2 * layers)
        blocks = tuple(
            PreNormBlock(
                norm_attention=self.norm() if layer else None,
                qkv=self.linear(3 * width, width),
                out=self.linear(width, width, into),
                norm_output=self.norm(),
                up=self.linear(2 * inner, width),
                down=self.linear(width, inner, into),
            )
            for layer in range(layers)
        )
        embeddings = Embeddings(self.matrix(vocabulary, width), None, self.norm())
        return PackedTrunk(embeddings, blocks, heads, ACTIVATION, norm=self.norm(), theta=THETA, places=window)

    def language(self, vocabulary: int, activation: str = ACTIVATION) -> LanguageHead:
        """Guesses evenly."""
        return LanguageHead(self.linear(self.width, self.width), self.norm(), torch.zeros(vocabulary), activation)

    def bottleneck(self, latents: int, numbers: int) -> Bottleneck:
        """`numbers` of them in each of `latents` vectors."""
        narrow = Linear(self.matrix(numbers, self.width, self.width**-0.5), torch.zeros(numbers))
        widen = Linear(self.matrix(self.width, numbers, numbers**-0.5), torch.zeros(self.width))
        queries_KH = self.matrix(latents, self.width, _LOOKING)
        return Bottleneck(queries_KH, torch.full((latents,), _SHARPNESS), narrow, widen)


def fresh_transformer(
    *,
    vocabulary: int,
    layers: int,
    width: int,
    heads: int,
    window: int,
    latents: tuple[int, int] | None,
    guesses: bool = True,
    seed: int,
) -> Transformer:
    """A start.

    Args:
        vocabulary, layers, width, heads, window: its size.
        latents: how many latent vectors of how many numbers; None without a bottleneck.
        guesses: whether it has a head that guesses tokens.
        seed: of every draw.
    """
    drawer = Drawer(seed, width)
    trunk = drawer.trunk(vocabulary=vocabulary, layers=layers, heads=heads, window=window)
    bottleneck = drawer.bottleneck(*latents) if latents else None
    language = drawer.language(vocabulary) if guesses else None
    return Transformer(trunk, Head(("mean",)), language, bottleneck)
