import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli

from tolman.space.description import FORMAT

Change = Callable[[dict[str, Any]], object]


def change_record(space: Path, change: Change) -> None:
    """Change what space.json says of the encoder."""
    stored = json.loads((space / "space.json").read_text(encoding="utf-8"))
    change(stored["encoder"])
    (space / "space.json").write_text(json.dumps(stored), encoding="utf-8")


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def test_info_shows_what_the_space_is(cli: Cli, own_space: Path) -> None:
    found = json.loads(cli("info", own_space, "--json").stdout)
    assert (found["documents"], found["damage"], found["format"]) == (298, None, FORMAT)
    shown = cli("info", own_space).stdout
    assert "298 (learned from 298 of" in shown
    assert "damage" not in shown


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda record: record.update(fingerprint="f" * 64), "expected encoder ffffffffffff"),
        (lambda record: record.update(family="transformer"), "encoder.family 'transformer'"),
        (lambda record: record.update(dim=7), "encoder.dim 7"),
        (lambda record: record.update(files={}), "names no files"),
        (lambda record: record.pop("files"), "names no files"),
    ],
)
@pytest.mark.parametrize("searched", [False, True])
def test_a_record_of_another_encoder_stops_every_verb(
    cli: Cli, own_space: Path, tmp_path: Path, change: Change, told: str, searched: bool
) -> None:
    if searched:
        assert cli("search", own_space, "refund").code == 0
    change_record(own_space, change)
    refused(cli, own_space, tmp_path, told)


def test_other_weights_stop_every_verb(cli: Cli, own_space: Path, tmp_path: Path) -> None:
    assert cli("search", own_space, "refund").code == 0
    flip(own_space / "encoder" / "model.safetensors")
    refused(cli, own_space, tmp_path, "is not the file that made this space")


def refused(cli: Cli, space: Path, folder: Path, told: str) -> None:
    (folder / "t.txt").write_text("where is my money\n")
    for verb in (
        ("search", space, "refund"),
        ("encode", space, folder / "t.txt", "-o", folder / "o.npy"),
        ("add", space, folder / "t.txt"),
    ):
        outcome = cli(*verb)
        assert (outcome.code, outcome.stdout) == (1, ""), verb
        assert told in outcome.stderr.splitlines()[-1]
    assert not list(folder.glob("o.npy*"))
    outcome = cli("info", space, "--json")
    assert told in json.loads(outcome.stdout)["damage"]
    assert outcome.code == 1
    outcome = cli("info", space)
    assert outcome.code == 1
    assert told in outcome.stdout
    assert outcome.stderr.startswith("error: ")
    assert told in outcome.stderr
