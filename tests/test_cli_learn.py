from pathlib import Path

import pytest
from conftest import TICKETS, Cli

from tolman.cli.learn import default_output


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


def test_progress_goes_to_stderr_and_the_result_to_stdout(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "t.space"
    outcome = cli("learn", TICKETS, "-o", path, "--text", "body", "--title", "subject", "--budget", "2s")
    assert outcome.code == 0
    assert str(path) in outcome.stdout
    assert "2 of 300 documents are exact duplicates and are merged\n" in outcome.stderr
    assert (path / "space.json").exists()
    assert (path / "card.md").exists()


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


def test_wrong_usage_is_2(cli: Cli) -> None:
    assert cli("learn").code == 2
    assert cli("learn", TICKETS, "--size", "huge").code == 2
