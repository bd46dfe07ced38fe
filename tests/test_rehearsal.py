import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import write_causal, write_transformer
from conftest import TICKETS, Cli, tree
from tiny import tiny_encoder

import tolman
from tolman import learning
from tolman.ceiling import matrix_ceiling
from tolman.cost import Stopwatch
from tolman.errors import SourceError, SpaceError, TolmanError
from tolman.learners import LEARNERS
from tolman.prediction import GROUPS, grouped, show_flops, show_prediction
from tolman.progress import Silent
from tolman.rehearsal import REHEARSALS, Rehearsed, _part_of_exam, _spread_out, _step_seconds
from tolman.training import Point, train

COLUMNS = {"text": "body", "title": "subject", "label": "topic"}
STATIC = {"budget": "1h", "size": "tiny"}  # steps end it
TRANSFORMER = {"budget": "6s", "base": "transformer", "size": "tiny"}


@pytest.mark.parametrize("asked", [STATIC, TRANSFORMER], ids=["static", "transformer"])
def test_what_is_predicted_is_what_is_counted(tmp_path, asked):
    predicted = tolman.predict_cost(TICKETS, tmp_path / "t.space", **COLUMNS, **asked)
    assert tree(tmp_path) == {}
    cost = tolman.learn(TICKETS, tmp_path / "t.space", **COLUMNS, **(asked | {"budget": "6s"})).description.cost
    assert set(predicted.stages) == set(grouped(cost["stages"]))
    assert cost["work"]["tokens"] > 0
    for name in ("tokens", "flops"):  # a step of one is a step of the other
        predicted_step, counted_step = (
            work[name] / work["steps"] for work in (predicted.to_json()["work"], cost["work"])
        )
        assert predicted_step == pytest.approx(counted_step, rel=0.1)
    assert predicted.peak_bytes == pytest.approx(cost["peak_bytes"], rel=0.3)
    assert predicted.wall_seconds == pytest.approx(sum(predicted.stages.values()))


def test_a_static_run_that_its_steps_end_has_as_many_as_predicted(tmp_path, monkeypatch):
    """Unless another recipe wins, and with it others are tried."""
    monkeypatch.setattr("tolman.scratch.Trial.beats", lambda *_: False)
    asked = COLUMNS | STATIC
    predicted = tolman.predict_cost(TICKETS, **asked)
    counted = tolman.learn(TICKETS, tmp_path / "t.space", **asked).description.cost["work"]
    assert predicted.to_json()["work"] == pytest.approx(counted, rel=1e-3)


def test_a_long_run_predicts_itself_and_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setattr(learning, "WORTH_PREDICTING", 1.0)
    space = tolman.learn(TICKETS, tmp_path / "t.space", budget="3s", **COLUMNS)
    predicted = space.description.cost["predicted"]
    assert predicted["work"]["steps"] > 0
    assert "| predicted wall time |" in (space.path / "card.md").read_text()
    monkeypatch.setattr(learning, "WORTH_PREDICTING", 10.0)
    short = tolman.learn(TICKETS, tmp_path / "s.space", budget="3s", **COLUMNS)
    assert short.description.cost["predicted"] is None
    assert "predicted" not in (short.path / "card.md").read_text()


def test_a_model_that_is_taken_as_it_is_computes_nothing(tmp_path):
    tiny_encoder().save(tmp_path / "model")
    predicted = tolman.predict_cost(TICKETS, base=tmp_path / "model", **COLUMNS)
    assert predicted.work is None
    assert "learning" not in predicted.stages
    assert predicted.stages["encoding"] > 0


@pytest.mark.parametrize(
    ("asked", "place"), [(STATIC, "tolman.scratch.train"), (TRANSFORMER, "tolman.transformer_learning.train")]
)
def test_who_stops_a_rehearsal_stops_the_run(tmp_path, monkeypatch, asked, place):
    monkeypatch.setattr(learning, "WORTH_PREDICTING", 1.0)
    monkeypatch.setattr(place, lambda *given, **named: replace(train(*given, **named), interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        tolman.learn(TICKETS, tmp_path / "t.space", **COLUMNS, **asked)
    assert not (tmp_path / "t.space").exists()


def test_every_learner_can_be_rehearsed():
    assert set(REHEARSALS) == set(LEARNERS)


def test_learning_on_is_predicted(tmp_path):
    asked = {"base": str(write_transformer(tmp_path / "bert")), "objectives": "contrastive", "budget": "4s", **COLUMNS}
    before = tree(tmp_path)
    predicted = tolman.predict_cost(TICKETS, **asked)
    assert tree(tmp_path) == before
    cost = tolman.learn(TICKETS, tmp_path / "t.space", **asked).description.cost
    assert set(predicted.stages) == set(grouped(cost["stages"]))
    told, counted = predicted.to_json()["work"], cost["work"]
    assert told["flops"] / told["steps"] == pytest.approx(counted["flops"] / counted["steps"], rel=0.1)


def test_learning_on_from_a_causal_model_is_predicted(tmp_path):
    asked = {"base": str(write_causal(tmp_path / "llama", "llama")), "objectives": "causal", "budget": "4s", **COLUMNS}
    predicted = tolman.predict_cost(TICKETS, **asked)
    model = tolman.learn_model(TICKETS, tmp_path / "t.model", **asked)
    cost = json.loads((model / "model.json").read_text())["cost"]
    assert set(predicted.stages) == set(grouped(cost["stages"]))
    told, counted = predicted.to_json()["work"], cost["work"]
    assert told["tokens"] / told["steps"] == counted["tokens"] / counted["steps"]
    assert dict(show_prediction(predicted))["computed"] == "FLOPs not counted"  # nobody has a formula for all of them


def test_the_command_prints_json_and_leaves_nothing(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = cli("learn", TICKETS, "--budget", "2s", "--dry-run", "--json")
    assert outcome.code == 0
    told = json.loads(outcome.stdout)
    assert {"stages", "work", "wall_seconds", "cpu_seconds", "peak_bytes", "energy_joules", "ceiling"} <= set(told)
    assert tree(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []
    shown = cli("learn", TICKETS, "--budget", "2s", "--dry-run").stdout
    assert [line.split()[0] for line in shown.splitlines()][:3] == ["starting", "reading", "questions"]


def test_json_without_a_dry_run_is_wrong_usage(cli: Cli) -> None:
    assert cli("learn", TICKETS, "--json").code == 2


def test_what_learn_refuses_a_dry_run_refuses(tmp_path):
    (tmp_path / "t.space").write_text("mine")
    with pytest.raises(SpaceError, match="not a space"):
        tolman.predict_cost(TICKETS, tmp_path / "t.space")
    with pytest.raises(SourceError, match="at least 2"):
        tolman.predict_cost(["one"])
    with pytest.raises(TolmanError, match="objectives"):
        tolman.predict_cost(TICKETS, objectives="magic")


class Slow:
    family, dim = "slow", 4

    def __init__(self, clock):
        self.clock, self.seen = clock, 0

    def encode(self, texts, role="document"):
        self.seen += len(texts)
        self.clock[0] += 0.01 * len(texts)
        return np.eye(4, dtype=np.float32)[np.arange(len(texts)) % 4]


@pytest.mark.parametrize("count", [3, 50, 1000])
def test_what_an_encoder_left_out_is_counted(monkeypatch, count):
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    encoder, watch = Slow(clock), Stopwatch(Silent())
    vectors = Rehearsed(encoder, watch).encode([f"text {'x' * i}" for i in range(count)])
    watch.lap()
    assert encoder.seen <= min(count, 100)
    assert watch.wall["starting"] == pytest.approx(0.01 * count)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)


def test_groups_are_neighbours_and_the_first_come_from_all_over():
    groups = _spread_out(np.arange(1000))
    np.testing.assert_array_equal(np.sort(np.concatenate(groups)), np.arange(1000))
    assert all((np.diff(group) == 1).all() for group in groups)
    firsts = sorted(int(group[0]) for group in groups[:4])
    assert firsts[0] < 250 <= firsts[1] < 500
    assert firsts[-1] > 700


def test_a_step_is_timed_without_what_watches_it():
    seconds = [1.0, 2.0, 3.0, 8.0, 9.0, 10.0]  # quality, measured after the third, took 4 s
    curve = [Point(step + 1, second, {}, 0.5 if step == 2 else None) for step, second in enumerate(seconds)]
    assert _step_seconds(curve) == pytest.approx(1.0)


def test_a_part_of_the_text_stands_for_all_of_it():
    from tolman.judge import Exam

    exam = Exam(["t"] * 400, ["x" * (i + 1) for i in range(400)], np.empty(0, np.int64), [], [], natural=False)
    part, share = _part_of_exam(exam, 8_000, 0)
    assert sum(map(len, part.texts)) == pytest.approx(8_000, rel=0.06)
    assert share * sum(map(len, part.texts)) == pytest.approx(sum(map(len, exam.texts)))
    assert not part.natural
    assert _part_of_exam(exam, 10**9, 0) == (exam, 1.0)


def test_stages_have_the_names_that_are_announced(tmp_path):
    cost = tolman.learn(TICKETS, tmp_path / "t.space", budget="2s", **COLUMNS).description.cost
    assert set(cost["stages"]) <= set(GROUPS)
    assert sum(cost["stages"].values()) == pytest.approx(cost["wall_seconds"], rel=0.05)


def test_products_are_as_fast_as_they_are():
    assert 1e8 < matrix_ceiling("float32", torch.device("cpu")) < 1e16


@pytest.mark.parametrize(("flops", "shown"), [(3.14e12, "3.14 TFLOP"), (2e6, "2 MFLOP"), (1.5e15, "1.5 PFLOP")])
def test_operations_in_units_that_people_use(flops, shown):
    assert show_flops(flops) == shown
