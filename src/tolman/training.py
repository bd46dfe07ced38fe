"""Minimise objectives within a wall-clock budget; survive a kill.

The run's place in its schedule is the larger of two shares: steps done of steps planned, and seconds spent of seconds
allowed. So a fast machine ends by its steps (and two runs are equal bit for bit), a slow one ends by the clock at the
same low learning rate. Every step draws from a generator of its own, seeded by (seed, step): a resumed run sees the
batches it would have seen.
"""

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tolman.errors import BudgetError
from tolman.objectives.objective import Objective
from tolman.progress import Progress
from tolman.storage import storing

CHECKPOINT_EVERY_S = 15.0
"""How much of a run is lost at most when it is killed."""
_QUALITY_EVERY = 0.1  # of the run
_SMOOTHING = 0.9


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: at most this many.
        seconds: at most this long.
        peak: learning rate after warm-up.
        warmup: steps of linear warm-up.
        floor: share of the peak that the linear decay ends at.
    """

    steps: int
    seconds: float
    peak: float
    warmup: int = 10
    floor: float = 0.02

    def place(self, step: int, elapsed: float) -> float:
        """Share of the run that is done, 0 to 1."""
        return max(step / self.steps, elapsed / self.seconds)

    def rate(self, step: int, elapsed: float) -> float:
        """Learning rate of the next step."""
        decay = 1 - (1 - self.floor) * min(1.0, self.place(step, elapsed))
        return self.peak * min(1.0, (step + 1) / self.warmup) * decay


@dataclass(frozen=True)
class Run:
    """What a training run did.

    Attributes:
        steps: taken, earlier tries included.
        seconds: of wall clock, earlier tries included.
        loss_first, loss_last: smoothed, in nats; None where no step was taken.
        diverged: whether a loss was not finite; the model is then as it was at the last good checkpoint.
    """

    steps: int
    seconds: float
    loss_first: float | None
    loss_last: float | None
    diverged: bool


def train(
    model: nn.Module,
    objectives: Sequence[tuple[float, Objective[Any]]],
    schedule: Schedule,
    *,
    seed: int,
    checkpoint: Path | None,
    recipe: str,
    progress: Progress,
    quality: Callable[[], float] | None = None,
) -> Run:
    """Train `model` in place on the weighted sum of `objectives`.

    Args:
        model: its parameters are learned.
        objectives: each with its weight in the loss; those that the corpus gives nothing to learn by are left out.
        schedule: length and learning rate.
        seed: of every draw.
        checkpoint: folder to resume from and to save to; None keeps nothing.
        recipe: fingerprint of all that determines the run; a checkpoint of another recipe is not resumed.
        progress: told objectives, loss, quality and how far it is.
        quality: label-free quality of the model as it stands, shown beside the loss.

    Raises:
        BudgetError: the schedule has no room for a single step.
        StorageError: a checkpoint can't be written.
    """
    if schedule.seconds <= 0 or schedule.steps < 1:
        raise BudgetError("the budget leaves no time for a single step; give more, e.g. --budget 60s")
    objectives = [(weight, objective) for weight, objective in objectives if objective.possible]
    if not objectives:
        progress.say("the documents are too few or too short to learn by: the start stays as it is")
        return _State().run(diverged=False)
    training = _Training(model, schedule, Checkpoint(checkpoint, recipe) if checkpoint else None, progress)
    progress.advance(0.0, objective=" + ".join(objective.name for _, objective in objectives))
    while training.place < 1:
        generator = np.random.default_rng([seed, training.state.step])
        loss = torch.stack([weight * objective.loss(model, generator) for weight, objective in objectives]).sum()
        if not math.isfinite(float(loss.detach())):
            training.go_back()
            return training.state.run(diverged=True)
        training.step(loss)
        training.show(quality)
        training.save_when_due()
    training.save()  # who is killed after this run and starts again gets it back at once
    return training.state.run(diverged=False)


class _Training:
    """A run under way: optimiser, clock, place in the schedule, last good weights."""

    def __init__(self, model: nn.Module, schedule: Schedule, keeper: "Checkpoint | None", progress: Progress) -> None:
        self.model, self.schedule, self.keeper, self.progress = model, schedule, keeper, progress
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=schedule.peak, betas=(0.9, 0.98), weight_decay=0.0, fused=True
        )
        self.state = _State()
        if keeper and (found := keeper.load(model, self.optimizer)):
            self.state = found
            progress.say(f"resuming at step {found.step} of at most {schedule.steps}")
        self.good = _copy(model)
        self.earlier = self.state.seconds
        self.started = self.saved = time.monotonic()
        progress.start("learning", 1.0)
        self.shown = self.place
        progress.advance(self.shown)

    @property
    def place(self) -> float:
        return min(1.0, self.schedule.place(self.state.step, self.state.seconds))

    def step(self, loss: Tensor) -> None:
        rate = self.schedule.rate(self.state.step, self.state.seconds)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.state.after_step(float(loss.detach()), self.earlier + time.monotonic() - self.started)

    def show(self, quality: Callable[[], float] | None) -> None:
        facts: dict[str, float | str] = {"loss": round(self.state.loss_last, 3)}
        if quality and self.place >= self.state.next_quality:
            facts["quality"] = round(quality(), 3)
            self.state.next_quality = self.place + _QUALITY_EVERY
        self.progress.advance(self.place - self.shown, **facts)
        self.shown = self.place

    def save_when_due(self) -> None:
        if self.keeper and time.monotonic() - self.saved > CHECKPOINT_EVERY_S:
            self.save()
            self.good = _copy(self.model)
            self.saved = time.monotonic()

    def save(self) -> None:
        if self.keeper:
            self.keeper.save(self.model, self.optimizer, self.state)

    def go_back(self) -> None:
        self.model.load_state_dict(self.good)
        self.progress.say("the loss is not finite any more: back to the last good weights")


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


@dataclass
class _State:
    step: int = 0
    seconds: float = 0.0
    loss_first: float = math.nan
    loss_last: float = math.nan
    next_quality: float = _QUALITY_EVERY

    def after_step(self, loss: float, seconds: float) -> None:
        self.step += 1
        self.seconds = seconds
        self.loss_first = loss if math.isnan(self.loss_first) else self.loss_first
        self.loss_last = loss if math.isnan(self.loss_last) else _SMOOTHING * self.loss_last + (1 - _SMOOTHING) * loss

    def run(self, *, diverged: bool) -> Run:
        first, last = (None if math.isnan(loss) else loss for loss in (self.loss_first, self.loss_last))
        return Run(self.step, self.seconds, first, last, diverged)


class Checkpoint:
    """Weights, optimiser moments and place of a run, in a folder; the newest whole one survives any kill."""

    def __init__(self, folder: Path, recipe: str) -> None:
        self.folder, self.recipe = folder, recipe

    def save(self, model: nn.Module, optimizer: torch.optim.Optimizer, state: _State) -> None:
        """Write beside, then rename.

        Raises:
            StorageError: the disk refuses.
        """
        from safetensors.torch import save_file

        tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
        for index, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in moments.items()}
        beside = self.folder / "checkpoint.safetensors.partial"
        with storing(f"can't write a checkpoint to {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file(tensors, beside, metadata={"recipe": self.recipe, "state": json.dumps(asdict(state))})
            os.replace(beside, self.folder / "checkpoint.safetensors")

    def load(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> _State | None:
        """Put the run back where it was; None where there is nothing of this recipe."""
        from safetensors import SafetensorError, safe_open

        path = self.folder / "checkpoint.safetensors"
        try:
            with safe_open(path, framework="pt") as stored:
                metadata = stored.metadata()
                if metadata["recipe"] != self.recipe:
                    return None
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        except (OSError, SafetensorError):
            return None
        model.load_state_dict(
            {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
        )
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".", 2)
                moments.setdefault(int(index), {})[key] = tensor
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        return _State(**json.loads(metadata["state"]))
