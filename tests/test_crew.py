import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import TICKETS
from safetensors.numpy import load_file

from tolman.crew import SOLO, Crew
from tolman.errors import TolmanError

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]


def told(monkeypatch, **environment):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_who_is_told_nothing_is_alone(monkeypatch):
    told(monkeypatch)
    assert Crew.of_environment() == SOLO
    assert SOLO.alone
    assert SOLO.leads
    with SOLO.gathered():
        assert SOLO.agreed(3.0) == 3.0
        assert SOLO.means({"a": 2.0}) == {"a": 2.0}


def test_every_process_and_every_objective_gets_a_batch(monkeypatch):
    told(monkeypatch, RANK="1", WORLD_SIZE="3", LOCAL_RANK="0")
    crew = Crew.of_environment()
    assert (crew.leads, crew.alone) == (False, False)
    assert [crew.batches(rounds, 1) for rounds in (2, 3, 6, 7)] == [3, 3, 6, 7]
    assert [crew.batches(rounds, 2) for rounds in (1, 4, 6, 7)] == [2, 4, 6, 7]
    assert [crew.batches(rounds, 4) for rounds in (1, 2, 8)] == [1, 1, 4]
    assert sorted(number for rank in range(3) for number in Crew(rank, 3).own(6)) == list(range(6))


@pytest.mark.parametrize("environment", [{"RANK": "2", "WORLD_SIZE": "2"}, {"RANK": "one"}, {"WORLD_SIZE": "0"}])
def test_an_environment_that_cannot_be_is_refused(environment, monkeypatch):
    told(monkeypatch, **environment)
    with pytest.raises(TolmanError, match="torchrun"):
        Crew.of_environment()


def test_two_processes_learn_what_one_learns(tmp_path):
    """The same global batch: one process computes all three batches of a step, the other computes one of them."""
    environment = {name: value for name, value in os.environ.items() if name not in {"RANK", "WORLD_SIZE"}}
    environment["OMP_NUM_THREADS"] = "1"  # as torchrun has it: with two, products are summed up in another order
    arguments = ["-m", "tolman", "learn", str(TICKETS), "--objectives", "masked,contrastive,autoencoding"]
    arguments += ["--steps", "2", "--budget", "300s", "--no-space", "-o"]
    printed = {}
    for name, command in {"one": [sys.executable], "two": TORCHRUN}.items():
        done = subprocess.run(
            [*command, *arguments, str(tmp_path / name)], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        printed[name] = done.stdout.split()
    assert printed == {name: [str(tmp_path / name)] for name in ("one", "two")}
    for file in ("model.safetensors", "bottleneck.safetensors"):
        one, two = (load_file(tmp_path / name / file) for name in ("one", "two"))
        assert one.keys() == two.keys()
        for name, tensor in one.items():
            np.testing.assert_allclose(two[name], tensor, atol=1e-5)
