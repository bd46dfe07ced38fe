"""A lean forward pass for BERT-like transformers over packed tokens: padding is never computed.

The sequences of a batch lie one after the other in one long row. Everything but attention works token by token and
never notices; attention runs once for each group of equally long neighbours, so sequences should come sorted by length.

Legend for shapes:
    N  sequences of a batch           B  sequences of one length, neighbours in the batch
    T  tokens of all N together       L  their length
    H  width of the hidden states     A  attention heads

Post-norm blocks as in Devlin et al., "BERT" (2019). We differ in the arithmetic only: the query, key and value products
are one product, and in bfloat16 the residual stream and the norms stay in float32.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal, Protocol, Self, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Precision: TypeAlias = Literal["float32", "bfloat16"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
}


class Trunk(Protocol):
    """Token ids in, contextual states out.

    Attributes:
        width: H.
        max_length: the longest sequence that has positions.
    """

    @property
    def width(self) -> int:
        """H."""
        ...

    @property
    def max_length(self) -> int:
        """Tokens, special ones included."""
        ...

    def to(self, device: torch.device, precision: Precision) -> Self:
        """The same trunk on `device`, its matrix products in `precision`."""
        ...

    def __call__(self, ids_T: Tensor, lengths: Sequence[int]) -> Tensor:
        """States (T, H), float32, of sequences that lie one after the other in `ids_T`."""
        ...


@dataclass(frozen=True, slots=True)
class Linear:
    """y = x W' + b, computed in the precision of its weights."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """In the precision of the weights, whatever that of `x`."""
        return functional.linear(x.to(self.weight.dtype), self.weight, self.bias)

    def to(self, device: torch.device, dtype: torch.dtype) -> "Linear":
        """The same layer on `device`, its weights as `dtype`."""
        return Linear(self.weight.to(device, dtype), self.bias.to(device, dtype))


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """Layer normalisation, always in float32."""

    weight: Tensor
    bias: Tensor
    eps: float

    def __call__(self, x_TH: Tensor) -> Tensor:
        """States (T, H), float32."""
        return functional.layer_norm(x_TH, self.weight.shape, self.weight, self.bias, self.eps)

    def to(self, device: torch.device) -> "LayerNorm":
        """The same norm on `device`."""
        return LayerNorm(self.weight.to(device), self.bias.to(device), self.eps)


@dataclass(frozen=True, slots=True)
class Block:
    """One layer: attention, then the feed-forward net, each added to the residual stream and normalised."""

    qkv: Linear
    out: Linear
    norm_attention: LayerNorm
    up: Linear
    down: Linear
    norm_output: LayerNorm

    def to(self, device: torch.device, dtype: torch.dtype) -> "Block":
        """The same block on `device`, its matrices as `dtype`."""
        return Block(
            self.qkv.to(device, dtype),
            self.out.to(device, dtype),
            self.norm_attention.to(device),
            self.up.to(device, dtype),
            self.down.to(device, dtype),
            self.norm_output.to(device),
        )


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Word plus position (plus the one token type that a single text has), normalised.

    Attributes:
        words_VH: one row a token id.
        positions_LH: one row a position, the token type's row already added; the first row is position 0.
    """

    words_VH: Tensor
    positions_LH: Tensor
    norm: LayerNorm

    def __call__(self, ids_T: Tensor, lengths: Sequence[int]) -> Tensor:
        """States (T, H) before the first block."""
        places_T = torch.cat([torch.arange(length) for length in lengths]).to(ids_T.device)
        return self.norm(functional.embedding(ids_T, self.words_VH) + functional.embedding(places_T, self.positions_LH))


@dataclass(frozen=True, slots=True)
class PackedTrunk:
    """A BERT-like transformer that computes no padding.

    Attributes:
        heads: A.
        activation: a key of `ACTIVATIONS`.
        relative_bias_KA: MPNet's bias for each of K buckets of relative distance; None for all others.
    """

    embeddings: Embeddings
    blocks: tuple[Block, ...]
    heads: int
    activation: str
    relative_bias_KA: Tensor | None = None

    @property
    def width(self) -> int:
        """H."""
        return self.embeddings.words_VH.shape[1]

    @property
    def max_length(self) -> int:
        """Rows of the position table."""
        return self.embeddings.positions_LH.shape[0]

    def to(self, device: torch.device, precision: Precision) -> "PackedTrunk":
        """The same trunk on `device`, its matrix products in `precision`; tables and norms stay in float32."""
        dtype = getattr(torch, precision)
        tables = self.embeddings
        return replace(
            self,
            embeddings=Embeddings(tables.words_VH.to(device), tables.positions_LH.to(device), tables.norm.to(device)),
            blocks=tuple(block.to(device, dtype) for block in self.blocks),
            relative_bias_KA=None if self.relative_bias_KA is None else self.relative_bias_KA.to(device),
        )

    def __call__(self, ids_T: Tensor, lengths: Sequence[int]) -> Tensor:
        """States (T, H), float32, of sequences that lie one after the other in `ids_T`."""
        activation = ACTIVATIONS[self.activation]
        bias_ALL = self._attention_bias(max(lengths))
        x_TH = self.embeddings(ids_T, lengths)
        for block in self.blocks:
            mixed_TH = self._attend(block.qkv(x_TH), lengths, bias_ALL)
            x_TH = block.norm_attention(x_TH + block.out(mixed_TH))
            x_TH = block.norm_output(x_TH + block.down(activation(block.up(x_TH))))
        return x_TH

    def _attend(self, qkv_T3H: Tensor, lengths: Sequence[int], bias_ALL: Tensor | None) -> Tensor:
        mixed_TH = qkv_T3H.new_empty(len(qkv_T3H), self.width)
        for start, count, length in runs(lengths):
            end = start + count * length
            q, k, v = qkv_T3H[start:end].view(count, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            bias = None if bias_ALL is None else bias_ALL[:, :length, :length].to(q.dtype)
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
            mixed_TH[start:end].view(count, length, self.heads, -1).copy_(mixed.transpose(1, 2))
        return mixed_TH

    def _attention_bias(self, length: int) -> Tensor | None:
        if self.relative_bias_KA is None:
            return None
        buckets_LL = relative_buckets(length, len(self.relative_bias_KA)).to(self.relative_bias_KA.device)
        return self.relative_bias_KA[buckets_LL].permute(2, 0, 1)


def runs(lengths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """(first token, number of sequences, length) of each run of equally long neighbours."""
    start = 0
    for length, group in groupby(lengths):
        count = len(list(group))
        yield start, count, length
        start += count * length


def relative_buckets(length: int, buckets: int) -> Tensor:
    """Bucket (L, L) of the distance from each query to each key: near ones exact, far ones logarithmic up to 128.

    Raffel et al., "Exploring the limits of transfer learning" (2020), bidirectional, as MPNet uses it.
    """
    half, exact, furthest = buckets // 2, buckets // 4, 128
    places = torch.arange(length)
    distance = places[:, None] - places[None, :]
    behind = (distance < 0).long() * half
    distance = distance.abs()
    far = exact + (torch.log(distance.clamp(min=1) / exact) / math.log(furthest / exact) * (half - exact)).long()
    return behind + torch.where(distance < exact, distance, far.clamp(max=half - 1))


class PaddedTrunk:
    """Any other architecture, run by `transformers` on padded batches: right, not fast."""

    def __init__(self, model: torch.nn.Module, width: int, max_length: int, precision: Precision = "float32") -> None:
        self.model, self.width, self.max_length, self.precision = model, width, max_length, precision

    def to(self, device: torch.device, precision: Precision) -> "PaddedTrunk":
        """The same model on `device`, its matrix products in `precision`."""
        return PaddedTrunk(self.model.to(device), self.width, self.max_length, precision)

    def __call__(self, ids_T: Tensor, lengths: Sequence[int]) -> Tensor:
        """States (T, H), float32, of sequences that lie one after the other in `ids_T`."""
        ids_NL = torch.nn.utils.rnn.pad_sequence(list(torch.split(ids_T, list(lengths))), batch_first=True)
        places_L = torch.arange(ids_NL.shape[1], device=ids_T.device)
        mask_NL = places_L < torch.tensor(lengths, device=ids_T.device)[:, None]
        with torch.autocast(ids_T.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            states_NLH: Tensor = self.model(input_ids=ids_NL, attention_mask=mask_NL.long()).last_hidden_state
        return states_NLH[mask_NL].float()
