import json
from pathlib import Path

import pytest
from banks import planted, static_encoder
from conftest import Cli, tree

from tolman.space.space import LatentSpace, open_space


@pytest.fixture(scope="module")
def bank_space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spaces") / "bank.space"
    LatentSpace.create(path, planted(50, 30), static_encoder()).senses("bank")
    return path


def test_people_see_each_sense_with_its_words_and_contexts(cli: Cli, bank_space: Path) -> None:
    outcome = cli("senses", bank_space, "bank", "-k", 1)
    assert (outcome.code, outcome.stderr) == (0, "")
    head, *blocks = outcome.stdout.split("\n\n")
    assert head == "bank: 2 senses, 80 occurrences in 80 documents"
    for number, (block, sense) in enumerate(zip(blocks, open_space(bank_space).senses("bank").senses, strict=True), 1):
        facts, words, context = block.splitlines()
        assert facts.split()[:2] == [str(number), f"{sense.share:.0%}"]
        assert words.strip() == ", ".join(sense.words)
        assert "*bank*" in context
        assert f"[{sense.examples[0].document}]" in context


def test_json_is_one_document(cli: Cli, bank_space: Path) -> None:
    found = json.loads(cli("senses", bank_space, "bank", "--json").stdout)
    assert (found["word"], found["occurrences"], found["whole"]) == ("bank", 80, True)
    assert [sense["number"] for sense in found["senses"]] == [1, 2]
    assert found["senses"][0].keys() == {"number", "size", "share", "words", "examples", "confidence"}


def test_occurrences_are_json_lines(cli: Cli, bank_space: Path) -> None:
    lines = [json.loads(line) for line in cli("senses", bank_space, "bank", "--occurrences").stdout.splitlines()]
    assert len(lines) == 80
    assert all(line.keys() == {"id", "start", "end", "sense", "confidence"} for line in lines)
    assert {line["id"][:5]: line["sense"] for line in lines} == {"money": 1, "river": 2}


def test_a_search_says_which_sense_was_taken(cli: Cli, bank_space: Path) -> None:
    outcome = cli("search", bank_space, "bank~river", "-k", 3)
    assert outcome.code == 0
    assert outcome.stderr.startswith("bank~river: sense 2 (")
    found = json.loads(cli("search", bank_space, "bank~river", "-k", 3, "--json").stdout)
    assert [choice["number"] for choice in found["senses"]] == [2]
    assert all(hit["id"].startswith("river") for hit in found["hits"])
    outcome = cli("search", bank_space, "bank~9", "-k", 3)
    assert outcome.stderr.startswith("bank~9 is read as text: 'bank' has 2 senses here, numbered from 1: got 9")
    assert "senses" not in json.loads(cli("search", bank_space, "bank", "-k", 3, "--json").stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ("senses", "xyzzy"),
        ("senses", ""),
        ("senses", "river bank"),
        ("senses", "bank", "-k", "-1"),
        ("senses", "violin9"),
        ("words", "xyzzy"),
        ("words", ""),
        ("words", "loan", "-k", "0"),
        ("words", "--analogy", "loan", "money", "xyzzy"),
        ("words", "--document", "nobody"),
        ("words", "--clusters", "0"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(cli: Cli, bank_space: Path, arguments: tuple[str, ...]) -> None:
    verb, *rest = arguments
    open_space(bank_space).words()  # kept from now on
    before = tree(bank_space)
    outcome = cli(verb, bank_space, *rest)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: ")
    assert outcome.stderr.count("\n") == 1
    assert tree(bank_space) == before


def test_wrong_usage_is_2(cli: Cli, bank_space: Path) -> None:
    assert cli("senses", bank_space).code == 2
    assert cli("words", bank_space, "loan", "--clusters", "3").code == 2
    assert cli("senses", bank_space, "bank", "-k", "x").code == 2


def test_what_is_no_space_is_refused(cli: Cli, tmp_path: Path) -> None:
    for verb in ("senses", "words"):
        outcome = cli(verb, tmp_path / "none.space", "bank")
        assert (outcome.code, outcome.stdout, outcome.stderr.count("\n")) == (1, "", 1)
    assert list(tmp_path.iterdir()) == []


def test_words_for_people_are_those_for_programs(cli: Cli, bank_space: Path) -> None:
    for asked in (("loan",), ("--analogy", "loan", "money", "river"), ("--document", "money000"), ()):
        shown = cli("words", bank_space, *asked, "-k", 4).stdout.splitlines()
        found = json.loads(cli("words", bank_space, *asked, "-k", 4, "--json").stdout)
        assert len(shown) == 5
        assert all(line.startswith(each["text"]) for line, each in zip(shown[1:], found, strict=True))


def test_clusters_of_words(cli: Cli, bank_space: Path) -> None:
    shown = cli("words", bank_space, "--clusters", 3, "-k", 2).stdout.splitlines()
    found = json.loads(cli("words", bank_space, "--clusters", 3, "--json").stdout)
    assert [int(line.split()[0]) for line in shown] == [len(cluster["words"]) for cluster in found]
