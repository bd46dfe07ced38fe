"""From the states of a text's tokens to its one unit vector: pooling, dense layers, norm.

Legend for shapes:
    N  texts   T  tokens of all texts together   H  width of a token's state   D  dimensions of the vector

What sentence-transformers calls its Pooling, Dense and Normalize modules, over packed tokens. We differ in one thing:
the result always has unit norm.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tolman.models.trunk import Linear


def _weighted_mean(states_LH: Tensor, first: int) -> Tensor:
    weights_L = torch.arange(first + 1, first + 1 + len(states_LH), device=states_LH.device, dtype=states_LH.dtype)
    return weights_L @ states_LH / weights_L.sum()


POOLING: dict[str, Callable[[Tensor, int], Tensor]] = {
    "mean": lambda states_LH, first: states_LH.mean(0),
    "cls": lambda states_LH, first: states_LH[0],
    "max": lambda states_LH, first: states_LH.amax(0),
    "lasttoken": lambda states_LH, first: states_LH[-1],
    "mean_sqrt_len_tokens": lambda states_LH, first: states_LH.sum(0) / len(states_LH) ** 0.5,
    "weightedmean": _weighted_mean,
}
"""One text's states (L, H), and how many tokens were left out before them, to (H,)."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "Identity": lambda x: x,
    "Tanh": torch.tanh,
    "ReLU": functional.relu,
    "GELU": functional.gelu,
    "SiLU": functional.silu,
    "Sigmoid": torch.sigmoid,
}
"""Classes of `torch.nn` by name, as sentence-transformers stores them."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A linear layer over the pooled vector, and the function after it.

    Attributes:
        activation: a key of `ACTIVATIONS`.
        residual: None, or the projection of the input that is added to the output (None inside: the input itself).
    """

    linear: Linear
    activation: str
    residual: bool = False
    projection: Tensor | None = None

    def __call__(self, x_ND: Tensor) -> Tensor:
        """Vectors (N, D) after the layer."""
        y_ND = ACTIVATIONS[self.activation](self.linear(x_ND))
        if not self.residual:
            return y_ND
        return y_ND + (x_ND if self.projection is None else functional.linear(x_ND, self.projection))

    def to(self, device: torch.device) -> "Dense":
        """The same layer on `device`."""
        projection = None if self.projection is None else self.projection.to(device)
        return Dense(self.linear.to(device, torch.float32), self.activation, self.residual, projection)


@dataclass(frozen=True, slots=True)
class Head:
    """Pools each text's states, applies the dense layers, normalises.

    Attributes:
        pooling: keys of `POOLING`; several are concatenated.
        dense: layers over the pooled vector, in order.
        include_prompt: False leaves a prompt's tokens out of the pooling.
    """

    pooling: tuple[str, ...]
    dense: tuple[Dense, ...] = ()
    include_prompt: bool = True

    def dim(self, width: int) -> int:
        """D, for token states of `width`."""
        return len(self.dense[-1].linear.weight) if self.dense else len(self.pooling) * width

    def __call__(self, states_TH: Tensor, lengths: Sequence[int], prompt_length: int = 0) -> Tensor:
        """Unit vectors (N, D) of texts whose states lie one after the other; each is longer than `prompt_length`."""
        skip = 0 if self.include_prompt else prompt_length
        vectors_ND = torch.stack(
            [self._pool(states_LH[skip:], skip) for states_LH in torch.split(states_TH, list(lengths))]
        )
        for dense in self.dense:
            vectors_ND = dense(vectors_ND)
        return functional.normalize(vectors_ND, dim=1)

    def to(self, device: torch.device) -> "Head":
        """The same head on `device`."""
        return Head(self.pooling, tuple(dense.to(device) for dense in self.dense), self.include_prompt)

    def _pool(self, states_LH: Tensor, first: int) -> Tensor:
        return torch.cat([POOLING[mode](states_LH, first) for mode in self.pooling])
