import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import Cli, tree

from tolman import open_space
from tolman.projection.files import FILE, FOLDER


@pytest.fixture(scope="module")
def _mapped(tickets_space: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(shutil.copytree(tickets_space, tmp_path_factory.mktemp("mapped") / "tickets.space"))
    open_space(path).map()
    return path


@pytest.fixture
def mapped_space(_mapped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(_mapped, tmp_path / "tickets.space"))


def test_a_map_is_made_and_told(cli: Cli, own_space: Path) -> None:
    outcome = cli("map", own_space)
    assert outcome.code == 0
    assert f"map              {own_space}, 298 documents, seed 0" in outcome.stdout
    assert "neighbours kept" in outcome.stdout
    assert (own_space / FOLDER / FILE).exists()


def test_json_says_the_same(cli: Cli, mapped_space: Path) -> None:
    told = json.loads(cli("map", mapped_space, "--json").stdout)
    drawn = open_space(mapped_space).map()
    assert (told["documents"], told["seed"], told["placed"], told["output"]) == (298, 0, 0, None)
    assert told["neighbours_kept"] == pytest.approx(drawn.trust_N.mean(), abs=1e-4)


def test_a_page_is_written(cli: Cli, mapped_space: Path, tmp_path: Path) -> None:
    outcome = cli("map", mapped_space, "-o", tmp_path / "map.html", "--color", "year", "--json")
    assert (outcome.code, json.loads(outcome.stdout)["output"]) == (0, str(tmp_path / "map.html"))
    assert '"name":"year"' in (tmp_path / "map.html").read_text(encoding="utf-8")


def test_later_documents_are_counted(cli: Cli, mapped_space: Path) -> None:
    open_space(mapped_space).add([{"id": "new", "text": "the courier lost my parcel"}])
    assert "1 document; --again makes the map anew" in cli("map", mapped_space).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-o", "map.gif"), "expected a name that ends in .html"),
        (("-o", "map.html", "--color", "nothere"), "'nothere' is no column of this space"),
        (("-o", "map.html", "--color", "id"), "'id' can't be told in colours"),
        (("-o", "."), "expected a name that ends in"),
        (("-o", "/proc/nowhere/map.html"), "can't"),
        (("--seed", "-1"), "expected a seed"),
        (("--seed", "4"), "made with seed 0"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    cli: Cli, mapped_space: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(mapped_space.parent)
    before = tree(mapped_space.parent)
    outcome = cli("map", mapped_space, *arguments)
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert (outcome.code, outcome.stdout, len(errors)) == (1, "", 1)
    assert said in errors[0]
    assert tree(mapped_space.parent) == before


def test_a_bad_name_is_told_before_anything_is_made(cli: Cli, own_space: Path) -> None:
    before = tree(own_space)
    assert cli("map", own_space, "-o", "map.gif").code == 1
    assert cli("map", own_space, "-o", "map.html", "--color", "nothere").code == 1
    assert tree(own_space) == before


def test_a_damaged_map_is_one_line(cli: Cli, mapped_space: Path) -> None:
    (mapped_space / FOLDER / FILE).write_text("{")
    outcome = cli("map", mapped_space)
    assert (outcome.code, outcome.stdout) == (1, "")
    damaged = f"error: {mapped_space / FOLDER / FILE} is damaged, it isn't whole JSON: "
    assert outcome.stderr == f"{damaged}`tolman map --again` makes the map anew\n"
    assert cli("map", mapped_space, "--again").code == 0


def test_the_map_of_another_encoder_is_one_line(cli: Cli, mapped_space: Path) -> None:
    file = mapped_space / FOLDER / FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | {"encoder": "f" * 64}))
    outcome = cli("map", mapped_space)
    assert outcome.code == 1
    assert "the map in" in outcome.stderr
    assert "belongs to another latent space" in outcome.stderr
    assert "--again" in outcome.stderr


def test_a_space_that_cannot_keep_its_map_is_told_unless_it_is_drawn(
    cli: Cli, own_space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_space / FOLDER).write_text("in the way")
    outcome = cli("map", own_space)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert f"error: can't write {own_space / FOLDER}" in outcome.stderr
    drawn = cli("map", own_space, "-o", tmp_path / "map.svg")
    assert drawn.code == 0
    assert "the map is not kept" in drawn.stderr
    assert os.path.getsize(tmp_path / "map.svg") > 5_000


@pytest.mark.parametrize("arguments", [("--color", "year"), ("--seed", "x"), ("-o",), ("--size", "3")])
def test_wrong_usage_is_2(cli: Cli, tickets_space: Path, arguments: tuple[str, ...]) -> None:
    assert cli("map", tickets_space, *arguments).code == 2
