"""Attention and gating whose gradients are written by hand: fewer passes over memory than what autograd derives.

On a CPU a transformer's matrix products are so fast that moving its states around takes longer than they do. Slicing
queries, keys and values out of one product costs autograd a zeroed tensor and a sum for each; here one copy lays them
out for the batched products, and one copy takes their gradients back.

Legend for shapes:
    T  tokens     B  sequences of one length     L  their length     H  width of the states
    A  attention heads     E  numbers of a head     I  width of the feed-forward net
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from tolman.models.packing import runs


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Halves of the last dimension turned against each other; with `-sin` back again."""
    half = x.shape[-1] // 2
    turned = x * cos
    turned[..., :half].addcmul_(x[..., half:], sin[..., :half], value=-1)
    turned[..., half:].addcmul_(x[..., :half], sin[..., half:])
    return turned


def turn_whole(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """The same in one expression over the whole dimension: what a compiler makes one pass of, back and forth."""
    half = x.shape[-1] // 2
    signed = torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)
    return x * cos + x.roll(half, -1) * signed


def attend(
    qkv_T3H: Tensor, lengths: Sequence[int], heads: int, rotation: tuple[Tensor, Tensor] | None, *, causal: bool
) -> Tensor:
    """States (T, H), mixed within each of the sequences that lie one after the other.

    Args:
        qkv_T3H: queries, keys and values of every token.
        lengths: of the sequences, equal ones side by side.
        heads: A.
        rotation: cosines and sines (L, E) of every place, of the longest sequence or more; None where positions are
            part of the states.
        causal: whether a token sees only itself and those before it.
    """
    cos, sin = rotation or (None, None)
    mixed: Tensor = _Attend.apply(qkv_T3H, cos, sin, lengths, heads, causal)  # type: ignore[no-untyped-call]
    return mixed


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 (autograd passes by position)
        ctx: Any,
        qkv_T3H: Tensor,
        cos_LE: Tensor | None,
        sin_LE: Tensor | None,
        lengths: Sequence[int],
        heads: int,
        causal: bool,
    ) -> Tensor:
        out_TH = qkv_T3H.new_empty(len(qkv_T3H), qkv_T3H.shape[1] // 3)
        kept: list[Tensor] = []
        for start, count, length in runs(lengths):
            stretch = slice(start, start + count * length)
            parts = qkv_T3H[stretch].view(count, length, 3, heads, -1).permute(2, 0, 3, 1, 4).contiguous()
            if cos_LE is not None and sin_LE is not None:
                parts[:2] = turn(parts[:2], cos_LE[:length], sin_LE[:length])
            q, k, v = parts.view(3, count * heads, length, -1)
            hidden = q.new_full((length, length), -math.inf).triu(1) if causal else q.new_zeros(1, 1)
            scores = torch.baddbmm(hidden, q, k.transpose(1, 2), beta=int(causal), alpha=q.shape[-1] ** -0.5)
            shares = scores.softmax(dim=-1)
            mixed = torch.bmm(shares, v).view(count, heads, length, -1)
            out_TH[stretch].view(count, length, heads, -1).copy_(mixed.transpose(1, 2))
            kept += [parts, shares]
        ctx.save_for_backward(cos_LE, sin_LE, *kept)
        ctx.lengths, ctx.heads = lengths, heads
        return out_TH

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        cos_LE, sin_LE, *kept = ctx.saved_tensors
        (dout_TH,) = gradients
        dqkv_T3H = dout_TH.new_empty(len(dout_TH), 3 * dout_TH.shape[1])
        for place, (start, count, length) in enumerate(runs(ctx.lengths)):
            stretch = slice(start, start + count * length)
            parts, shares = kept[2 * place : 2 * place + 2]
            dmixed = dout_TH[stretch].view(count, length, ctx.heads, -1).transpose(1, 2).contiguous()
            dparts = _back(dmixed, parts, shares)
            if cos_LE is not None and sin_LE is not None:
                dparts[:2] = turn(dparts[:2], cos_LE[:length], -sin_LE[:length])
            dqkv_T3H[stretch].view(count, length, 3, ctx.heads, -1).copy_(dparts.permute(1, 3, 0, 2, 4))
        return dqkv_T3H, None, None, None, None, None


def _back(dmixed_BALE: Tensor, parts_3BALE: Tensor, shares: Tensor) -> Tensor:
    """Gradients (3, B, A, L, E) of the queries, keys and values as they were multiplied."""
    dparts = torch.empty_like(parts_3BALE)
    length, head = parts_3BALE.shape[-2:]
    q, k, v = parts_3BALE.view(3, -1, length, head)
    dq, dk, dv = dparts.view(3, -1, length, head)
    dmixed, scale = dmixed_BALE.view(-1, length, head), head**-0.5
    torch.bmm(shares.transpose(1, 2), dmixed, out=dv)
    dshares = torch.bmm(dmixed, v.transpose(1, 2))
    dscores = torch._softmax_backward_data(dshares, shares, -1, shares.dtype)
    torch.baddbmm(dq, dscores, k, beta=0, alpha=scale, out=dq)
    torch.baddbmm(dk, dscores.transpose(1, 2), q, beta=0, alpha=scale, out=dk)
    return dparts


def gate(up_T2I: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
    """The first half activated, times the second (T, I); Shazeer 2020, arXiv:2002.05202."""
    if up_T2I.device.type != "cpu":
        activated, gates = up_T2I.chunk(2, dim=-1)
        return activation(activated) * gates
    gated: Tensor = _Gate.apply(up_T2I, activation)  # type: ignore[no-untyped-call]
    return gated


class _Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, up_T2I: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(up_T2I)
        ctx.activation = activation
        activated, gates = up_T2I.chunk(2, dim=-1)
        return activation(activated).mul_(gates)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (up_T2I,) = ctx.saved_tensors
        (dout_TI,) = gradients
        dup_T2I = torch.empty_like(up_T2I)
        before, gates = up_T2I.chunk(2, dim=-1)
        dbefore, dgates = dup_T2I.chunk(2, dim=-1)
        with torch.enable_grad():
            before = before.detach().requires_grad_()
            activated = ctx.activation(before)
        torch.mul(activated.detach(), dout_TI, out=dgates)
        dbefore.copy_(torch.autograd.grad(activated, before, dout_TI * gates)[0])
        return dup_T2I, None
