"""What turns gradients into steps: which parameters learn by which rule, and how fast.

AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) for tables, norms and biases. For the matrices of a transformer
that starts from nothing Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon), its steps scaled to the size of
AdamW's (Liu et al. 2025, arXiv:2502.16982).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor, nn

from tolman.muon import StackedMuon

BETAS = (0.9, 0.98)
CLIP = 1.0  # norm of all gradients together


@dataclass(frozen=True)
class Group:
    """Parameters that learn alike.

    Attributes:
        parameters: themselves.
        rate: peak learning rate.
        decay: of the weights, a step at peak rate.
        orthogonal: whether steps are made orthogonal (Muon).
    """

    parameters: Sequence[nn.Parameter]
    rate: float
    decay: float = 0.0
    orthogonal: bool = False


Grouping: TypeAlias = Callable[[nn.Module], Sequence[Group]]


@dataclass
class Optimizers:
    """All groups, stepped together."""

    groups: Sequence[Group]
    clip: float | None = None
    each: list[torch.optim.Optimizer] = field(init=False)

    def __post_init__(self) -> None:
        self.groups = [group for group in self.groups if group.parameters]
        self.each = [_optimizer(group) for group in self.groups]

    def step(self, share: float) -> float:
        """One step at `share` of each group's peak rate; the norm of the gradients, before they were clipped.

        Where it isn't finite no step is made.
        """
        norm = self._clip() if self.clip else 0.0
        if math.isfinite(norm):
            for optimizer, group in zip(self.each, self.groups, strict=True):
                optimizer.param_groups[0]["lr"] = group.rate * share
                optimizer.step()
        return norm

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for optimizer in self.each:
            optimizer.zero_grad(set_to_none=True)

    def moments(self) -> Iterator[tuple[str, Tensor]]:
        """(name, tensor) of all that the optimisers remember."""
        for number, optimizer in enumerate(self.each):
            for index, moments in optimizer.state_dict()["state"].items():
                for name, value in moments.items():
                    yield f"{number}.{index}.{name}", torch.as_tensor(value)

    def remember(self, moments: Mapping[str, Tensor]) -> None:
        """Put back what `moments` gave."""
        states: list[dict[int, dict[str, Tensor]]] = [{} for _ in self.each]
        for name, tensor in moments.items():
            number, index, key = name.split(".", 2)
            states[int(number)].setdefault(int(index), {})[key] = tensor
        for optimizer, state in zip(self.each, states, strict=True):
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})

    def _clip(self) -> float:
        assert self.clip is not None
        everything = [parameter for group in self.groups for parameter in group.parameters]
        return float(nn.utils.clip_grad_norm_(everything, self.clip))


def _optimizer(group: Group) -> torch.optim.Optimizer:
    if group.orthogonal:
        return StackedMuon(
            group.parameters, lr=group.rate, weight_decay=group.decay, momentum=0.95, adjust_lr_fn="match_rms_adamw"
        )
    return torch.optim.AdamW(group.parameters, lr=group.rate, betas=BETAS, weight_decay=group.decay, fused=True)


def all_alike(rate: float) -> Grouping:
    """Everything by AdamW at one rate, without decay."""
    return lambda model: [Group(list(model.parameters()), rate)]
