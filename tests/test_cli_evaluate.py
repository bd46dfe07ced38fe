import csv
import json
from pathlib import Path

import pytest
from conftest import TICKETS, Cli

from tolman import open_space


@pytest.fixture
def judged(tmp_path: Path) -> tuple[Path, Path]:
    """Two questions, each with all tickets of one topic as its answers."""
    queries, qrels = tmp_path / "queries.jsonl", tmp_path / "qrels.tsv"
    queries.write_text('{"_id": "q1", "text": "debited twice"}\n{"_id": "q2", "text": "password reset mail"}\n')
    topics = {"double charge": "q1", "login": "q2"}
    with TICKETS.open() as file:
        rows = [f"{topics[row['topic']]}\t{row['id']}\t1\n" for row in csv.DictReader(file) if row["topic"] in topics]
    qrels.write_text("".join(rows))
    return queries, qrels


def test_every_mode_is_measured(cli: Cli, tickets_space: Path, judged: tuple[Path, Path]) -> None:
    arguments = ("evaluate", tickets_space, "--queries", judged[0], "--qrels", judged[1])
    found = json.loads(cli(*arguments, "--json").stdout)
    assert (found["queries"], found["missing"], list(found["modes"])) == (2, [], ["dense", "lexical", "hybrid"])
    quality = found["modes"]["hybrid"]["ndcg_10"]
    assert 0.5 < quality["mean"] <= 1
    assert f"{quality['mean']:.3f}" in cli(*arguments).stdout
    piped = ("evaluate", tickets_space, "--queries", "-", "--qrels", judged[1], "--json")
    assert json.loads(cli(*piped, stdin=judged[0].read_text()).stdout) == found


@pytest.mark.parametrize(
    ("queries", "qrels"), [("none.jsonl", None), (None, "none.tsv"), (None, "other.tsv"), (None, "unasked.tsv")]
)
def test_bad_input_is_one_line(
    cli: Cli, tickets_space: Path, judged: tuple[Path, Path], tmp_path: Path, queries: str | None, qrels: str | None
) -> None:
    (tmp_path / "other.tsv").write_text("q1\tno-such-document\t1\n")
    (tmp_path / "unasked.tsv").write_text("q9\ttk-1\t1\n")
    outcome = cli(
        *("evaluate", tickets_space),
        *(
            "--queries",
            tmp_path / queries if queries else judged[0],
            "--qrels",
            tmp_path / qrels if qrels else judged[1],
        ),
    )
    assert (outcome.code, outcome.stdout, outcome.stderr.count("\n")) == (1, "", 1)
    if qrels == "unasked.tsv":
        assert "1 judged query has no text, like 'q9'" in outcome.stderr


def test_a_merged_duplicate_counts_as_the_document_that_holds_it(
    cli: Cli, tickets_space: Path, judged: tuple[Path, Path]
) -> None:
    documents = open_space(tickets_space).table(["id", "duplicate_ids", "text"]).to_pylist()
    held = next(document for document in documents if document["duplicate_ids"])
    judged[0].write_text(json.dumps({"_id": "q", "text": held["text"]}) + "\n")
    judged[1].write_text(f"q\t{held['duplicate_ids'][0]}\t1\n")
    found = json.loads(cli("evaluate", tickets_space, "--queries", judged[0], "--qrels", judged[1], "--json").stdout)
    assert found["missing"] == []
    assert found["modes"]["lexical"]["recall_10"]["mean"] == 1


def test_judged_documents_that_are_gone_count_as_not_found(
    cli: Cli, tickets_space: Path, judged: tuple[Path, Path]
) -> None:
    with judged[1].open("a") as file:
        file.writelines(f"q1\tgone-{i}\t1\n" for i in range(1000))
    outcome = cli("evaluate", tickets_space, "--queries", judged[0], "--qrels", judged[1], "--json")
    found = json.loads(outcome.stdout)
    assert len(found["missing"]) == 1000
    assert found["modes"]["dense"]["recall_100"]["low"] < 0.2
