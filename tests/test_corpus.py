"""What a corpus promises, whatever it was read from."""

import gc
import json
import resource
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest

from tolman.corpus import reading, spool
from tolman.corpus.builder import CorpusBuilder
from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.corpus.reading import read_corpus
from tolman.errors import SourceError, StorageError
from tolman.learning import learn

ROWS = [
    {"id": i, "title": f"Title {i % 7}", "body": f"Body {i % 300} " * 20, "year": 2000 + i % 20, "price": i / 4}
    for i in range(2_500)
]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A spool that goes to disk early, and the folder it goes to."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(reading, "CorpusBuilder", lambda *names: CorpusBuilder(*names, spool=spool.Spool(50_000)))
    return tmp_path


def test_a_spooled_corpus_is_the_one_in_memory(small_parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [*ROWS, {"id": "last", "body": "other types", "year": "unknown", "price": None, "late": True}]
    spooled = read_corpus(rows)
    assert len(list(small_parts.glob("*/*.arrow"))) > 1
    monkeypatch.undo()
    in_memory = read_corpus(rows)
    assert spooled.table.equals(in_memory.table)
    assert spooled.fingerprint == in_memory.fingerprint
    assert spooled.report == in_memory.report


def test_the_temporary_folder_goes_with_the_corpus(small_parts: Path) -> None:
    corpus = read_corpus(ROWS)
    assert list(small_parts.iterdir())
    del corpus
    gc.collect()
    assert not list(small_parts.iterdir())


def test_a_failed_read_leaves_nothing_behind(small_parts: Path) -> None:
    with pytest.raises(SourceError):
        read_corpus([*ROWS, {"id": 7, "body": "contradicts"}])
    assert not list(small_parts.iterdir())


def test_a_full_disk_is_a_storage_error(small_parts: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(StorageError, match=r"can't keep the documents in .*make room, or name another folder"):
            read_corpus(ROWS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(small_parts.iterdir())


def test_exact_duplicates_are_merged_and_their_ids_kept() -> None:
    rows = [("a", "T", "one"), ("b", "", "one"), ("c", "T", " one\r\n"), ("d", "T ", "one"), ("d", "T", "one")]
    corpus = read_corpus([dict(zip(("id", "title", "text"), row, strict=True)) for row in rows])
    assert [(d.id, d.duplicate_ids) for d in corpus] == [("a", ("c", "d")), ("b", ())]
    assert (corpus.report.read, corpus.report.duplicates, corpus.report.empty) == (5, 3, 0)
    assert corpus.report.notes[-1] == "3 of 5 documents are exact duplicates: merged"


def test_equal_documents_become_one() -> None:
    corpus = read_corpus(["same"] * 50)
    assert len(corpus) == 1
    assert corpus.report.duplicates == 49


def test_the_same_id_with_another_text_is_refused() -> None:
    with pytest.raises(SourceError, match="id 'x' twice with different texts, at item 1 and 3"):
        read_corpus([{"id": "x", "text": "a"}, {"id": "y", "text": "b"}, {"id": "x", "text": "c"}])


@pytest.mark.parametrize("nothing", [None, float("nan"), "", "  \n", "\x00\ufeff"])
def test_documents_without_text_are_dropped_and_counted(nothing: object) -> None:
    corpus = read_corpus([{"text": nothing, "title": "t"}, {"text": "there", "title": nothing}])
    assert [(d.title, d.text) for d in corpus] == [("", "there")]
    assert corpus.report.empty == 1
    assert "1 of 2 documents has no text: left out" in corpus.report.notes
    with pytest.raises(SourceError, match="its only document is empty"):
        read_corpus([{"text": nothing}])


def test_ids_are_the_same_in_every_run_and_order() -> None:
    ids = {d.text: d.id for d in read_corpus(["one", "two"])}
    assert {d.text: d.id for d in read_corpus(["two", "zero", "one"])}.items() >= ids.items()


def test_the_fingerprint_is_that_of_the_content() -> None:
    rows = [{"id": "1", "text": "a", "year": 1}, {"id": "2", "text": "b", "year": 2}]
    fingerprint = read_corpus(rows).fingerprint
    assert len(fingerprint) == 64
    assert read_corpus([{**row, "year": 9} for row in rows]).fingerprint == fingerprint
    others = [rows[::-1], [rows[0], {"id": "2", "text": "c"}], [{"id": "0", "text": "a"}, rows[1]]]
    assert fingerprint not in {read_corpus(other).fingerprint for other in others}


def test_round_trips_lose_nothing() -> None:
    corpus = read_corpus(ROWS, text="body", label="year")
    for again in (Corpus.from_documents(corpus), read_corpus(corpus.table), read_corpus(list(corpus))):
        assert again.table.equals(corpus.table)
        assert again.fingerprint == corpus.fingerprint


def test_reading_by_position_and_in_order_agree() -> None:
    corpus = read_corpus(ROWS)
    every = list(corpus)
    assert [len(batch) for batch in corpus.batches(1_000)] == [1_000, 1_000, len(corpus) - 2_000]
    assert [corpus[row] for row in (0, 1_700, -1)] == [every[0], every[1_700], every[-1]]
    assert corpus.contents() == [document.content for document in every]
    assert corpus.contents([5, 3]) == [every[5].content, every[3].content]
    assert corpus.titles() == [document.title for document in every]
    with pytest.raises(IndexError):
        corpus[len(corpus)]


def test_batches_hold_little_text(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = read_corpus(["x" * length + str(row) for row, length in enumerate([400, 400, 2_000, 100, 100, 100, 900])])
    monkeypatch.setattr("tolman.corpus.corpus.SLICE_BYTES", 1_000)
    batches = list(corpus.batches(2))
    assert [len(batch) for batch in batches] == [2, 1, 2, 1, 1]
    assert pa.Table.from_batches(batches).equals(corpus.table.combine_chunks())


def test_metadata_is_typed_and_widened_only_where_it_must_be() -> None:
    rows = [{"text": f"t{i}", "whole": i, "mixed": i, "to_float": i, "flag": True, "list": [1]} for i in range(1_100)]
    rows[-1] |= {"mixed": "n/a", "to_float": 0.5, "flag": None, "new": "late"}
    schema = read_corpus(rows).table.schema
    types = {name: str(schema.field(name).type) for name in ("whole", "mixed", "to_float", "flag", "list", "new")}
    assert types == {
        **{"whole": "int64", "mixed": "string", "to_float": "double"},
        **{"flag": "bool", "list": "string", "new": "string"},
    }


def test_columns_with_names_of_ours_get_an_underscore() -> None:
    corpus = read_corpus(
        [{"text": "a", "x": 1, "_secret": 2, "a.b": 3, "vector": 4, "vector_": 5}], text="text", label=None
    )
    assert corpus.metadata_columns == ("x_", "secret", "a_b", "vector_", "vector__")
    assert "column 'x' is called 'x_' here" in " ".join(corpus.report.notes)


def test_guesses_are_reported_and_said() -> None:
    said: list[str] = []

    class Listener:
        def start(self, stage: str, total: float | None = None) -> None: ...

        def advance(self, amount: float = 1.0, **facts: float | str) -> None: ...

        def say(self, message: str) -> None:
            said.append(message)

    corpus = read_corpus(
        [{"Headline": "h", "stuff": "the longest text here", "no": 1, "Category": "c"}], progress=Listener()
    )
    assert corpus.report.columns == {"text": "stuff", "title": "Headline", "label": "Category"}
    assert said == list(corpus.report.notes)
    assert "text is column 'stuff' (guessed)" in said


@pytest.mark.parametrize("kind", ["jsonl", "mappings"])
def test_a_named_column_may_first_appear_late(kind: str, tmp_path: Path) -> None:
    rows = [{"id": i, "text": f"text {i}"} | ({"title": f"Title {i}"} if i >= 1_200 else {}) for i in range(1_500)]
    source: object = rows
    if kind == "jsonl":
        source = tmp_path / "a.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = read_corpus(source, title="title")  # type: ignore[arg-type]
    assert [corpus[row].title for row in (0, 1_199, 1_200, 1_499)] == ["", "", "Title 1200", "Title 1499"]
    assert corpus.metadata_columns == ()
    guessed = read_corpus(source)  # type: ignore[arg-type]
    assert guessed.metadata_columns == ("title_",)
    assert "too late to be guessed: name it if it is the title" in " ".join(guessed.report.notes)


def test_how_far_a_named_column_was_looked_for_is_said() -> None:
    rows = [{"text": f"text {i}", "late" if i > 40_000 else "early": 1} for i in range(41_000)]
    with pytest.raises(
        SourceError, match="no column 'late' for the title in its first 32,768 rows: there are text, early"
    ):
        read_corpus(rows, title="late")
    with pytest.raises(SourceError, match=r"no column 'other' for the title: there are text$"):
        read_corpus(pa.table({"text": ["a"]}), title="other")


@pytest.mark.parametrize("nothing", [None, float("nan"), "", " "])
def test_a_column_of_text_without_any_is_said_to_be_empty(nothing: object) -> None:
    for extra in ({}, {"id": "a"}, {"n": 3}):
        with pytest.raises(SourceError, match="has no text: all 2 documents read are empty"):
            read_corpus([{"text": nothing, **extra}] * 2)
    with pytest.raises(SourceError, match="has no column of text: there are n"):
        read_corpus([{"n": 3}])


def test_a_column_of_text_may_begin_with_empty_rows() -> None:
    corpus = read_corpus([{"text": None, "n": i} for i in range(2_000)] + [{"text": "there", "n": 1}])
    assert [document.text for document in corpus] == ["there"]
    assert corpus.report.empty == 2_000


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"text": "boddy"}, "no column 'boddy' for the text: there are id, body"),
        ({"text": "body", "title": "body"}, "column 'body' was named for both"),
    ],
)
def test_columns_that_are_not_there(named: dict[str, str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_corpus([{"id": "1", "body": "x"}], **named)


def test_the_columns_of_a_corpus_are_settled(tmp_path: Path) -> None:
    corpus = read_corpus(ROWS)
    assert read_corpus(corpus) is corpus
    for refuse in (read_corpus, lambda source, **named: learn(source, tmp_path / "a.space", **named)):
        with pytest.raises(SourceError, match="a Corpus has its columns settled, got text='nosuch'"):
            refuse(corpus, text="nosuch")
    assert not list(tmp_path.iterdir())


def test_no_documents() -> None:
    assert len(Corpus.from_documents([])) == 0
    for nothing in ([], pa.table({"text": pa.array([], pa.string())}), [" ", ""]):
        with pytest.raises(SourceError, match="has no text"):
            read_corpus(nothing)


def test_null_metadata_of_documents_stays_null() -> None:
    corpus = Corpus.from_documents([Document("1", "a", metadata={"x1": None}), Document("2", "b", metadata={"x1": 3})])
    assert json.dumps([d.metadata["x1"] for d in corpus]) == "[null, 3]"
