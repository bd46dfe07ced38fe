import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import TICKETS, Cli
from tiny import tiny_encoder

from tolman.cli.learn import default_output
from tolman.models import load_encoder
from tolman.space.space import open_space

CHECKPOINT_EVERY_STEP = (
    "from tolman import training; training.CHECKPOINT_EVERY_S = 0; from tolman.cli import main; main()"
)


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("data/tickets.csv.gz", "tickets.space"),
        ("python:stdlib", "stdlib.space"),
        ("python:numpy.linalg", "numpy.linalg.space"),
        ("papers/", "papers.space"),
    ],
)
def test_a_name_follows_from_the_source(source: str, output: str) -> None:
    assert default_output(source) == Path(output)


def test_a_model_is_named_after_its_source_too() -> None:
    assert default_output("data/tickets.csv.gz", ".model") == Path("tickets.model")


def test_only_the_model_is_kept(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = cli("learn", TICKETS, "--no-space", "--size", "tiny", "--budget", "2s")
    assert (outcome.code, outcome.stdout) == (0, "tickets.model\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["tickets.model"]
    assert load_encoder(tmp_path / "tickets.model").family == "static"
    assert "tickets.model/card.md" in outcome.stderr
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    refused = cli("learn", TICKETS, "--no-space", "-o", "mine")
    assert (refused.code, refused.stdout) == (1, "")
    assert refused.stderr == "error: mine exists and is not a learned model: choose another name, or move it away\n"
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


def test_progress_goes_to_stderr_and_the_result_to_stdout(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "t.space"
    outcome = cli("learn", TICKETS, "-o", path, "--text", "body", "--title", "subject", "--budget", "2s")
    assert outcome.code == 0
    assert str(path) in outcome.stdout
    assert "2 of 300 documents are exact duplicates: merged\n" in outcome.stderr
    assert (path / "space.json").exists()
    assert (path / "card.md").exists()


def small(folder: Path) -> Path:
    source = folder / "two.csv"
    source.write_text("text\nwhere is my refund\nthe lamp is broken\n")
    return source


@pytest.mark.parametrize(
    ("started", "told"),
    [
        ("on the path", "tolman"),
        ("elsewhere", "{folder}/'other bin'/tolman"),
        (".venv/bin/tolman", ".venv/bin/tolman"),
        ("/x/tolman/__main__.py", f"{sys.executable} -m tolman"),
    ],
)
def test_the_hint_is_what_can_be_typed(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: str, told: str
) -> None:
    for folder in ("bin", "other bin"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tolman").touch(mode=0o755)
    places = {"on the path": f"{tmp_path}/bin/tolman", "elsewhere": f"{tmp_path}/other bin/tolman"}
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    monkeypatch.setattr(sys, "argv", [places.get(started, started)])
    outcome = cli("learn", small(tmp_path), "-o", tmp_path / "my $own.space", "--budget", "1")
    assert outcome.code == 0, outcome.stderr
    assert re.fullmatch(r"\S+/my \$own\.space: 2 documents, \d+ dimensions?\n", outcome.stdout)
    typed = shlex.split(outcome.stderr.splitlines()[-1].partition("; try: ")[2])
    program = shlex.split(told.format(folder=tmp_path))
    assert typed == [*program, "search", f"{tmp_path}/my $own.space", "your question"]


def test_one_dimension_is_one(cli: Cli, tmp_path: Path) -> None:
    tiny_encoder(dim=1).save(tmp_path / "model")
    outcome = cli("learn", small(tmp_path), "-o", tmp_path / "x.space", "--base", tmp_path / "model")
    assert outcome.stdout == f"{tmp_path}/x.space: 2 documents, 1 dimension\n"
    assert "static, 1 dimension, " in cli("info", tmp_path / "x.space").stdout
    space = open_space(tmp_path / "x.space")
    space.remove([space.table(["id"])["id"][0].as_py()])
    assert repr(space).endswith(f"1 document, 1 dimension, version {space.version})")


def test_an_empty_path_is_no_path(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (("learn", TICKETS, "-o", ""), ("search", "", "refund"), ("info", "")):
        outcome = cli(*arguments)
        assert (outcome.code, outcome.stdout) == (2, "")
        assert "expected a path, got an empty one: the folder you are in is called '.'" in outcome.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("none.csv",),
        (TICKETS, "--budget", "0"),
        (TICKETS, "--budget", "abc"),
        (TICKETS, "--text", "nothere"),
        (TICKETS, "--base", "no-such-base"),
        (TICKETS, "--objectives", "magic"),
        ("python:no_such_package",),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = cli("learn", *arguments, "-o", "t.space")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr.splitlines()[-1].startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def test_the_help_says_what_the_budget_does_not_bound(cli: Cli) -> None:
    words = " ".join(cli("learn", "--help").stdout.split())
    assert "The budget ends training. What training starts from counts into it but isn't cut short" in words


def test_wrong_usage_is_2(cli: Cli) -> None:
    assert cli("learn").code == 2
    assert cli("learn", TICKETS, "--size", "huge").code == 2


def test_killed_while_training_it_goes_on_and_ends_the_same(cli: Cli, tmp_path: Path) -> None:
    def arguments(name: str) -> tuple[str, ...]:  # the budget is long: steps end it, on any machine
        return ("learn", str(TICKETS), "-o", str(tmp_path / name), "--size", "tiny", "--budget", "1h")

    assert cli(*arguments("whole.space")).code == 0
    workshop = tmp_path / "killed.space.learning.partial"
    with subprocess.Popen([sys.executable, "-c", CHECKPOINT_EVERY_STEP, *arguments("killed.space")]) as child:
        while not list(workshop.glob("trial-*/checkpoint.safetensors")):
            assert child.poll() is None
            time.sleep(0.001)
        child.kill()
    assert not (tmp_path / "killed.space").exists()
    first_try = json.loads((workshop / "cost.json").read_text())
    assert first_try["cpu_seconds"] > 0
    (workshop / "cost.json").write_text(json.dumps(first_try | {"cpu_seconds": 1000.0, "wall_seconds": 2000.0}))
    outcome = cli(*arguments("killed.space"))
    assert outcome.code == 0, outcome.stderr
    assert re.search(r"^resuming at step [1-9]", outcome.stderr, re.MULTILINE)
    whole, killed = (open_space(tmp_path / name).description for name in ("whole.space", "killed.space"))
    assert killed.encoder.fingerprint == whole.encoder.fingerprint
    assert killed.recipe["run"]["steps"] == whole.recipe["run"]["steps"]
    assert killed.cost["cpu_seconds"] > 1000
    assert killed.cost["wall_seconds"] > 2000
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["killed.space", "whole.space"]
