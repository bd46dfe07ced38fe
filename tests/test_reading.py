"""Files with many documents: the same documents out of every format, and one clear line for every bad file."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import tree

from tolman.corpus.readers import columnar, lines, memory
from tolman.corpus.reading import read_corpus
from tolman.errors import SourceError

ROWS = [
    {"id": "1", "title": "Größe", "text": 'He said "no",\nthen; left.', "year": 2020, "price": 1.5, "ok": True},
    {"id": "2", "title": "返品", "text": "できますか。", "year": None, "price": 2.0, "ok": False},
    {"id": "3", "title": "مرحبا", "text": "x\ty " * 50_000, "year": 2022, "price": None, "ok": None},
]
NAMES = list(ROWS[0])


def as_jsonl(path: Path) -> None:
    path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n", encoding="utf-8")


def as_csv(path: Path, delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, NAMES, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)


def as_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path)


WRITERS: dict[str, Callable[[Path], None]] = {
    "a.jsonl": as_jsonl,
    "a.csv": as_csv,
    "semicolons.csv": lambda path: as_csv(path, ";"),
    "a.tsv": lambda path: as_csv(path, "\t"),
    "a.parquet": as_parquet,
    "A.PARQUET": as_parquet,
}
IN_MEMORY = {
    "list": lambda: ROWS,
    "generator": lambda: iter(ROWS),
    "arrow": lambda: pa.Table.from_pylist(ROWS),
    "batches": lambda: pa.Table.from_pylist(ROWS).to_reader(),
    "pandas": lambda: pd.DataFrame(ROWS).astype({"year": "Int64"}),
    "polars": lambda: pl.DataFrame(ROWS),
    "lazy": lambda: pl.LazyFrame(ROWS),
    "structs": lambda: pa.array(ROWS),
    "chunked structs": lambda: pa.chunked_array([ROWS[:1], ROWS[1:]]),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_documents(name: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    if packed:
        packed_path = path.with_name(f"{name}.gz")
        packed_path.write_bytes(gzip.compress(path.read_bytes()))
        path = packed_path
    limit = csv.field_size_limit()
    assert read_corpus(path).table.equals(read_corpus(ROWS).table)
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("kind", IN_MEMORY)
def test_every_kind_of_table_gives_the_same_documents(kind: str) -> None:
    corpus = read_corpus(IN_MEMORY[kind]())
    assert corpus.fingerprint == read_corpus(ROWS).fingerprint
    assert [str(t) for t in corpus.table.schema.types[5:]] == ["int64", "double", "bool"]
    assert [document.metadata["year"] for document in corpus] == [2020, None, 2022]


def test_arrow_arrays_of_texts() -> None:
    texts = ["one", None, "two"]
    for source in (pa.array(texts), pa.chunked_array([texts[:1], texts[1:]]), pa.array(texts).dictionary_encode()):
        assert [document.text for document in read_corpus(source)] == ["one", "two"]


def test_a_lazy_frame_that_can_not_be_computed() -> None:
    with pytest.raises(SourceError, match="the LazyFrame can't be computed: "):
        read_corpus(pl.LazyFrame({"text": ["a"]}).select("nothere"))


def test_a_semicolon_is_noticed_and_said(tmp_path: Path) -> None:
    as_csv(tmp_path / "a.csv", ";")
    assert "a.csv is separated by semicolons" in read_corpus(tmp_path / "a.csv").report.notes


def test_cells_that_spell_numbers_are_numbers_and_odd_ones_are_names(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,zip,n,f,b,e\nfoo,01234,1,1.5,true,\nbar,99999,-2,3,FALSE,\n")
    corpus = read_corpus(path)
    assert corpus[0].metadata == {"zip": "01234", "n": 1, "f": 1.5, "b": True, "e": None}
    assert corpus[1].metadata == {"zip": "99999", "n": -2, "f": 3.0, "b": False, "e": None}


def test_only_names_that_are_taken_or_reserved_are_changed() -> None:
    row = {"text": "a text", "label": "a", "score": 1, "confidence": 2, "topic": "b", "x": 3, "vector": 4, "_score": 5}
    corpus = read_corpus([row])
    assert corpus[0].metadata == {"score": 1, "confidence": 2, "topic_": "b", "x_": 3, "vector_": 4, "score_": 5}
    assert {note.partition(":")[2] for note in corpus.report.notes if "is called" in note} == {
        " that name is reserved for later",
        " Tolman has a column of that name",
        " it can be searched by that name",
    }


def test_what_arrow_has_no_type_for_becomes_text() -> None:
    frame = pd.DataFrame({"text": ["one", "two"], "c": [1 + 2j, 3], "d": pd.Series([None, {"a", 1}], dtype=object)})
    assert [document.metadata["c"] for document in read_corpus(frame)] == ["(1+2j)", "(3+0j)"]
    assert read_corpus(frame)[0].metadata["d"] is None
    assert read_corpus([{"text": "one", "c": np.complex64(1)}])[0].metadata == {"c": "(1+0j)"}


@pytest.mark.parametrize("kind", ["pandas", "pandas that spells alike", "arrow", "parquet"])
def test_two_columns_of_one_name(kind: str, tmp_path: Path) -> None:
    names = ["text", 1, "1"] if "alike" in kind else ["text", "1", "1"]
    source = pd.DataFrame([["one", 1, 2], ["two", 3, 4]], columns=names)
    if kind in ("arrow", "parquet"):
        source = pa.table([["one", "two"], [1, 3], [2, 4]], names=names)
    if kind == "parquet":
        pq.write_table(source, tmp_path / "a.parquet")
        source = tmp_path / "a.parquet"
    with pytest.raises(SourceError, match="has two columns named '1': rename one"):
        read_corpus(source)


def nameless_sources(folder: Path) -> dict[str, object]:
    rows = [{"": f"row {n}", "text": f"some text {n}", "n": n} for n in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return {"parquet": folder / "a.parquet", "jsonl": folder / "a.jsonl", "mappings": rows}


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "mappings"])
def test_a_column_without_a_name_plays_no_role(kind: str, tmp_path: Path) -> None:
    corpus = read_corpus(nameless_sources(tmp_path)[kind])  # type: ignore[arg-type]
    assert corpus.report.columns == {"text": "text"}
    first = corpus[0]
    assert (first.text, first.title, first.label, first.duplicate_ids) == ("some text 0", "", None, ())
    assert first.metadata == {"column": "row 0", "n": 0}
    assert not first.id.startswith("row")
    assert any("column '' is called 'column' here" in note for note in corpus.report.notes)


def test_a_column_without_a_name_is_not_guessed_for_the_text() -> None:
    with pytest.raises(SourceError, match="no column of text: there are one without a name, n"):
        read_corpus([{"": f"a long text {n}", "n": n} for n in range(3)])
    assert read_corpus([{"": "a long text", "n": 1}], text="")[0].text == "a long text"


def test_names_of_columns_that_are_no_texts() -> None:
    assert read_corpus([{"text": "some text", 1: "one", None: "none"}])[0].metadata == {"1": "one", "None": "none"}


def test_a_guess_of_very_short_texts_is_doubted() -> None:
    codes = [{"hexcode": f"1F60{n}", "names": {"en": ["grinning face"]}, "n": n} for n in range(9)]
    doubt = "but the texts are very short: is this the right column? Name another with --text COLUMN"
    assert f"text is column 'hexcode' (guessed), {doubt}" in read_corpus(codes).report.notes
    for unquestioned in ([{"body": "two words"}, {"body": "two"}, {"body": "more words"}], [{"body": "表情包大全"}]):
        assert "text is column 'body' (guessed)" in read_corpus(unquestioned).report.notes
    assert not any("short" in note for note in read_corpus(codes, text="hexcode").report.notes)


def test_quotes_in_a_tsv_without_quoting_are_letters(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"Open but never closed\tone\nplain\ttwo\n')
    assert [(d.text, d.label) for d in read_corpus(path)] == [('"Open but never closed', "one"), ("plain", "two")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    texts = ["Die Größe stimmt nicht.", "Ein Ärgernis – leider.", "Ċ ist selten" if "utf" in encoding else "Das war's."]
    path.write_bytes("\r\n".join(texts).encode(encoding))
    corpus = read_corpus(path)
    assert [document.text for document in corpus] == texts
    assert ("a.txt isn't UTF-8: read as Windows-1252" in corpus.report.notes) == (encoding == "cp1252")


def test_a_text_file_is_a_document_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\n\ntwo\nthree\n")
    corpus = read_corpus(path)
    assert [document.text for document in corpus] == ["one", "two", "three"]
    assert "a.txt: one document a line" in corpus.report.notes


def test_wrapped_text_is_a_document_a_paragraph(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("It was the best\nof times.\n\n\nIt was the worst\nof times.\nIt was.\n")
    corpus = read_corpus(path)
    assert [document.text for document in corpus] == [
        "It was the best\nof times.",
        "It was the worst\nof times.\nIt was.",
    ]
    assert "book.txt: one document a paragraph" in corpus.report.notes


def test_missing_texts_are_empty_wherever_they_stand(tmp_path: Path) -> None:
    assert read_corpus([None, "a", float("nan")]).report.empty == 2
    (tmp_path / "a.csv").write_text("text,n\nNaN,1\nNULL,\nthere,NaN\n")
    corpus = read_corpus(tmp_path / "a.csv")
    assert (len(corpus), corpus.report.empty, corpus[0].metadata["n"]) == (1, 2, None)


def test_a_constant_column_is_no_id_and_an_empty_one_is_text() -> None:
    corpus = read_corpus([{"UID": "same", "text": f"t{i}", "title": None, "nothing": None} for i in range(3)])
    assert corpus.report.columns == {"text": "text", "title": "title"}
    assert corpus.table.schema.field("nothing").type == pa.string()


def test_a_repeated_long_name_is_not_the_text() -> None:
    corpus = read_corpus([{"group": "the same long name for all of them", "words": f"short {i}"} for i in range(20)])
    assert corpus.report.columns == {"text": "words"}


def long_line(count: int) -> bytes:
    return b'{"text": "' + b"x" * count


BAD = {
    "empty.jsonl": (b"", "is empty"),
    "blank.csv": (b"\n\n", "first line that names its columns"),
    "broken.jsonl": (b'{"text": "a"}\n\n{"text": \n', "line 3 isn't valid JSON"),
    "array.jsonl": (b'[{"text": "a"}]\n', "line 1 holds an array: expected one JSON object a line"),
    "deep.jsonl": (b'{"text": "a"}\n' + b"[" * 100_000 + b"\n", "line 2 isn't valid JSON"),
    "digits.jsonl": (b'{"text": 1' + b"0" * 5_000 + b"}\n", "line 1 isn't valid JSON"),
    "image.jsonl": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 9, "is binary data"),
    "late.txt": (b"fine\n" * 30_000 + b"\x00\x01\x02\n", "binary data in line 30001"),
    "zipped.csv": (gzip.compress(b"text\na\n"), "is compressed: let its name end in .gz"),
    "mixed.txt": ("é\n".encode() + "é\n".encode("cp1252"), "mixes encodings: line 2"),
    "mixed2.txt": ("é est là\n".encode("cp1252") + "日本語\n".encode(), "mixes encodings: line 2"),
    "russian.txt": ("Привет, мир, как дела\n".encode("cp1251"), "neither UTF-8 nor Windows-1252"),
    "polish.txt": ("Zażółć gęślą jaźń\n".encode("cp1250"), "neither UTF-8 nor Windows-1252"),
    "turkish.txt": ("Sipariş verdiğim lamba kırık çıktı.\n".encode("cp1254"), "it looks like cp1254"),
    "turkish.csv": ("text,n\nKargom hâlâ gelmedi; sipariş kırık çıktı,1\n".encode("cp1254"), "it looks like cp1254"),
    "turkish.jsonl": ('{"text": "Şifremi değiştirdim, açamıyorum."}\n'.encode("cp1254"), "it looks like cp1254"),
    "open.csv": (b'id,text\n1,"abc\n2,def\n', "line 2 isn't a valid row: a quote is opened and never closed"),
    "sjis.txt": ("返品できますか。はい、できます。\n".encode("shift_jis"), "neither UTF-8 nor Windows-1252"),
    "long.jsonl": (long_line(34 * 2**20), "a line of more than 32 MiB"),
    "headless.csv": (b"1,some text\n2,more\n", "first line that names its columns"),
    "twice.csv": (b"text,a,a\nx,1,2\n", "two columns named 'a'"),
    "ragged.csv": (b"text,a\nx,1\nhello, you, there\n", "line 3 has 3 cells, the header names 2"),
    "numbers.csv": (b"a,b\n1,2\n", "has no column of text: there are a, b"),
    "cut.jsonl.gz": (gzip.compress(b'{"text": "a"}\n' * 99)[:-12], "damaged or truncated gzip"),
    "not.csv.gz": (b"text\na\n", "damaged or truncated gzip"),
    "broken.parquet": (b"PAR1 and then nothing PAR1", "isn't a whole Parquet file"),
    "spaces.jsonl": (b'{"text": " "}\n{"text": null}\n', "has no text: all 2 documents read are empty"),
    "nulls.jsonl": (b'{"text": null}\n' * 2, "has no text: all 2 documents read are empty"),
    "table.xlsx": (b"PK", r"no known extension: expected .jsonl .* \(each also .gz\)"),
    "noextension": (b"text", "no known extension"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    content, message = BAD[name]
    (tmp_path / name).write_bytes(content)
    before = tree(tmp_path)
    with pytest.raises(SourceError, match=message) as refusal:
        read_corpus(tmp_path / name)
    assert "\n" not in str(refusal.value)
    assert tree(tmp_path) == before


def test_a_quote_that_is_never_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tolman.corpus.readers.delimited.MOST_LINE_BYTES", 1_000)
    (tmp_path / "a.csv").write_text('text,n\nfine,1\n"never closed,2\n' + "more,3\n" * 500)
    with pytest.raises(SourceError, match="line 3 isn't a valid row: a quote is opened and never closed"):
        read_corpus(tmp_path / "a.csv")


def test_a_huge_line_is_refused_without_reading_it_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.truncate(200 * 2**20)  # sparse
        file.seek(0)
        file.write(b"x" * 70_000)
    monkeypatch.setattr(lines, "refuse_binary", lambda *_: None)
    read: list[int] = []
    plain = lines.ByteFile.read
    monkeypatch.setattr(lines.ByteFile, "read", lambda self, *size: read.append(1) or plain(self, *size))
    with pytest.raises(SourceError, match="more than 32 MiB"):
        read_corpus(path)
    assert len(read) < 40


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress((b" " * 1_000 + b"\n") * 80_000, 9))
    with pytest.raises(SourceError, match="grows more than 250 times"):
        read_corpus(path)


def repeated(text: str, times: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), [text])


@pytest.mark.parametrize("bomb", ["one value in every row", "rows that compress well"])
def test_a_parquet_bomb_is_refused(bomb: str, tmp_path: Path) -> None:
    text = repeated("x" * 10**6, 3_000) if bomb.startswith("one") else pa.array([" " * 10**6] * 70)
    options = {"store_schema": False, "compression": "zstd", "use_dictionary": bomb.startswith("one")}
    pq.write_table(pa.table({"text": text}), tmp_path / "a.parquet", **options)
    read: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        plain = columnar.row_bytes
        patch.setattr(columnar, "row_bytes", lambda batch: read.append(batch.nbytes) or plain(batch))
        with pytest.raises(SourceError, match="grows more than 250 times"):
            read_corpus(tmp_path / "a.parquet")
    assert sum(read) < 200 * 2**20
    assert max(read, default=0) < 40 * 2**20


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "dictionary"])
def test_tables_are_read_in_chunks_that_are_small_in_bytes(kind: str) -> None:
    texts = [f"{number} " + "x" * 2**20 for number in range(20)] + ["", "y" * (9 * 2**20), "z"]
    column = pa.array(texts).dictionary_encode() if kind == "dictionary" else pa.array(texts).cast(kind)
    table = pa.table({"text": column, "n": range(len(texts))})
    rows = list(memory.arrow_rows(table.to_batches(max_chunksize=3)))
    assert [text for chunk in rows for text in chunk.columns["text"].to_pylist()] == texts
    assert [place for chunk in rows for place in chunk.places] == list(range(1, len(texts) + 1))
    sizes = [sum(map(len, chunk.columns["text"].to_pylist())) for chunk in rows]
    assert [size for size in sizes if size > 8 * 2**20] == [9 * 2**20]
    assert len(rows) <= 6


def test_small_batches_are_read_together() -> None:
    table = pa.table({"text": [f"t{number}" for number in range(3_000)]})
    rows = list(memory.arrow_rows(table.to_batches(max_chunksize=32)))
    assert [len(chunk.places) for chunk in rows] == [1_024, 1_024, 952]


def test_nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match="stdin isn't read: write it to a file"):
        read_corpus("-")
    with pytest.raises(SourceError, match=r"there is no file or folder .*nowhere.csv"):
        read_corpus(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (7, "expected a path, texts, mappings, Documents or a table; got int"),
        ([7], "got an iterable of int"),
        (["a", {"text": "b"}], "item 2 is of type dict, the first is str"),
        ({"text": ["a"]}, "got dict"),
        (b"bytes", "got bytes"),
    ],
)
def test_what_is_no_source(source: object, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_corpus(source)  # type: ignore[arg-type]
