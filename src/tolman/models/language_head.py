"""From the states of tokens to a distribution over the vocabulary, and the loss of guessing by it.

Legend for shapes:
    M  tokens that are guessed     V  tokens of the vocabulary     H  width of a state
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tolman.models.trunk import ACTIVATIONS, LayerNorm, Linear

_AT_ONCE = 512  # tokens whose logits are in memory together: on a CPU they stay in the cache
_GPU_LOGITS = 2**27  # numbers
_LEAST_GUESS = 1e-30


@dataclass(frozen=True, slots=True)
class LanguageHead:
    """ModernBERT's prediction head: dense, activation, norm, then the table of the words itself, plus a bias.

    Attributes:
        activation: a key of `ACTIVATIONS`.
    """

    dense: Linear
    norm: LayerNorm
    bias_V: Tensor
    activation: str

    def states(self, x_MH: Tensor) -> Tensor:
        """What the table is multiplied with (M, H), float32."""
        return self.norm(ACTIVATIONS[self.activation](self.dense(x_MH)).float())

    def logits(self, x_MH: Tensor, words_VH: Tensor) -> Tensor:
        """(M, V), float32: exact, and large."""
        return self.states(x_MH) @ words_VH.T + self.bias_V

    def loss(self, x_MH: Tensor, words_VH: Tensor, targets_M: Tensor) -> Tensor:
        """Mean cross entropy in nats. Logits are made a part at a time, in the precision of the dense layer."""
        words = words_VH.to(self.dense.weight.dtype)
        loss: Tensor = _CrossEntropy.apply(self.states(x_MH).to(words.dtype), words, self.bias_V, targets_M)  # type: ignore[no-untyped-call]
        return loss


class _CrossEntropy(torch.autograd.Function):
    """Gradients are made on the way forward, while the logits are still in the cache; never are they all in memory.

    Buffers are made once and written into: fresh memory of that size costs more than the arithmetic.
    """

    @staticmethod
    def forward(ctx: Any, x_MH: Tensor, words_VH: Tensor, bias_V: Tensor, targets_M: Tensor) -> Tensor:
        dx_MH, dwords_VH = torch.empty_like(x_MH), torch.zeros_like(words_VH, dtype=torch.float32)
        dbias_V, part_VH = torch.zeros_like(bias_V), torch.empty_like(words_VH)
        at_once = _AT_ONCE if x_MH.device.type == "cpu" else max(_AT_ONCE, _GPU_LOGITS // len(words_VH))
        logits_PV = x_MH.new_empty(min(at_once, len(x_MH)), len(words_VH))
        guesses_PV, ones_P = torch.empty_like(logits_PV), x_MH.new_ones(len(logits_PV))
        bias, places_P = bias_V.to(x_MH.dtype), torch.arange(len(logits_PV), device=x_MH.device)
        total = torch.zeros((), device=x_MH.device)
        for start in range(0, len(x_MH), at_once):
            x_PH, targets_P, dx_PH = (whole[start : start + at_once] for whole in (x_MH, targets_M, dx_MH))
            logits, guesses, places = (buffer[: len(x_PH)] for buffer in (logits_PV, guesses_PV, places_P))
            torch.addmm(bias, x_PH, words_VH.T, out=logits)
            torch.softmax(logits, dim=-1, out=guesses)
            total -= guesses[places, targets_P].float().clamp_min(_LEAST_GUESS).log().sum()
            guesses[places, targets_P] -= 1
            torch.mm(guesses, words_VH, out=dx_PH)
            dwords_VH += torch.mm(guesses.T, x_PH, out=part_VH)
            dbias_V += ones_P[: len(x_PH)] @ guesses
        ctx.save_for_backward(dx_MH, dwords_VH, dbias_V)
        return total / len(x_MH)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        dx_MH, dwords_VH, dbias_V = ctx.saved_tensors
        scale = gradients[0] / len(dx_MH)
        return dx_MH * scale.to(dx_MH.dtype), (dwords_VH * scale).to(dx_MH.dtype), dbias_V * scale, None
