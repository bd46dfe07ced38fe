import errno
import os
import signal
import subprocess
import sys

import pytest
from click.exceptions import Exit
from click.testing import CliRunner
from conftest import Cli

from tolman.cli.exits import Verbs
from tolman.errors import QueryError, SpaceMismatch, TolmanError

ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "TOLMAN_DEBUG"}


def run_raising(error: BaseException) -> tuple[int, str, str]:
    app = Verbs()

    @app.command()
    def fail() -> None:
        raise error

    outcome = CliRunner().invoke(app, ["fail"])
    assert isinstance(outcome.exception, SystemExit | None), outcome.exception
    return outcome.exit_code, outcome.stdout, outcome.stderr


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (TolmanError("expected x, got y"), 1, "error: expected x, got y\n"),
        (QueryError("two\nlines"), 1, "error: two lines\n"),
        (QueryError("clear \x1b[2J"), 1, "error: clear \ufffd[2J\n"),
        (
            SpaceMismatch("the head", expected="a" * 64, got="b" * 64),
            1,
            "error: the head belongs to another latent space: expected encoder aaaaaaaaaaaa, got bbbbbbbbbbbb\n",
        ),
        (OSError(errno.ENOSPC, "x", "f.bin"), 1, "error: the disk said no space left: f.bin\n"),
        (PermissionError(errno.EACCES, "x", "f.bin"), 1, "error: the disk said not permitted: f.bin\n"),
        (KeyboardInterrupt(), 130, "error: interrupted; what was committed is kept\n"),
        (Exit(5), 5, ""),
    ],
)
def test_an_error_is_one_line_and_a_code(
    error: BaseException, code: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOLMAN_DEBUG", raising=False)
    assert run_raising(error) == (code, "", line)


def test_debugging_lets_the_error_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLMAN_DEBUG", "1")
    with pytest.raises(AssertionError) as caught:
        run_raising(QueryError("why"))
    assert "QueryError" in repr(caught.value)


@pytest.mark.parametrize(("debug", "lines"), [("", 1), ("1", None)])
def test_a_bug_is_one_line_too(debug: str, lines: int | None) -> None:
    script = "import tolman.cli as c\n@c.app.command()\ndef crash():\n  {}['x\\ny']\nc.main()"
    outcome = subprocess.run(
        [sys.executable, "-c", script, "crash"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT | {"TOLMAN_DEBUG": debug},
        check=False,
    )
    assert outcome.returncode == 1
    assert "KeyError" in outcome.stderr
    assert ("Traceback" in outcome.stderr) == bool(debug)
    assert lines is None or outcome.stderr.count("\n") == lines


@pytest.mark.parametrize("debug", ["", "1"])
def test_what_libraries_write_by_themselves_is_left_out_unless_debugging(debug: str) -> None:
    fail = (
        "os.write(2, b'thread panicked\\nat x.rs\\n'); print('ours', file=sys.stderr); raise c.exits.TolmanError('why')"
    )
    script = f"import os, sys, tolman.cli as c\n@c.app.command()\ndef fail():\n  {fail}\nc.main()"
    outcome = subprocess.run(
        [sys.executable, "-c", script, "fail"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT | {"TOLMAN_DEBUG": debug},
        check=False,
    )
    assert outcome.returncode == 1
    if debug:
        assert "thread panicked" in outcome.stderr
    else:
        assert outcome.stderr == "ours\nerror: why\n"


def test_a_crash_is_told() -> None:
    script = "import os, tolman.cli as c\n@c.app.command()\ndef crash():\n  os.abort()\nc.main()"
    outcome = subprocess.run(
        [sys.executable, "-c", script, "crash"], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert outcome.returncode == -signal.SIGABRT
    assert "Aborted" in outcome.stderr


def test_ctrl_c_while_it_starts_is_one_line() -> None:
    script = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
from tolman.__main__ import main
main()
"""
    outcome = subprocess.run([sys.executable, "-c", script, "--version"], capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stdout) == (130, "")
    assert outcome.stderr == "error: interrupted before anything was begun\n"


def test_python_m_tolman_is_the_command_line() -> None:
    outcome = subprocess.run([sys.executable, "-m", "tolman", "--version"], capture_output=True, text=True, check=True)
    assert outcome.stdout.startswith("tolman ")


def test_a_reader_who_went_away_ends_it_without_a_word() -> None:
    script = (
        "import click, tolman.cli as c\n@c.app.command()\ndef many():\n  while True: click.echo('x' * 999)\nc.main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, "many"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


def test_what_is_not_text_is_wrong_usage(cli: Cli) -> None:
    outcome = cli("search", "x.space", os.fsdecode(b"caf\xe9"))
    assert outcome.code == 2
    assert "expected text in UTF-8, got 'caf\\udce9'" in outcome.stderr


def test_ctrl_c_ends_with_130() -> None:
    wait = "@c.app.command()\ndef wait():\n  print('up', flush=True)\n  time.sleep(30)"
    script = f"import time, tolman.cli as c\n{wait}\nc.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", script, "wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=10)
    assert (process.returncode, complaint) == (130, "error: interrupted; what was committed is kept\n")
