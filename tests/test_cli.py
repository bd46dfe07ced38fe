import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Cli

VERBS = ("learn", "tune", "add", "remove", "search", "encode", "evaluate", "info", "models list", "models pull")


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_complete_and_has_an_example(cli: Cli, verb: str) -> None:
    outcome = cli(*verb.split(), "--help")
    assert outcome.code == 0
    assert f"    tolman {verb} " in outcome.stdout or f"    tolman {verb}\n" in outcome.stdout
    options = [line for line in outcome.stdout.split("Options:")[1].splitlines() if line.startswith("  -")]
    assert all(len(line.split("  ", 2)) > 1 for line in options)


def test_version(cli: Cli) -> None:
    import tolman

    assert cli("--version").stdout == f"tolman {tolman.__version__}\n"


def test_no_verb_is_wrong_usage_and_shows_the_verbs(cli: Cli) -> None:
    assert cli("serch").code == 2
    outcome = cli()
    assert outcome.code == 2
    assert "search" in outcome.stdout + outcome.stderr
    assert "2 the command line itself is wrong (no such verb or flag" in " ".join(cli("--help").stdout.split())


def test_the_installed_script_runs() -> None:
    script = Path(sys.executable).with_name("tolman")
    outcome = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert outcome.stdout.startswith("tolman ")
