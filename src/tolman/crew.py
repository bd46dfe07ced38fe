"""Processes that learn one model together, as `torchrun` starts them.

All of them draw the same batches and each computes its part of every step; gradients are averaged by PyTorch's
DistributedDataParallel (Li et al. 2020, arXiv:2006.15704). What must not differ between them, the clock above all, is
what the first one says.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tolman.errors import TolmanError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


_PATIENCE = timedelta(days=7)  # the others wait while the first judges and builds


@dataclass(frozen=True)
class Crew:
    """Who learns.

    Attributes:
        rank: of this process; the first is 0.
        size: how many there are.
        local: rank on this machine, which is the number of its GPU.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @classmethod
    def of_environment(cls) -> "Crew":
        """As `torchrun` says; one alone where nobody does.

        Raises:
            TolmanError: the environment says something that can't be.
        """
        told = {name: os.environ.get(name, usual) for name, usual in (("RANK", "0"), ("WORLD_SIZE", "1"))}
        told["LOCAL_RANK"] = os.environ.get("LOCAL_RANK", told["RANK"])
        try:
            rank, size, local = (int(number) for number in told.values())
        except ValueError:
            rank, size, local = -1, 0, 0
        if not 0 <= rank < size:
            named = " ".join(f"{name}={value}" for name, value in told.items())
            raise TolmanError(f"expected RANK and WORLD_SIZE as torchrun sets them, got {named}")
        return cls(rank, size, local)

    @property
    def alone(self) -> bool:
        """Whether nobody else learns."""
        return self.size == 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that reports, keeps checkpoints and writes what was learned."""
        return self.rank == 0

    @property
    def device(self) -> "torch.device":
        """Where this process computes."""
        import torch

        return torch.device("cuda", self.local) if torch.cuda.is_available() else torch.device("cpu")

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """The processes joined, for as long as they learn."""
        if self.alone:
            yield
            return
        import torch

        if torch.cuda.is_available():
            torch.cuda.set_device(self.local)
        backend = "nccl" if torch.cuda.is_available() else "gloo"
        torch.distributed.init_process_group(backend, timeout=_PATIENCE)
        try:
            yield
        finally:
            torch.distributed.destroy_process_group()

    def batches(self, rounds: int, objectives: int) -> int:
        """How many each of so many objectives gets, of a step that has so many rounds: all of them if there are two,
        fewer if there are more, so that a step grows to twice as many at most; but one at least, and together at least
        one for every process."""
        return max(1, min(rounds, 2 * rounds // objectives), -(-self.size // objectives))

    def own(self, batches: int) -> range:
        """Those of the batches of a step that this process computes."""
        return range(self.rank, batches, self.size)

    def joined(self, model: "nn.Module") -> "nn.Module":
        """`model` with gradients that are averaged over all; every process begins with the parameters of the first."""
        if self.alone:
            return model
        from torch.nn.parallel import DistributedDataParallel

        # Where one objective uses all of a model it says so at the first step; with several none does.
        warnings.filterwarnings("ignore", message="find_unused_parameters=True was specified")
        return DistributedDataParallel(model, find_unused_parameters=True)

    def agreed(self, number: float) -> float:
        """What the first process says it is."""
        return number if self.alone else self._shared(number, lambda told, group: group.broadcast(told, 0))

    def means(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """Of every number, over all."""
        if self.alone:
            return dict(numbers)
        sums = {
            name: self._shared(number, lambda told, group: group.all_reduce(told)) for name, number in numbers.items()
        }
        return {name: total / self.size for name, total in sums.items()}

    def wait(self) -> None:
        """Until all have come so far."""
        if not self.alone:
            self.agreed(0.0)

    def _shared(self, number: float, share: "Callable[[Tensor, Any], Any]") -> float:
        import torch

        told = torch.tensor(number, dtype=torch.float64, device=self.device)
        share(told, torch.distributed)
        return float(told)


SOLO = Crew()


def apart(model: Any, *, last: bool) -> AbstractContextManager[None]:
    """Where gradients are only summed up; averaged over all processes after the last batch."""
    if last or not hasattr(model, "no_sync"):
        return nullcontext()
    unsynced: AbstractContextManager[None] = model.no_sync()
    return unsynced
