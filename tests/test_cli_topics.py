import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import Cli, tree

from tolman import open_space


@pytest.fixture
def space(own_space: Path, cli: Cli) -> Path:
    assert cli("topics", own_space).code == 0
    return own_space


def test_people_see_every_shown_topic_with_its_size(cli: Cli, space: Path) -> None:
    outcome = cli("topics", space)
    found = open_space(space).topics()
    lines = outcome.stdout.splitlines()
    for topic in found.shown:
        assert any(re.match(rf"\s*{topic.id}\s+{topic.size}\s+{re.escape(topic.name)}", line) for line in lines)


def test_json_lists_topics_with_what_others_rely_on(cli: Cli, space: Path) -> None:
    listed = json.loads(cli("topics", space, "--json").stdout)
    assert listed["documents"] == len(open_space(space))
    for topic in listed["topics"]:
        assert topic.keys() >= {"id", "parent", "name", "size", "words", "typical"}
    assert sum(t["size"] for t in listed["topics"] if t["depth"] == "shown") <= listed["documents"]


def test_documents_are_json_lines_one_each(cli: Cli, space: Path) -> None:
    rows = [json.loads(line) for line in cli("topics", space, "--documents").stdout.splitlines()]
    assert len(rows) == 300  # with exact duplicates
    assert all(row.keys() >= {"id", "topic", "margin"} for row in rows)
    numbers = {topic["id"] for topic in json.loads(cli("topics", space, "--json").stdout)["topics"]}
    assert {row["topic"] for row in rows} - {None} <= numbers


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl", ".arrow"])
def test_documents_go_into_files(cli: Cli, space: Path, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"where{ending}"
    outcome = cli("topics", space, "--documents", "-o", file)
    assert (outcome.code, outcome.stdout) == (0, "")
    if ending == ".parquet":
        assert pq.read_table(file).num_rows == 300
    assert [each.name for each in tmp_path.glob("*where*")] == [file.name]


def test_changes_last(cli: Cli, space: Path) -> None:
    first, second, third = open_space(space).topics().shown[:3]
    assert cli("topics", space, "--rename", first.id, "Found money").code == 0
    assert cli("topics", space, "--merge", f"{second.id},{third.id}").code == 0
    assert cli("topics", space, "--pin", first.id).code == 0
    assert cli("topics", space, "--again").code == 0
    found = open_space(space).topics()
    assert found[first.id].name == "Found money"
    assert found[first.id].pinned
    assert found[second.id].size == second.size + third.size
    assert third.id not in {topic.id for topic in found.shown}
    assert cli("topics", space, "--unpin", first.id).code == 0
    assert not open_space(space).topics()[first.id].pinned
    assert cli("topics", space, "--split", second.id).code == 0
    assert len(open_space(space).topics().shown) == len(found.shown) + 1


def test_one_topic_is_shown_with_its_words_and_typical_documents(cli: Cli, space: Path) -> None:
    topic = open_space(space).topics().shown[0]
    shown = cli("topics", space, "--topic", topic.id).stdout
    assert all(word in shown for word in topic.words)
    assert all(name in shown for name in topic.typical)
    rows = [json.loads(line) for line in cli("topics", space, "--topic", topic.id, "--documents").stdout.splitlines()]
    assert {row["topic"] for row in rows} == {topic.id}


def test_a_text_is_placed(cli: Cli, space: Path) -> None:
    text = "The tracking page has said 'in transit' since September. I waited at home all day and no courier came."
    placed = json.loads(cli("topics", space, "--place", text, "--json").stdout)
    assert placed["topic"] == placed["nearest"]
    assert placed["name"] in cli("topics", space, "--place", text).stdout


def test_counts_over_time(cli: Cli, space: Path) -> None:
    outcome = cli("topics", space, "--over-time", "year", "--every", "year", "--json")
    rows = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert {row["period"] for row in rows} <= {str(year) for year in range(2015, 2030)}
    assert cli("topics", space, "--over-time", "year", "--every", "year").stdout.startswith("period")


@pytest.mark.parametrize(
    ("typed", "code", "says"),
    [
        (("--topic", 999), 1, "no topic 999"),
        (("--rename", 999, "x"), 1, "no topic 999"),
        (("--rename", 0, " "), 1, "expected a name"),
        (("--rename", "zero", "x"), 2, "not a valid integer"),
        (("--merge", "0"), 1, "at least two"),
        (("--merge", "0;1"), 2, "numbers with commas"),
        (("--split", 999), 1, "no topic 999"),
        (("--bearable", 0.5), 2, "goes with --again"),
        (("--again", "--bearable", 7), 1, "a share from 0 to 1"),
        (("--over-time", "nope"), 1, "no metadata column 'nope'"),
        (("--documents", "-o", "where.xlsx"), 1, "ends in .parquet"),
        (("--depth", "deep"), 2, "is not one of"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(cli: Cli, space: Path, typed, code, says) -> None:
    before = tree(space)
    outcome = cli("topics", space, *typed)
    assert (outcome.code, outcome.stdout) == (code, "")
    assert says in outcome.stderr
    assert tree(space) == before


def test_no_space_is_told(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("topics", tmp_path / "none.space")
    assert outcome.code == 1
    assert len(outcome.stderr.splitlines()) == 1


def test_a_folder_without_a_model_is_refused_before_topics_are_found(cli: Cli, own_space: Path, tmp_path: Path) -> None:
    before = tree(own_space)
    outcome = cli("topics", own_space, "--namer", tmp_path)
    assert outcome.code == 1
    assert "expected a folder with a causal language model" in outcome.stderr
    assert tree(own_space) == before


@pytest.mark.parametrize(
    "flags",
    [
        ("--merge", "0,1", "--split", "2"),
        ("--pin", "0", "--unpin", "0"),
        ("--again", "--rename", "0", "Money"),
        ("--documents", "--over-time", "year"),
        ("--place", "a refund", "--over-time", "year"),
    ],
)
def test_one_change_at_a_time_and_one_thing_to_look_at(cli: Cli, space: Path, flags: tuple[str, ...]) -> None:
    before = tree(space)
    outcome = cli("topics", space, *flags)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "don't go together" in outcome.stderr
    assert tree(space) == before


@pytest.mark.parametrize("listed", ["", "1,", "a,b"])
def test_merging_wants_numbers(cli: Cli, space: Path, listed: str) -> None:
    outcome = cli("topics", space, "--merge", listed)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "numbers with commas" in outcome.stderr


def test_one_topic_as_json(cli: Cli, space: Path) -> None:
    first = open_space(space).topics().shown[0]
    assert json.loads(cli("topics", space, "--topic", first.id, "--json").stdout)["name"] == first.name


@pytest.mark.parametrize("verb", ["topics", "map"])
def test_what_a_space_was_made_from_is_never_written_over(cli: Cli, space: Path, tmp_path: Path, verb: str) -> None:
    source = tmp_path / Path(open_space(space).description.corpus.source).name
    source.write_text("mine")
    before = tree(space)
    outcome = cli(verb, space, "-o", source)
    assert outcome.code == 1
    assert outcome.stderr.count("\n") == 1
    assert "choose another name" in outcome.stderr
    assert source.read_text() == "mine"
    assert tree(space) == before
