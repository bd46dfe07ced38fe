import csv
import json
from pathlib import Path

import pytest
from conftest import TICKETS, Cli
from writers import write_learned

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


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Guesses masked tokens, writes, and reconstructs; with random weights."""
    return write_learned(tmp_path_factory.mktemp("models") / "m", latents=True)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "unseen.txt"
    path.write_text("The courier rang twice.\nThe cat sat on the mat.\n")
    return path


def test_text_is_measured_by_every_kind_of_model(cli: Cli, model: Path, text: Path) -> None:
    found = json.loads(cli("evaluate", model, "--text", text, "--json").stdout)
    assert set(found) == {"causal", "masked"}
    assert found["causal"]["bytes"] == len(text.read_text()) - 2
    printed = cli("evaluate", model, "--text", text).stdout.splitlines()
    assert f"{found['causal']['bits_per_byte']:.4f} bits per byte" in printed[0]
    assert f"pseudo-perplexity {found['masked']['pseudo_perplexity']:.2f} per token" in printed[1]
    alone = json.loads(cli("evaluate", model / "causal", "--text", text, "--json").stdout)
    assert alone == {"causal": found["causal"]}
    part = json.loads(cli("evaluate", model, "--text", text, "--most", "5", "--json").stdout)
    assert (part["masked"]["tokens"], part["causal"]["documents"]) == (5, 1)


def test_pairs_are_measured_file_by_file(cli: Cli, model: Path, tmp_path: Path) -> None:
    files = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    pair = json.dumps({"sentence_good": "the cat", "sentence_bad": "the mat"})
    turned = json.dumps({"sentence_good": "the mat", "sentence_bad": "the cat"})
    files[0].write_text(f"{pair}\n{turned}")
    files[1].write_text(f'{pair}\n{pair}\n{{"sentence_good": "a", "sentence_bad": "a"}}')
    arguments = ("evaluate", model, "--pairs", files[0], "--pairs", files[1])
    found = json.loads(cli(*arguments, "--json").stdout)
    for kind in ("causal", "masked"):
        assert found["files"][kind][str(files[0])]["accuracy"]["mean"] == 0.5
        assert found["files"][kind][str(files[1])]["ties"] == 1
        assert (found["overall"][kind]["pairs"], found["overall"][kind]["ties"]) == (5, 1)
    printed = cli(*arguments).stdout
    for word in ("one.jsonl", "two.jsonl", "all", "0.500 ("):
        assert word in printed
    piped = cli("evaluate", model, "--pairs", "-", "--json", stdin=files[0].read_text())
    assert json.loads(piped.stdout)["overall"]["causal"]["pairs"] == 2


def test_reconstruction_is_measured_by_length(cli: Cli, model: Path, text: Path) -> None:
    found = json.loads(cli("evaluate", model, "--reconstruct", text, "--json").stdout)
    assert found["overall"]["sentences"] == sum(one["sentences"] for one in found["lengths"].values()) == 2
    printed = cli("evaluate", model, "--reconstruct", text).stdout
    for name, one in found["lengths"].items():
        assert f"{name:6s}  {one['exact']['mean']:.3f}" in printed
    assert f"from {found['numbers']} numbers a sentence" in printed


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--queries", "q.jsonl"),
        ("--qrels", "q.tsv"),
        ("--text", "a.txt", "--pairs", "p.jsonl"),
        ("--text", "a.txt", "--reconstruct", "a.txt"),
        ("--queries", "q.jsonl", "--qrels", "q.tsv", "--text", "a.txt"),
        ("--pairs", "p.jsonl", "--most", "3"),
        ("--text", "a.txt", "--most", "0"),
    ],
)
def test_exactly_one_kind_of_measure(cli: Cli, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    outcome = cli("evaluate", tmp_path, *arguments)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "Error: " in outcome.stderr


@pytest.mark.parametrize(
    ("of", "arguments", "message"),
    [
        ("none", ("--text", "unseen.txt"), "no model or space at none"),
        ("minilm", ("--text", "unseen.txt"), "minilm has no language head"),
        ("tickets", ("--text", "unseen.txt"), "has no language head that learned to guess tokens"),
        ("tickets", ("--reconstruct", "unseen.txt"), "it has no bottleneck.safetensors"),
        ("model", ("--text", "none.txt"), "there is no file or folder none.txt"),
        ("model", ("--text", "empty.txt"), "empty.txt is empty"),
        ("model", ("--pairs", "empty.txt"), "empty.txt is empty"),
        ("model", ("--pairs", "none.jsonl"), "can't read none.jsonl: No such file or directory"),
        ("model", ("--pairs", "unseen.txt"), "unseen.txt line 1 isn't valid JSON"),
        ("model", ("--pairs", "keys.jsonl"), 'keys.jsonl line 2: expected {"sentence_good": ..., "sentence_bad"'),
        ("model", ("--reconstruct", "empty.txt"), "empty.txt is empty"),
        ("model/causal", ("--reconstruct", "unseen.txt"), "it has no bottleneck.safetensors"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    cli: Cli,
    tickets_space: Path,
    model: Path,
    text: Path,
    monkeypatch: pytest.MonkeyPatch,
    of: str,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(text.parent)
    Path("empty.txt").touch()
    Path("keys.jsonl").write_text('{"sentence_good": "a", "sentence_bad": "b"}\n{"good": "a"}\n')
    named = {"tickets": tickets_space, "model": model, "model/causal": model / "causal"}
    outcome = cli("evaluate", named.get(of, of), *arguments)
    assert (outcome.code, outcome.stdout) == (1, "")
    last = outcome.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
