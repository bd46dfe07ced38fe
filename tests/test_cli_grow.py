import shutil
from pathlib import Path

import pytest
from conftest import Cli, tree
from tiny import tiny_corpus, tiny_encoder

from tolman import open_space
from tolman.space.space import LatentSpace

COLUMNS = ("--text", "body", "--title", "subject", "--label", "topic")


@pytest.fixture
def more(tmp_path: Path) -> Path:
    file = tmp_path / "more.csv"
    file.write_text(
        "id,year,topic,subject,body\n"
        "tk-9001,2025,login,Fingerprint is refused,The app no longer knows my thumb since the update.\n"
        "tk-2,2025,size,Jacket is perfect now,The exchanged jacket fits well.\n"
    )
    return file


def test_what_was_added_is_found_and_what_was_removed_is_not(cli: Cli, own_space: Path, more: Path) -> None:
    question = ("search", own_space, "fingerprint of my thumb", "-k", 1, "--mode", "lexical")
    assert "tk-9001" not in cli(*question).stdout
    outcome = cli("add", own_space, more, *COLUMNS)
    assert (outcome.code, outcome.stdout) == (0, f"{own_space}: 1 added, 1 updated, 0 unchanged\n")
    assert "tk-9001" in cli(*question).stdout
    outcome = cli("remove", own_space, "tk-9001")
    assert (outcome.code, outcome.stdout) == (0, f"{own_space}: 1 removed\n")
    assert "tk-9001" not in cli(*question).stdout


def test_adding_twice_changes_nothing(cli: Cli, own_space: Path, more: Path) -> None:
    cli("add", own_space, more, *COLUMNS)
    assert cli("add", own_space, more, *COLUMNS).stdout == f"{own_space}: 0 added, 0 updated, 2 unchanged\n"


@pytest.mark.parametrize("file", ["none.csv", "empty.csv"])
def test_bad_input_is_one_line_and_changes_nothing(cli: Cli, own_space: Path, tmp_path: Path, file: str) -> None:
    (tmp_path / "empty.csv").touch()
    before = tree(own_space)
    outcome = cli("add", own_space, tmp_path / file)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr.splitlines()[-1].startswith("error: ")
    assert tree(own_space) == before


def test_removing_what_is_not_there_changes_nothing_and_says_so(cli: Cli, own_space: Path) -> None:
    before = open_space(own_space).table()
    outcome = cli("remove", own_space, "no-such-id")
    assert outcome == (0, f"{own_space}: 0 removed\n", f"1 id is not in {own_space}\n")
    assert cli("remove", own_space, "no", "such", "such").stderr == f"2 ids are not in {own_space}\n"
    assert open_space(own_space).table().equals(before)


def test_wrong_usage_is_2(cli: Cli, own_space: Path) -> None:
    assert cli("remove", own_space).code == 2
    assert cli("add", own_space).code == 2


def test_a_space_is_added_as_a_space(cli: Cli, own_space: Path, tmp_path: Path, more: Path) -> None:
    """Not as a folder of the texts that lie in it: card.md, vocabularies."""
    twin = shutil.copytree(own_space, tmp_path / "twin.space")
    cli("add", twin, more, *COLUMNS)
    outcome = cli("add", own_space, twin)
    held = len(open_space(own_space))
    assert (outcome.code, outcome.stdout) == (0, f"{own_space}: 1 added, 1 updated, {held - 2} unchanged\n")
    assert (
        open_space(own_space)
        .table(["id", "text"])
        .sort_by("id")
        .equals(open_space(twin).table(["id", "text"]).sort_by("id"))
    )


def test_a_space_of_another_encoder_is_refused(cli: Cli, own_space: Path, tmp_path: Path) -> None:
    other = LatentSpace.create(tmp_path / "other.space", tiny_corpus(range(3)), tiny_encoder()).path
    before = tree(own_space)
    outcome = cli("add", own_space, other)
    assert (outcome.code, outcome.stdout, outcome.stderr.count("\n")) == (1, "", 1)
    assert f"{other} belongs to another latent space" in outcome.stderr
    assert tree(own_space) == before
