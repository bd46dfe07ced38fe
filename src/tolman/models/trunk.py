"""A lean forward pass for transformers over packed tokens: padding is never computed.

The sequences of a batch lie one after the other in one long row. Everything but attention works token by token and
never notices; attention runs once for each group of equally long neighbours, so sequences should come sorted by length.

The same pass is bidirectional, for masked and contrastive learning and for encoding, or causal, for causal learning and
decoding; and it is the one that learns: gradients flow through it to whatever its tensors were made from.

Legend for shapes:
    N  sequences of a batch           B  sequences of one length, neighbours in the batch
    T  tokens of all N together       L  their length
    H  width of the hidden states     A  attention heads

Two kinds of blocks. Post-norm as in Devlin et al., "BERT" (2019), with learned positions. Pre-norm with rotary
positions and a gated feed-forward net as in Warner et al., "ModernBERT" (2024), arXiv:2412.13663, without its sliding
windows. We differ in the arithmetic only: the query, key and value products are one product, and in bfloat16 the
residual stream and the norms stay in float32 (while learning, the stream is bfloat16 too: half the memory to move).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Literal, Protocol, Self, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from tolman.models.fused import attend, gate, turn, turn_whole
from tolman.models.packing import runs
from tolman.models.tree import map_tensors

Precision: TypeAlias = Literal["float32", "bfloat16"]

Activation: TypeAlias = Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Activation] = {
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
    """y = x W' + b, computed in the precision of its weights; b may be missing."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        """In the precision of the weights, whatever that of `x`."""
        return functional.linear(x.to(self.weight.dtype), self.weight, self.bias)

    def to(self, device: torch.device, dtype: torch.dtype) -> "Linear":
        """The same layer on `device`, its weights as `dtype`."""
        return map_tensors(self, lambda _owner, _name, tensor: tensor.to(device, dtype))


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """Layer normalisation, computed in float32 and given in the precision it came in; the bias may be missing."""

    weight: Tensor
    bias: Tensor | None
    eps: float

    def __call__(self, x_TH: Tensor) -> Tensor:
        """States (T, H)."""
        if x_TH.device.type == "cpu":  # its kernel takes states of another precision than the weights'
            return functional.layer_norm(x_TH, self.weight.shape, self.weight, self.bias, self.eps)
        return functional.layer_norm(x_TH.float(), self.weight.shape, self.weight, self.bias, self.eps).to(x_TH.dtype)


@dataclass(frozen=True, slots=True)
class Rotation:
    """Rotary positions (Su et al. 2021, arXiv:2104.09864): halves of queries and keys turned by place.

    Attributes:
        cos_LE, sin_LE: of every place and every one of the E dimensions of a head.
    """

    cos_LE: Tensor
    sin_LE: Tensor

    @classmethod
    def of(cls, length: int, head: int, theta: float, device: torch.device) -> "Rotation":
        """For `length` places and heads of `head` dimensions."""
        frequencies = 1.0 / theta ** (torch.arange(0, head, 2, device=device, dtype=torch.float32) / head)
        angles_LF = torch.arange(length, device=device, dtype=torch.float32)[:, None] * frequencies
        angles_LE = torch.cat([angles_LF, angles_LF], dim=1)
        return cls(angles_LE.cos(), angles_LE.sin())


def turned(qkv_BL3AE: Tensor, cos_LE: Tensor, sin_LE: Tensor) -> Tensor:
    """Queries and keys turned by place, values as they are: one expression, of which a compiler makes one pass, back
    and forth."""
    cos, sin = (table.to(qkv_BL3AE.dtype)[:, None, None] for table in (cos_LE, sin_LE))
    still, none = torch.ones_like(cos), torch.zeros_like(sin)
    return turn_whole(qkv_BL3AE, torch.cat([cos, cos, still], dim=1), torch.cat([sin, sin, none], dim=1))


@dataclass(frozen=True)
class Attention:
    """Who attends to whom in one batch.

    Attributes:
        lengths: of the sequences.
        heads: A.
        causal: whether a token sees only itself and those before it.
        rotation: None where positions are part of the embeddings.
        bias_ALL: added to the scores, by distance; None for none.
        turned: turns queries and keys on a GPU while it learns.
    """

    lengths: Sequence[int]
    heads: int
    causal: bool
    rotation: Rotation | None
    bias_ALL: Tensor | None
    turned: Callable[[Tensor, Tensor, Tensor], Tensor] = turned

    def __call__(self, qkv_T3H: Tensor) -> Tensor:
        """States (T, H), mixed."""
        learning = qkv_T3H.requires_grad and qkv_T3H.device.type == "cpu"
        if learning and self.bias_ALL is None:
            return attend(qkv_T3H, self.lengths, self.heads, self._tables(qkv_T3H.dtype), causal=self.causal)
        parts = []
        for start, count, length in runs(self.lengths):
            whole = count == len(self.lengths)  # a slice would cost zeros and a copy on the way back
            q, k, v = self._parted(qkv_T3H if whole else qkv_T3H[start : start + count * length], count)
            bias = None if self.bias_ALL is None else self.bias_ALL[:, :length, :length].to(q.dtype)
            mixed = self._mix(q, k, v, bias, explicitly=learning)
            parts.append(mixed.transpose(1, 2).reshape(count * length, -1))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _parted(self, qkv_T3H: Tensor, count: int) -> Sequence[Tensor]:
        """Queries, keys and values (B, A, L, E) of sequences of one length, turned by place."""
        parted = qkv_T3H.view(count, len(qkv_T3H) // count, 3, self.heads, -1)
        q, k, v = parted.unbind(2)
        if self.rotation is not None:
            cos_LE, sin_LE = self.rotation.cos_LE[: parted.shape[1]], self.rotation.sin_LE[: parted.shape[1]]
            if parted.requires_grad:
                q, k, v = self.turned(parted, cos_LE, sin_LE).unbind(2)
            else:
                cos, sin = (table.to(parted.dtype)[:, None, None] for table in (cos_LE, sin_LE))
                q, k = turn(parted[:, :, :2], cos, sin).unbind(2)
        return [part.transpose(1, 2) for part in (q, k, v)]

    def _tables(self, dtype: torch.dtype) -> tuple[Tensor, Tensor] | None:
        return (self.rotation.cos_LE.to(dtype), self.rotation.sin_LE.to(dtype)) if self.rotation else None

    def _mix(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, *, explicitly: bool) -> Tensor:
        if explicitly:
            assert bias is not None
            return _mix_explicitly(q, k, v, bias, causal=self.causal)
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=self.causal)


def _mix_explicitly(q: Tensor, k: Tensor, v: Tensor, bias_ALL: Tensor, *, causal: bool) -> Tensor:
    """The same in three operations: their gradients are twice as fast on a CPU as those of the fused one, for short
    sequences."""
    count, heads, length, head = q.shape
    hidden = bias_ALL.repeat(count, 1, 1)
    if causal:
        hidden = hidden + q.new_full((length, length), -math.inf).triu(1)
    flat_q, flat_k, flat_v = (part.reshape(count * heads, length, head) for part in (q, k, v))
    scores = torch.baddbmm(hidden, flat_q, flat_k.transpose(1, 2), alpha=1 / math.sqrt(head))
    return (scores.softmax(dim=-1) @ flat_v).view(count, heads, length, head)


class Block(Protocol):
    """One layer: what comes before its tokens see each other, and what comes after."""

    def enter(self, x_TH: Tensor) -> Tensor:
        """Queries, keys and values (T, 3H)."""
        ...

    def leave(self, x_TH: Tensor, mixed_TH: Tensor, activation: Activation) -> Tensor:
        """States (T, H) after the layer, from those before it and what attention made of them."""
        ...


@dataclass(frozen=True, slots=True)
class PostNormBlock:
    """Attention, then the feed-forward net, each added to the residual stream and normalised."""

    qkv: Linear
    out: Linear
    norm_attention: LayerNorm
    up: Linear
    down: Linear
    norm_output: LayerNorm

    def enter(self, x_TH: Tensor) -> Tensor:
        """Queries, keys and values (T, 3H)."""
        return self.qkv(x_TH)

    def leave(self, x_TH: Tensor, mixed_TH: Tensor, activation: Activation) -> Tensor:
        """States (T, H) after the layer."""
        x_TH = self.norm_attention(x_TH + self.out(mixed_TH))
        return self.norm_output(x_TH + self.down(activation(self.up(x_TH))))


@dataclass(frozen=True, slots=True)
class PreNormBlock:
    """Normalised attention, then a normalised and gated feed-forward net, each added to the residual stream.

    Attributes:
        norm_attention: None in the first layer, whose input is normalised already.
        up: what is activated, then its gate.
    """

    norm_attention: LayerNorm | None
    qkv: Linear
    out: Linear
    norm_output: LayerNorm
    up: Linear
    down: Linear

    def enter(self, x_TH: Tensor) -> Tensor:
        """Queries, keys and values (T, 3H)."""
        return self.qkv(self.norm_attention(x_TH) if self.norm_attention else x_TH)

    def leave(self, x_TH: Tensor, mixed_TH: Tensor, activation: Activation) -> Tensor:
        """States (T, H) after the layer."""
        x_TH = x_TH + self.out(mixed_TH)
        return x_TH + self.down(gate(self.up(self.norm_output(x_TH)), activation))


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Word plus position, normalised.

    Attributes:
        words_VH: one row a token id.
        positions_LH: one row a position, the row of the one token type that a single text has already added; the first
            row is position 0. None where attention turns by place.
    """

    words_VH: Tensor
    positions_LH: Tensor | None
    norm: LayerNorm

    def __call__(self, ids_T: Tensor, lengths: Sequence[int]) -> Tensor:
        """States (T, H) before the first block."""
        return self.finish(functional.embedding(ids_T, self.words_VH), lengths)

    def finish(self, words_TH: Tensor, lengths: Sequence[int]) -> Tensor:
        """The same from rows that may be no words, such as a latent vector's."""
        if self.positions_LH is None:
            return self.norm(words_TH)
        places_T = torch.cat([torch.arange(length) for length in lengths]).to(words_TH.device)
        return self.norm(words_TH + functional.embedding(places_T, self.positions_LH))


@dataclass(frozen=True, slots=True)
class PackedTrunk:
    """A transformer that computes no padding.

    Attributes:
        heads: A.
        activation: a key of `ACTIVATIONS`.
        relative_bias_KA: MPNet's bias for each of K buckets of relative distance; None for all others.
        norm: over the last states; None where the last block ends with one.
        theta: base of the rotary frequencies; None where positions are embedded.
        places: the longest sequence, where no table says so.
    """

    embeddings: Embeddings
    blocks: tuple[PostNormBlock | PreNormBlock, ...]
    heads: int
    activation: str
    relative_bias_KA: Tensor | None = None
    norm: LayerNorm | None = None
    theta: float | None = None
    places: int | None = None

    @property
    def width(self) -> int:
        """H."""
        return self.embeddings.words_VH.shape[1]

    @property
    def max_length(self) -> int:
        """Rows of the position table, or as many places as were promised."""
        if self.embeddings.positions_LH is not None:
            return self.embeddings.positions_LH.shape[0]
        assert self.places is not None
        return self.places

    def to(self, device: torch.device, precision: Precision) -> "PackedTrunk":
        """The same trunk on `device`, its matrix products in `precision`; tables and norms stay in float32."""
        dtype = getattr(torch, precision)

        def move(owner: Any, _name: str, tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype) if isinstance(owner, Linear) else tensor.to(device)

        return map_tensors(self, move)

    def __call__(self, ids_T: Tensor, lengths: Sequence[int], *, causal: bool = False) -> Tensor:
        """States (T, H), float32, of sequences that lie one after the other in `ids_T`."""
        return self.through(self.embeddings(ids_T, lengths), lengths, causal=causal)

    def through(self, x_TH: Tensor, lengths: Sequence[int], *, causal: bool = False, compiled: bool = False) -> Tensor:
        """The same from what the embeddings gave; `compiled` by what torch.compile makes of a block."""
        rotation = None
        if self.theta is not None:
            rotation = Rotation.of(max(lengths), self.width // self.heads, self.theta, x_TH.device)
        kernels = compiled_kernels() if compiled else EAGER
        bias_ALL = self._attention_bias(max(lengths))
        attention = Attention(lengths, self.heads, causal, rotation, bias_ALL, kernels.turned)
        qkv_T3H = kernels.enter(self.blocks[0], x_TH)
        for block, following in pairwise(self.blocks):
            x_TH, qkv_T3H = kernels.between(block, following, x_TH, attention(qkv_T3H), self.activation)
        x_TH = kernels.leave(self.blocks[-1], x_TH, attention(qkv_T3H), self.activation)
        return self.norm(x_TH) if self.norm else x_TH

    def _attention_bias(self, length: int) -> Tensor | None:
        if self.relative_bias_KA is None:
            return None
        buckets_LL = relative_buckets(length, len(self.relative_bias_KA)).to(self.relative_bias_KA.device)
        return self.relative_bias_KA[buckets_LL].permute(2, 0, 1)


@dataclass(frozen=True)
class Kernels:
    """What a pass is made of beside attention itself.

    Attributes:
        enter: from the first states to the first block's queries, keys and values.
        turned: these turned by place.
        between: from what attention made of them to the states after the block and the next block's queries, keys and
            values.
        leave: the same for the last block, which has no next.
    """

    enter: Callable[[Block, Tensor], Tensor]
    turned: Callable[[Tensor, Tensor, Tensor], Tensor]
    between: Callable[[Block, Block, Tensor, Tensor, str], tuple[Tensor, Tensor]]
    leave: Callable[[Block, Tensor, Tensor, str], Tensor]


def _enter(block: Block, x_TH: Tensor) -> Tensor:
    return block.enter(x_TH)


def _between(block: Block, following: Block, x_TH: Tensor, mixed_TH: Tensor, activation: str) -> tuple[Tensor, Tensor]:
    x_TH = block.leave(x_TH, mixed_TH, ACTIVATIONS[activation])
    return x_TH, following.enter(x_TH)


def _leave(block: Block, x_TH: Tensor, mixed_TH: Tensor, activation: str) -> Tensor:
    return block.leave(x_TH, mixed_TH, ACTIVATIONS[activation])


EAGER = Kernels(_enter, turned, _between, _leave)


@cache
def compiled_kernels() -> Kernels:
    """The same, the elementwise operations of each fused by torch.compile: first for the number and length of sequences
    that come first, then for any."""
    return Kernels(torch.compile(_enter), torch.compile(turned), torch.compile(_between), torch.compile(_leave))


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
