"""Muon for many matrices at once: those of one shape are made orthogonal together, in batched products.

PyTorch's own (Jordan et al. 2024, kellerjordan.github.io/posts/muon; steps scaled as in Liu et al. 2025,
arXiv:2502.16982) takes one matrix after the other, fifteen small products each: a GPU waits for most of them to be
launched. The arithmetic is the same, and so is what it remembers.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class StackedMuon(torch.optim.Muon):
    """`torch.optim.Muon`, in fewer and larger products."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of all parameters that have a gradient; what `closure` gives, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        parameters: list[Tensor] = []
        gradients: list[Tensor] = []
        buffers: list[Tensor] = []
        self._init_group(group, parameters, gradients, buffers)
        if not parameters:
            return
        torch._foreach_lerp_(buffers, gradients, 1 - group["momentum"])
        updates = torch._foreach_lerp(gradients, buffers, group["momentum"]) if group["nesterov"] else buffers
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        places: dict[torch.Size, list[int]] = defaultdict(list)
        for place, parameter in enumerate(parameters):
            places[parameter.shape].append(place)
        for shape, alike in places.items():
            updates_SMN = orthogonal(
                torch.stack([updates[place] for place in alike]),
                group["ns_coefficients"],
                group["ns_steps"],
                group["eps"],
            )
            rate = group["lr"] * _rate_factor(shape, group["adjust_lr_fn"])
            torch._foreach_add_([parameters[place] for place in alike], list(updates_SMN.unbind()), alpha=-rate)


def orthogonal(matrices_SMN: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Each of S matrices with singular values near 1, by Newton-Schulz iterations in bfloat16."""
    a, b, c = coefficients
    tall = matrices_SMN.shape[1] > matrices_SMN.shape[2]
    x = (matrices_SMN.mT if tall else matrices_SMN).bfloat16()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def _rate_factor(shape: torch.Size, how: str | None) -> float:
    rows, columns = shape
    if how == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1.0, rows / columns))
