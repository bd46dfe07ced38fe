"""What several test files share: a space learned from the example tickets, and the command line in this process."""

import csv
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

# Started in the background of a script, we and our children would be deaf to Ctrl-C, which several tests press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TICKETS = Path(__file__).parents[1] / "examples" / "tickets.csv"


class Outcome(NamedTuple):
    code: int
    stdout: str
    stderr: str


Cli = Callable[..., Outcome]


@pytest.fixture(scope="session", autouse=True)
def _no_debugging() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TOLMAN_DEBUG", raising=False)
        yield


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Run `tolman ARGUMENTS` and give its exit code and what it wrote."""
    from tolman.cli import app

    def run(*arguments: object, stdin: str | None = None) -> Outcome:
        typed = [str(argument) for argument in arguments]
        outcome = CliRunner().invoke(app, typed, prog_name="tolman", input=stdin)
        if outcome.exception and not isinstance(outcome.exception, SystemExit):
            raise outcome.exception
        return Outcome(outcome.exit_code, outcome.stdout, outcome.stderr)

    return run


@pytest.fixture(scope="session")
def tickets_space(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """A space of examples/tickets.csv; for reading only."""
    path = tmp_path_factory.mktemp("spaces") / "tickets.space"
    outcome = cli(
        *("learn", TICKETS, "-o", path, "--text", "body", "--title", "subject", "--label", "topic", "--budget", "5s")
    )
    assert outcome.code == 0, outcome.stderr
    return path


@pytest.fixture
def own_space(tickets_space: Path, tmp_path: Path) -> Path:
    """A copy of `tickets_space` to change."""
    return Path(shutil.copytree(tickets_space, tmp_path / "tickets.space"))


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under `folder` with its content: what "nothing changed on disk" means."""
    return {os.fspath(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="session")
def dated_space(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """The tickets, with the day on which each was opened as text; for reading only."""
    folder = tmp_path_factory.mktemp("dated")
    with TICKETS.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = [json.dumps(row | {"opened": f"{row['year']}-{n % 12 + 1:02d}-15"}) for n, row in enumerate(rows)]
    (folder / "dated.jsonl").write_text("\n".join(lines), encoding="utf-8")
    options = ("--text", "body", "--title", "subject", "--label", "topic", "--budget", "5s")
    outcome = cli("learn", folder / "dated.jsonl", "-o", folder / "dated.space", *options)
    assert outcome.code == 0, outcome.stderr
    return folder / "dated.space"
