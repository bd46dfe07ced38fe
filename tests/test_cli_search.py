import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TICKETS, Cli, tree

from tolman import open_space

KEYS = {"id", "score", "cosine", "confidence", "title", "snippet", "snippet_span"}


def test_a_filter_by_a_column_that_became_the_label_is_told_so(cli: Cli, tickets_space: Path) -> None:
    outcome = cli("search", tickets_space, "refund", "--where", "topic = 'refund'")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert "topic is called label here" in outcome.stderr


def test_json_is_one_document(cli: Cli, tickets_space: Path) -> None:
    outcome = cli("search", tickets_space, "money back for a returned lamp", "-k", 4, "--json")
    found = json.loads(outcome.stdout)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert (found["query"], found["mode"], len(found["hits"])) == ("money back for a returned lamp", "hybrid", 4)
    assert all(hit.keys() >= KEYS for hit in found["hits"])
    assert [hit["score"] for hit in found["hits"]] == sorted((hit["score"] for hit in found["hits"]), reverse=True)


def test_people_see_the_same_hits_as_programs(cli: Cli, tickets_space: Path) -> None:
    question = ("search", tickets_space, "the parcel does not arrive", "-k", 3)
    shown, found = cli(*question).stdout, json.loads(cli(*question, "--json").stdout)
    places = [shown.index(f"[{hit['id']}]") for hit in found["hits"]]
    assert places == sorted(places)
    assert all(hit["title"] in shown for hit in found["hits"])


def test_many_queries_are_json_lines_in_order(cli: Cli, tickets_space: Path, tmp_path: Path) -> None:
    queries = tmp_path / "q.jsonl"
    queries.write_text('{"_id": "b", "text": "refund"}\n{"_id": "a", "text": "cracked on arrival"}\n')
    lines = cli("search", tickets_space, "--queries", queries, "--json", "-k", 2).stdout.splitlines()
    alone = json.loads(cli("search", tickets_space, "refund", "--json", "-k", 2).stdout)
    assert [json.loads(line)["_id"] for line in lines] == ["b", "a"]
    assert [hit["id"] for hit in json.loads(lines[0])["hits"]] == [hit["id"] for hit in alone["hits"]]
    shown = cli("search", tickets_space, "--queries", queries, "-k", 2).stdout
    assert shown.index("b: refund") < shown.index("a: cracked on arrival")


def test_queries_without_a_name_are_answered_by_number(cli: Cli, tickets_space: Path) -> None:
    lines = cli("search", tickets_space, "--queries", "-", "--json", stdin='{"text": "refund"}\n{"text": "lamp"}\n')
    assert [json.loads(line)["_id"] for line in lines.stdout.splitlines()] == ["1", "2"]


def test_a_table_is_no_space(cli: Cli) -> None:
    outcome = cli("search", TICKETS, "refund")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr == f"error: {TICKETS} is a file, not a space: make one of it with `tolman learn`\n"


@pytest.mark.parametrize("version", ["99", "-1"])
def test_a_version_that_there_is_not(cli: Cli, tickets_space: Path, version: str) -> None:
    outcome = cli("search", tickets_space, "refund", "--version", version)
    there = open_space(tickets_space).versions()
    assert (outcome.code, outcome.stdout) == (1, "")
    assert len(there) == 1
    assert outcome.stderr == f"error: {tickets_space} has no version {version}: there is {there[0].version}\n"


def test_queries_from_stdin_are_those_of_a_file(cli: Cli, tickets_space: Path, tmp_path: Path) -> None:
    content = '{"_id": "b", "text": "refund"}\n{"_id": "a", "text": "cracked on arrival"}\n'
    (tmp_path / "q.jsonl").write_text(content)
    question = ("search", tickets_space, "--json", "-k", 2, "--queries")
    assert cli(*question, "-", stdin=content) == cli(*question, tmp_path / "q.jsonl")
    assert cli(*question, "-", stdin="\n[]").stderr == (
        "error: stdin line 2 holds an array: expected one JSON object a line\n"
    )
    assert cli(*question, "-", stdin="").stderr == "error: stdin is empty: expected documents\n"


def test_a_terminal_obeys_no_query_name_or_document(
    cli: Cli, own_space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tolman.corpus.cleaning._INVISIBLE", re.compile("(?!)"))  # as another program may write them
    bell, clear = "ring\x07", "\x1b[2J\u202e"
    open_space(own_space).add([{"id": f"id{clear}", "title": f"xyzzy {clear}", "text": f"xyzzy {bell} plugh"}])
    file = tmp_path / "q.jsonl"
    file.write_text(json.dumps({"_id": f"a{clear}", "text": f"xyzzy plugh{clear}"}))
    question = ("search", own_space, "--queries", file, "-k", 1)
    shown = cli(*question).stdout
    assert "id\ufffd[2J\ufffd" in shown
    assert not set("\x1b\x07\u202e") & set(shown)
    found = json.loads(cli(*question, "--json").stdout)
    assert (found["_id"], found["hits"][0]["id"]) == (f"a{clear}", f"id{clear}")


def test_a_small_space_gives_what_it_has(cli: Cli, own_space: Path) -> None:
    ids = [document["id"] for document in open_space(own_space).table(["id"]).to_pylist()]
    cli("remove", own_space, *ids[4:])
    left = len(open_space(own_space))
    hits = json.loads(cli("search", own_space, "refund", "--json", "--mode", "dense").stdout)["hits"]
    assert len(hits) == left < 10
    assert cli("search", own_space, "refund", "-k", left + 1).code == 1


def test_a_filter_filters(cli: Cli, tickets_space: Path) -> None:
    question = ("search", tickets_space, "refund", "-k", 20, "--json", "--mode", "dense")
    everywhere, recent = (json.loads(cli(*question, *more).stdout) for more in ((), ("--where", "year >= 2024")))
    assert {hit["id"] for hit in recent["hits"]} != {hit["id"] for hit in everywhere["hits"]}


@pytest.mark.parametrize(
    "arguments",
    [
        ("",),
        ("refund", "-k", "0"),
        ("refund", "-k", "100000"),
        ("refund", "--where", "year >"),
        ("refund", "--where", "nothere = 1"),
        ("refund", "--where", "1=1; DROP TABLE documents"),
        ("refund", "--version", "999"),
        ("--queries", "none.jsonl"),
        ("--queries", "deep.jsonl"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    cli: Cli, tickets_space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep.jsonl").write_text("[" * 100_000)
    before = tree(tickets_space)
    outcome = cli("search", tickets_space, *arguments)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: ")
    assert outcome.stderr.count("\n") == 1
    assert tree(tickets_space) == before


def test_what_is_no_space_is_refused(cli: Cli, tmp_path: Path) -> None:
    for path in (tmp_path / "none.space", tmp_path):
        outcome = cli("search", path, "refund")
        assert (outcome.code, outcome.stdout, outcome.stderr.count("\n")) == (1, "", 1)
    assert list(tmp_path.iterdir()) == []


def test_damage_is_one_line_without_what_lance_says_on_the_way(own_space: Path) -> None:
    shutil.rmtree(own_space / "documents.lance" / "_indices")
    script = "from tolman.cli import main; main()"
    outcome = subprocess.run(
        [sys.executable, "-c", script, "search", own_space, "refund"], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 1
    assert outcome.stderr.startswith("error: the full-text index of")
    assert outcome.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [(), ("refund", "--queries", "q.jsonl"), ("refund", "--mode", "magic"), ("refund", "-k", "x")]
)
def test_wrong_usage_is_2(cli: Cli, tickets_space: Path, arguments: tuple[str, ...]) -> None:
    assert cli("search", tickets_space, *arguments).code == 2
