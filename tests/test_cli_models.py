import json
from pathlib import Path

import pytest
from conftest import Cli


def test_the_list_names_what_can_be_pulled(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLMAN_CACHE", str(tmp_path))
    found = json.loads(cli("models", "list", "--json").stdout)
    minilm = next(model for model in found if model["name"] == "minilm")
    assert (minilm["pulled"], minilm["path"], minilm["licence"]) == (False, None, "Apache-2.0")
    assert "minilm" in cli("models", "list").stdout


def test_the_help_of_the_group_is_not_cut_off(cli: Cli) -> None:
    assert "..." not in cli("models", "--help").stdout.replace("[OPTIONS] COMMAND [ARGS]...", "")


def test_an_unknown_model_is_one_line_with_those_there_are(cli: Cli) -> None:
    outcome = cli("models", "pull", "nothere")
    assert (outcome.code, outcome.stdout, outcome.stderr.count("\n")) == (1, "", 1)
    assert "minilm" in outcome.stderr
