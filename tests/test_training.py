import dataclasses
import signal

import numpy as np
import pytest
import torch
from torch import nn

from tolman import training
from tolman.errors import BudgetError
from tolman.optimization import Optimizers, all_alike
from tolman.progress import Silent
from tolman.training import Schedule, train


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(3))


@dataclasses.dataclass
class Fit:
    """Least squares to y = x . (1, 2, 3); `broken_at` makes a loss infinite, `killed_at` raises as a kill would."""

    broken_at: int = -1
    killed_at: int = -1
    always_broken: bool = False
    name: str = "fit"
    possible: bool = True
    calls: int = 0

    def loss(self, model, generator):
        self.calls += 1
        if self.calls == self.killed_at:
            raise KeyboardInterrupt
        x = torch.from_numpy(generator.standard_normal((8, 3)).astype(np.float32))
        error = ((x @ (model.slope - torch.tensor([1.0, 2.0, 3.0]))) ** 2).mean()
        return error * float("inf") if self.always_broken or self.calls == self.broken_at else error


SCHEDULE = Schedule(steps=300, seconds=60)


def by_adamw(model):
    return Optimizers(all_alike(0.1)(model))


def run(model, objective, tmp_path=None, recipe="r", schedule=SCHEDULE):
    arguments = {"seed": 0, "checkpoint": tmp_path, "recipe": recipe, "progress": Silent()}
    return train(model, [(1.0, objective)], schedule, by_adamw(model), **arguments)


def test_it_learns():
    model = Line()
    result = run(model, Fit())
    assert result.steps == 300
    assert result.loss_last < result.loss_first
    np.testing.assert_allclose(model.slope.detach(), [1, 2, 3], atol=0.05)


def test_a_killed_run_resumes_bit_for_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_EVERY_S", 0.0)
    straight, resumed = Line(), Line()
    run(straight, Fit())
    with pytest.raises(KeyboardInterrupt):
        run(resumed, Fit(killed_at=120), tmp_path)
    fresh, objective = Line(), Fit()
    resumed_run = run(fresh, objective, tmp_path)
    assert objective.calls < 300
    assert resumed_run.resumed == (300 - objective.calls,)
    torch.testing.assert_close(fresh.slope, straight.slope, rtol=0, atol=0)


def test_a_checkpoint_of_another_recipe_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_EVERY_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        run(Line(), Fit(killed_at=120), tmp_path)
    objective = Fit()
    run(Line(), objective, tmp_path, recipe="another")
    assert objective.calls == 300


def test_a_loss_that_is_not_finite_goes_back(tmp_path):
    model = Line()
    result = run(model, Fit(broken_at=50), tmp_path)
    assert (result.diverged, result.steps) == (False, 300)
    assert torch.isfinite(model.slope).all()


def test_a_loss_that_is_not_finite_from_the_start_is_no_number_in_the_report():
    result = run(Line(), Fit(always_broken=True))
    assert (result.diverged, result.loss_first, result.loss_last) == (True, None, None)


def test_a_loss_that_grows_is_given_up_and_leaves_good_weights():
    class Growing(Fit):
        def loss(self, model, generator):
            return super().loss(model, generator) + 1e6 * (self.calls > 20)

    model, growing = Line(), Growing()
    result = run(model, growing)
    assert result.diverged
    assert growing.calls < 40
    assert torch.isfinite(model.slope).all()


def test_an_interrupt_ends_the_run_with_what_was_learned():
    class Interrupting(Fit):
        def loss(self, model, generator):
            if self.calls == 50:
                signal.raise_signal(signal.SIGINT)
            return super().loss(model, generator)

    model, before = Line(), signal.getsignal(signal.SIGINT)
    result = run(model, Interrupting())
    assert (result.interrupted, result.steps) == (True, 51)
    assert model.slope.abs().sum() > 0
    assert signal.getsignal(signal.SIGINT) is before


def test_the_curve_goes_from_the_first_step_to_the_last():
    result = run(Line(), Fit())
    steps = [point.step for point in result.curve]
    assert steps == sorted(set(steps))
    assert steps[0] == 1
    assert steps[-1] > 290
    assert result.curve[-1].losses["fit"] < result.curve[0].losses["fit"]


def test_what_there_is_nothing_to_learn_by_is_left_out():
    alone, beside = Line(), Line()
    schedule = Schedule(steps=20, seconds=60)
    run(alone, Fit(), schedule=schedule)
    idle = Fit(possible=False)
    arguments = {"seed": 0, "checkpoint": None, "recipe": "r", "progress": Silent()}
    train(beside, [(1.0, idle), (1.0, Fit())], schedule, by_adamw(beside), **arguments)
    torch.testing.assert_close(alone.slope, beside.slope, rtol=0, atol=0)
    assert train(alone, [(1.0, idle)], schedule, by_adamw(alone), **arguments).steps == idle.calls == 0


def test_whoever_watches_sees_objective_loss_and_quality():
    class Watching(Silent):
        def __init__(self):
            self.facts = {}

        def advance(self, amount=1.0, **facts):
            self.facts |= facts

    watcher, schedule, model = Watching(), Schedule(steps=20, seconds=60), Line()
    arguments = {"seed": 0, "checkpoint": None, "recipe": "r", "progress": watcher, "quality": lambda: 0.5}
    train(model, [(1.0, Fit()), (0.5, Fit(name="other"))], schedule, by_adamw(model), **arguments)
    assert (watcher.facts["objective"], watcher.facts["quality"]) == ("fit + other", 0.5)
    assert watcher.facts["loss"] > 0


def test_the_clock_ends_a_slow_run():
    result = run(Line(), Fit(), schedule=Schedule(steps=10**9, seconds=0.3))
    assert result.seconds == pytest.approx(0.3, rel=0.05)


def test_the_rate_warms_up_and_decays_to_its_floor():
    schedule = Schedule(steps=100, seconds=1e9, warmup=0.1, floor=0.02)
    rates = [schedule.rate(step, 0.0) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9]
    assert schedule.rate(100, 0.0) == pytest.approx(0.02)
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert len(set(rates[9:])) == len(rates[9:])


def test_the_peak_of_a_long_run_is_lower_whether_steps_or_the_clock_end_it():
    short, long = (Schedule(steps, 1e9, warmup=0.1, knee=600) for steps in (400, 2_400))
    assert max(short.rate(step, 0.0) for step in range(400)) == pytest.approx(0.9, abs=0.01)
    assert max(long.rate(step, 0.0) for step in range(2_400)) == pytest.approx(0.9 / 2, abs=0.01)
    clock = Schedule(10**9, 240.0, warmup=0.1, knee=600)  # ten steps a second
    assert clock.rate(1_200, 120.0) == pytest.approx(long.rate(1_200, 0.0))
    assert Schedule(10**9, 240.0, warmup=0.0, knee=600).rate(0, 0.0) == 1.0


@pytest.mark.parametrize(("steps", "seconds"), [(10, 0.0), (10, -1.0), (0, 5.0)])
def test_no_room_for_a_step_is_an_error(steps, seconds):
    with pytest.raises(BudgetError, match="--budget"):
        run(Line(), Fit(), schedule=Schedule(steps=steps, seconds=seconds))
