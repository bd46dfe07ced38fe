"""Minimise objectives within a wall-clock budget; survive a kill, a divergence, and a hand on Ctrl-C.

The run's place in its schedule is the larger of two shares: steps done of steps planned, and seconds spent of seconds
allowed. So a run that ends by its steps is repeated bit for bit, one that ends by the clock anneals all the same. Every
step draws from a generator of its own, seeded by (seed, step): a resumed run sees the batches it would have seen.

A step has one or several batches, each of one objective, whose gradients are summed up. They are computed one after the
other, so that no more of them than one is in memory, and their states in the cache; or at the same time by a crew of
processes. Of two objectives each has as many as one alone; more share them out, see `Crew.batches`.
"""

import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from torch import Tensor, nn

from tolman.counting import counted
from tolman.crew import SOLO, Crew, apart
from tolman.effort import Effort, effort_of_step
from tolman.errors import BudgetError
from tolman.objectives.objective import Objective
from tolman.optimization import Optimizers
from tolman.progress import Progress
from tolman.storage import storing

# Batches of ever other sizes would each leave a prepared product of matrices behind, a thousand of them by default:
# some gigabytes. Read by the processor's library before its first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")

CHECKPOINT_EVERY_S = 15.0
"""How much of a run is lost at most when it is killed."""
_QUALITY_EVERY = 0.1  # of the run
_WATCHING = 0.05  # of the time, at most, goes into measuring quality
_SMOOTHING = 0.9
_ENDLESS = 10**9  # steps
_LEAST_SECONDS = 0.01
_MOST_RETREATS = 3
_RETREAT = 0.5  # of the rate, after each
_DIVERGED = 1.5  # times the largest loss of the first steps
_FIRST_STEPS = 10
_SHOWN_POINTS = 200  # of a curve


@dataclass(frozen=True)
class Schedule:
    """How long, and how the learning rate goes.

    Attributes:
        steps: at most this many.
        seconds: at most this long.
        warmup: share of the run in which the rate rises to its peak.
        floor: share of the peak that the linear decay ends at.
        knee: steps of a run, beyond which the peak falls with the square root of their number; None for never.
    """

    steps: int
    seconds: float
    warmup: float = 0.05
    floor: float = 0.02
    knee: int | None = None

    @classmethod
    def until(
        cls, ended: float, steps: int | None = None, *, warmup: float = 0.05, knee: int | None = None
    ) -> "Schedule":
        """Up to the moment `ended` of `time.monotonic`, and so many steps; one that has passed leaves time for one."""
        return cls(steps or _ENDLESS, max(ended - time.monotonic(), _LEAST_SECONDS), warmup, knee=knee)

    def place(self, step: int, elapsed: float) -> float:
        """Share of the run that is done, 0 to 1."""
        return max(step / self.steps, elapsed / self.seconds)

    def rate(self, step: int, elapsed: float) -> float:
        """Share of the peak learning rate of the next step."""
        place = min(1.0, self.place(step, elapsed))
        rise = max(self.place(step + 1, elapsed), place) / self.warmup if self.warmup else 1.0
        return self._peak(step, place) * min(1.0, rise) * (1 - (1 - self.floor) * place)

    def _peak(self, step: int, place: float) -> float:
        """Lower for a long run, whose length shows by how many steps have led how far."""
        if self.knee is None or not place:
            return 1.0
        return min(1.0, math.sqrt(self.knee * place / max(1, step)))


@dataclass(frozen=True)
class Point:
    """One point of a learning curve.

    Attributes:
        step, seconds: where.
        losses: smoothed, by objective, in nats.
        quality: on held-out questions; None where it wasn't measured.
    """

    step: int
    seconds: float
    losses: dict[str, float]
    quality: float | None


@dataclass(frozen=True)
class Run:
    """What a training run did.

    Attributes:
        steps: taken, earlier tries included.
        seconds: of wall clock, earlier tries included.
        tokens: seen, earlier tries included.
        flops: of all steps, see `tolman.effort`; 0 where nobody has a formula.
        loss_first, loss_last: weighted sum over objectives, smoothed, in nats; None where no step was taken.
        diverged: whether it was given up: again and again a loss was not finite or grew beyond where it began. The
            model is as it was at the last good checkpoint.
        interrupted: whether somebody stopped it.
        curve: how it went.
        resumed: steps at which it went on after a kill.
    """

    steps: int
    seconds: float
    tokens: int
    loss_first: float | None
    loss_last: float | None
    diverged: bool
    interrupted: bool
    curve: tuple[Point, ...]
    resumed: tuple[int, ...] = ()
    flops: float = 0.0


def train(
    model: nn.Module,
    objectives: Sequence[tuple[float, Objective[Any]]],
    schedule: Schedule,
    optimizers: Optimizers,
    *,
    seed: int,
    checkpoint: Path | None,
    recipe: str,
    progress: Progress,
    quality: Callable[[], float] | None = None,
    rounds: int = 1,
    crew: Crew = SOLO,
) -> Run:
    """Train `model` in place on the weighted sum of `objectives`.

    Args:
        model: its parameters are learned.
        objectives: each with its weight in the loss; those that the corpus gives nothing to learn by are left out.
        schedule: length and course of the learning rate.
        optimizers: of the model's parameters.
        seed: of every draw.
        checkpoint: folder to resume from and to save to; None keeps nothing.
        recipe: fingerprint of all that determines the run; a checkpoint of another recipe is not resumed.
        progress: told objectives, losses, quality, speed and how far it is.
        quality: label-free quality of the model as it stands, shown beside the loss.
        rounds: batches of a step of one objective; see `Crew.batches` for several.
        crew: who computes them.

    The first interrupt (Ctrl-C) ends the run after the step under way, with what was learned so far; a second one is
    raised as ever.

    Raises:
        BudgetError: the schedule has no room for a single step.
        StorageError: a checkpoint can't be written.
    """
    if schedule.seconds <= 0 or schedule.steps < 1:
        raise BudgetError("the budget leaves no time for a single step; give more, e.g. --budget 60s")
    objectives = [(weight, objective) for weight, objective in objectives if objective.possible]
    if not objectives:
        progress.say("the documents are too few or too short to learn by: the start stays as it is")
        return _State().run()
    keeper = Checkpoint(checkpoint, recipe) if checkpoint else None
    batches = _Batches(model, objectives, crew, seed=seed, each=crew.batches(rounds, len(objectives)))
    effort = effort_of_step(model, objectives, optimizers.groups, seed=seed, each=batches.each)
    training = _Training(model, schedule, optimizers, keeper, progress, effort=effort, crew=crew)
    progress.advance(0.0, objective=" + ".join(objective.name for _, objective in objectives))
    with _interrupts() as interrupted:
        while training.place < 1 and not crew.agreed(interrupted.is_set()):
            if training.step(batches):
                training.show(quality)
                training.save_when_due()
            elif not training.retreat():
                return training.run(diverged=True)
    training.save()  # who is killed after this run and starts again gets it back at once
    if interrupted.is_set():
        progress.say(f"stopped after {counted(training.state.step, 'step')}: what was learned so far is kept")
    return training.run(interrupted=interrupted.is_set())


class _Losses(nn.Module):
    """The loss of one batch, by any of the objectives."""

    def __init__(self, model: nn.Module, objectives: Sequence[Objective[Any]]) -> None:
        super().__init__()
        self.model, self.objectives = model, objectives

    def forward(self, which: int, generator: np.random.Generator) -> Tensor:
        return self.objectives[which].loss(self.model, generator)


class _Batches:
    """What one step learns from: so many batches of each objective, in turns."""

    def __init__(
        self,
        model: nn.Module,
        objectives: Sequence[tuple[float, Objective[Any]]],
        crew: Crew,
        *,
        seed: int,
        each: int,
    ) -> None:
        self.names, self.weights = [objective.name for _, objective in objectives], [weight for weight, _ in objectives]
        self.losses = crew.joined(_Losses(model, [objective for _, objective in objectives]))
        self.crew, self.seed, self.each = crew, seed, each

    def learn(self, step: int) -> tuple[float, dict[str, float]]:
        """Gradients of the weighted sum of all objectives' mean losses, into the parameters; that sum, and each."""
        own = self.crew.own(self.each * len(self.names))
        sums = dict.fromkeys(self.names, 0.0)
        share = self.crew.size / self.each  # of a batch in the loss, as the mean over processes is taken
        for number in own:
            which = number % len(self.names)
            with apart(self.losses, last=number == own[-1]):
                loss = self.losses(which, np.random.default_rng([self.seed, step, number]))
                (loss * (self.weights[which] * share)).backward()
            sums[self.names[which]] += float(loss.detach()) * share
        means = self.crew.means(sums)
        return sum(weight * means[name] for name, weight in zip(self.names, self.weights, strict=True)), means


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """An event that the first SIGINT sets; the second acts as it would have."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.getsignal(signal.SIGINT)

    def note(_number: int, _frame: FrameType | None) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


class _Training:
    """A run under way: optimisers, clock, place in the schedule, last good weights."""

    def __init__(
        self,
        model: nn.Module,
        schedule: Schedule,
        optimizers: Optimizers,
        keeper: "Checkpoint | None",
        progress: Progress,
        *,
        effort: Effort | None,
        crew: Crew,
    ) -> None:
        self.effort, self.crew = effort, crew
        self.model, self.schedule, self.optimizers = model, schedule, optimizers
        self.keeper, self.progress = keeper, progress
        self.state = _State()
        if keeper and (found := keeper.load(model, optimizers, progress)):
            self.state = found
            found.resumed.append(found.step)
            progress.say(f"resuming at step {found.step}")
        self.earlier, self.seen_before = self.state.seconds, self._tokens() - self.state.tokens
        self.started = time.monotonic()
        self.saved = self.state.seconds  # by the clock that all processes share: they must go back to the same weights
        self.watching = 0.0  # seconds spent on measuring quality
        self.remember()
        progress.start("learning", 1.0)
        self.shown = self.place
        progress.advance(self.shown)

    @property
    def place(self) -> float:
        """Share of the run that is done; a step that would end later than the budget by more than half isn't begun."""
        half_a_step = 0.5 * self.state.seconds / max(1, self.state.step)
        return min(1.0, self.schedule.place(self.state.step, self.state.seconds + half_a_step))

    def step(self, batches: _Batches) -> bool:
        """Learn from batches; False, and nothing learned, where the loss or its gradient is out of bounds."""
        self.optimizers.zero_grad()
        value, losses = batches.learn(self.state.step)
        if not math.isfinite(value) or self.state.astray:
            return False
        share = self.schedule.rate(self.state.step, self.state.seconds) * _RETREAT**self.state.retreats
        if not math.isfinite(self.optimizers.step(share)):
            return False
        elapsed = self.crew.agreed(self.earlier + time.monotonic() - self.started)
        self.state.tokens = (self._tokens() - self.seen_before) * self.crew.size
        self.state.after_step(value, losses, elapsed)
        return True

    def show(self, quality: Callable[[], float] | None) -> None:
        facts: dict[str, float | str] = {"step": self.state.step, "loss": round(self.state.loss_last, 3)}
        if len(self.state.losses) > 1:
            facts |= {name: round(loss, 3) for name, loss in self.state.losses.items()}
        if self.state.tokens:
            facts["tokens/s"] = round(self.state.tokens / max(self.state.seconds, 1e-3))
        measured = None
        if quality and self.state.next_quality <= self.place < 1 and self.watching <= _WATCHING * self.state.seconds:
            before = time.monotonic()
            measured = quality()
            self.watching += time.monotonic() - before
            facts["quality"] = round(measured, 3)
            self.state.next_quality = self.place + _QUALITY_EVERY
        self.state.mark(self.place, measured)
        self.progress.advance(self.place - self.shown, **facts)
        self.shown = self.place

    def save_when_due(self) -> None:
        if self.state.seconds - self.saved > CHECKPOINT_EVERY_S:
            self.save()
            self.remember()
            self.saved = self.state.seconds

    def save(self) -> None:
        if self.keeper and self.crew.leads:
            self.keeper.save(self.model, self.optimizers, self.state)

    def remember(self) -> None:
        """These weights are good."""
        self.good = _copy(self.model.state_dict()), _copy(dict(self.optimizers.moments()))

    def retreat(self) -> bool:
        """Back to the last good weights, and on at half the rate; False where that was tried too often."""
        weights, moments = self.good
        self.model.load_state_dict(weights)
        self.optimizers.remember(_copy(moments))
        self.state.retreats += 1
        self.state.loss_last = min(self.state.loss_last, self.state.loss_high)
        self.state.step += 1  # not the same batch again
        given_up = self.state.retreats > _MOST_RETREATS
        what = "given up" if given_up else "on at half the rate"
        self.progress.say(f"the loss went astray at step {self.state.step}: back to the last good weights, {what}")
        return not given_up

    def run(self, *, diverged: bool = False, interrupted: bool = False) -> Run:
        """What was done. What is computed twice to save memory counts once, whatever the model counted."""
        run = self.state.run(diverged=diverged, interrupted=interrupted)
        if self.effort is None:
            return run
        return replace(run, tokens=round(run.steps * self.effort.tokens), flops=run.steps * self.effort.flops)

    def _tokens(self) -> int:
        return int(getattr(self.model, "tokens_seen", 0))


def _copy(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in tensors.items()}


@dataclass
class _State:
    step: int = 0
    seconds: float = 0.0
    tokens: int = 0
    retreats: int = 0
    loss_first: float | None = None
    loss_last: float = math.nan
    loss_high: float = 1.0  # of the first steps, or more
    losses: dict[str, float] = field(default_factory=dict)
    next_quality: float = _QUALITY_EVERY
    curve: list[dict[str, Any]] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)

    def after_step(self, loss: float, losses: dict[str, float], seconds: float) -> None:
        self.step += 1
        self.seconds = seconds
        if self.loss_first is None:
            self.loss_first, self.loss_last, self.losses = loss, loss, losses
        if self.step <= _FIRST_STEPS:
            self.loss_high = max(self.loss_high, loss)
        self.loss_last = _smoothed(self.loss_last, loss)
        self.losses = {name: _smoothed(self.losses[name], part) for name, part in losses.items()}

    @property
    def astray(self) -> bool:
        """Whether the loss has grown well beyond where it began."""
        return self.loss_last > _DIVERGED * self.loss_high

    def mark(self, place: float, quality: float | None) -> None:
        """A point of the curve, where one is due."""
        if quality is not None or place * _SHOWN_POINTS >= len(self.curve):
            self.curve.append(asdict(Point(self.step, self.seconds, dict(self.losses), quality)))

    def run(self, *, diverged: bool = False, interrupted: bool = False) -> Run:
        last = None if math.isnan(self.loss_last) else self.loss_last
        curve = tuple(Point(**point) for point in self.curve)
        told = self.loss_first, last, diverged, interrupted, curve, tuple(self.resumed)
        return Run(self.step, self.seconds, self.tokens, *told)


def _smoothed(before: float, now: float) -> float:
    return _SMOOTHING * before + (1 - _SMOOTHING) * now


class Checkpoint:
    """Weights, optimiser moments and place of a run, in a folder; the newest whole one survives any kill."""

    def __init__(self, folder: Path, recipe: str) -> None:
        self.folder, self.recipe = folder, recipe

    def save(self, model: nn.Module, optimizers: Optimizers, state: _State) -> None:
        """Write beside, then rename.

        Raises:
            StorageError: the disk refuses.
        """
        from safetensors.torch import save_file

        tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
        tensors |= {f"optimizer.{name}": value.contiguous() for name, value in optimizers.moments()}
        beside = self.folder / "checkpoint.safetensors.partial"
        with storing(f"can't write a checkpoint to {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file(tensors, beside, metadata={"recipe": self.recipe, "state": json.dumps(asdict(state))})
            os.replace(beside, self.folder / "checkpoint.safetensors")

    def load(self, model: nn.Module, optimizers: Optimizers, progress: Progress) -> _State | None:
        """Put the run back where it was; None where there is nothing of this recipe, or it is damaged."""
        from safetensors import SafetensorError, safe_open

        path = self.folder / "checkpoint.safetensors"
        try:
            with safe_open(path, framework="pt") as stored:
                metadata = stored.metadata()
                if metadata["recipe"] != self.recipe:
                    return None
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, KeyError, TypeError) as error:
            progress.say(f"{path} can't be read ({error}): learning begins anew")
            return None
        model.load_state_dict(_under("model.", tensors))
        optimizers.remember(_under("optimizer.", tensors))
        return _State(**json.loads(metadata["state"]))


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
