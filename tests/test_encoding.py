import gzip
import json
import os
from copy import copy
from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from checkpoints import MAX_TOKENS, write_transformer
from conftest import tree
from tiny import tiny_encoder

from tolman import encoding
from tolman.corpus.reading import read_corpus
from tolman.encoding import encode_documents, encode_file, passages_of
from tolman.errors import SourceError, StorageError, TolmanError
from tolman.models.blended import BlendedEncoder
from tolman.models.transformer import TransformerEncoder
from tolman.progress import Silent

SENTENCES = [
    "The cat sits on the mat.",
    "A refund never arrived here.",
    "Long words are rare in the mat.",
    "A cat and a mat.",
]
LONG = "\n\n".join(" ".join(SENTENCES) for _ in range(6))
DOCUMENTS = ["the cat", LONG, "", "refund " * 30, "the mat " * 40, "日本語のテキスト" * 3]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return TransformerEncoder.load(write_transformer(tmp_path_factory.mktemp("models") / "m"), precision="float32")


def test_passages_fit_and_cover_every_word(encoder):
    spans = passages_of(encoder, DOCUMENTS)
    assert [len(cuts) > 1 for cuts in spans] == [False, True, False, False, True, False]
    for text, cuts in zip(DOCUMENTS, spans, strict=True):
        passages = [text[start:end] for start, end in cuts]
        assert all(tokens <= MAX_TOKENS - 2 for tokens in encoder.count_tokens(passages))
        assert not cuts or "".join(passages).replace(" ", "").replace("\n", "") == "".join(text.split())


def test_a_huge_document_is_cut_chunk_by_chunk(encoder, monkeypatch):
    monkeypatch.setattr(encoding, "CHUNK_CHARACTERS", 300)
    for text in (LONG, "cat" * 400, "the mat " * 90):
        (cuts,) = passages_of(encoder, [text])
        assert "".join("".join(text[start:end] for start, end in cuts).split()) == "".join(text.split())
        assert max(end - start for start, end in cuts) <= 300
        assert max(encoder.count_tokens([text[start:end] for start, end in cuts])) <= MAX_TOKENS - 2


def test_a_document_is_its_vector_or_the_sum_of_its_passages(encoder):
    encoded = encode_documents(encoder, DOCUMENTS)
    for row, (text, cuts) in enumerate(zip(DOCUMENTS, encoded.passage_spans, strict=True)):
        passages_PD = encoded.passage_vectors_PD[encoded.passage_rows_P == row]
        np.testing.assert_allclose(passages_PD, encoder.encode([text[s:e] for s, e in cuts]), atol=1e-6)
        total = passages_PD.sum(axis=0) if cuts else encoder.encode([text])[0]
        np.testing.assert_allclose(encoded.vectors_ND[row], total / np.linalg.norm(total), atol=1e-6)


def test_windows_change_nothing(encoder, monkeypatch):
    expected = encode_documents(encoder, DOCUMENTS)
    monkeypatch.setattr(encoding, "WINDOW_TEXTS", 2)
    got = encode_documents(encoder, DOCUMENTS)
    np.testing.assert_allclose(got.vectors_ND, expected.vectors_ND, atol=1e-6)
    np.testing.assert_allclose(got.passage_vectors_PD, expected.passage_vectors_PD, atol=1e-6)
    np.testing.assert_array_equal(got.passage_rows_P, expected.passage_rows_P)
    assert got.passage_spans == expected.passage_spans


def parts(encoder):
    return encoder, tiny_encoder(), BlendedEncoder([encoder, tiny_encoder()], [1, 1])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("abc", r"got str: put a single text into \[brackets\]"),
        (None, "got NoneType"),
        ({"abc": 1}, "got dict"),
        ((text for text in "abc"), "got generator"),
        (["a", None], "got NoneType at place 1"),
    ],
)
def test_what_is_no_list_of_texts(encoder, texts, message):
    for one in parts(encoder):
        for refuse in (one.encode, one.count_tokens, lambda texts, one=one: encode_documents(one, texts)):
            with pytest.raises(TolmanError, match=f"expected a list of texts, {message}"):
                refuse(texts)
        with pytest.raises(TolmanError, match="expected a list of texts, got NoneType"):
            one.tokens(None)


def test_a_role_that_there_is_not(encoder, source, tmp_path):
    for one in parts(encoder):
        with pytest.raises(TolmanError, match='a role is "document" or "query", got \'qury\''):
            one.encode(["a"], role="qury")
    with pytest.raises(TolmanError, match="a role is"):
        encode_file(encoder, source, tmp_path / "out.npy", "qury")
    assert [path.name for path in tmp_path.iterdir()] == ["texts.txt"]


def test_texts_come_in_arrays_too(encoder):
    expected = encoder.encode(["the cat", "mat"])
    np.testing.assert_array_equal(encoder.encode(np.array(["the cat", "mat"])), expected)
    np.testing.assert_array_equal(encode_documents(encoder, ("the cat", "mat")).vectors_ND, expected)


def test_no_documents(encoder):
    encoded = encode_documents(encoder, [])
    assert encoded.vectors_ND.shape == encoded.passage_vectors_PD.shape == (0, encoder.dim)


def test_lines_of_a_text_file(encoder, tmp_path):
    (tmp_path / "texts.txt").write_text("the cat\r\n\nÜnïcödé\u2028mat\nrefund", encoding="utf-8")
    assert encode_file(encoder, tmp_path / "texts.txt", tmp_path / "out.npy") == (4, encoder.dim)
    vectors_ND = np.load(tmp_path / "out.npy")
    assert vectors_ND.dtype == np.float32
    np.testing.assert_allclose(vectors_ND, encoder.encode(["the cat", "", "Ünïcödé\u2028mat", "refund"]), atol=1e-6)
    assert {path.name for path in tmp_path.iterdir()} == {"texts.txt", "out.npy"}


def test_rows_of_a_jsonl_file(encoder, tmp_path):
    rows = [{"title": "Cat", "text": "the mat"}, {"text": LONG}, {"text": "half \ud83d a pair", "title": None}]
    with gzip.open(tmp_path / "texts.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("\n\n".join(json.dumps(row) for row in rows))
    encode_file(encoder, tmp_path / "texts.jsonl.gz", tmp_path / "out.npy")
    expected = encode_documents(encoder, ["Cat\nthe mat", LONG, "half \ufffd a pair"]).vectors_ND
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["texts.csv", "texts.tsv.gz", "texts.parquet", "texts.jsonl"])
def test_rows_of_a_table(encoder, tmp_path, name):
    table = pa.table({"n": [1, 2, 3], "body": ["the mat", "", "the mat"], "head": ["Cat", "only a head", None]})
    if name == "texts.parquet":
        pq.write_table(table, tmp_path / name)
    elif name == "texts.jsonl":
        (tmp_path / name).write_text("\n".join(map(json.dumps, table.to_pylist())))
    else:
        tab = "\t" if ".tsv" in name else ","
        rows = "\n".join(tab.join(str(cell or "") for cell in row.values()) for row in table.to_pylist())
        with (gzip.open if name.endswith(".gz") else open)(tmp_path / name, "wt") as file:
            file.write(f"n{tab}body{tab}head\n{rows}\n")
    said = []
    columns = {"text": "body"} if name == "texts.jsonl" else {}
    encode_file(encoder, tmp_path / name, tmp_path / "out.npy", progress=Listener(said), title="head", **columns)
    expected = encode_documents(encoder, ["Cat\nthe mat", "only a head", "the mat"]).vectors_ND
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-6)
    assert said == ([] if columns else ["text is column 'body' (guessed)"])


TEXTLESS = ["the mat", None, 5, "the cat"]
FILES_WITH_TEXTLESS_ROWS = {
    "null.jsonl": "".join(json.dumps({"n": n, "text": text}) + "\n" for n, text in enumerate(TEXTLESS)),
    "missing.jsonl": '{"text": "the mat"}\n{"n": 1}\n\n{"text": 5}\n{"text": "the cat"}\n',
    "question.jsonl": '{"question": "the mat"}\n{"question": null}\n{"question": 5}\n{"question": "the cat"}\n',
    "rows.csv": "n,text\n0,the mat\n1,\n2,5\n3,the cat\n",
    "rows.tsv": "n\ttext\n0\tthe mat\n1\n2\t5\n3\tthe cat\n",
    "rows.parquet": pa.table({"text": ["the mat", None, "5", "the cat"]}),
    "lines.txt": "the mat\n\n5\nthe cat\n",
}


@pytest.mark.parametrize("name", FILES_WITH_TEXTLESS_ROWS)
def test_every_row_gives_a_vector_with_a_text_or_without(encoder, tmp_path, name):
    content, said = FILES_WITH_TEXTLESS_ROWS[name], []
    if isinstance(content, str):
        (tmp_path / name).write_text(content)
    else:
        pq.write_table(content, tmp_path / name)
    assert encode_file(encoder, tmp_path / name, tmp_path / "out.npy", progress=Listener(said)) == (4, encoder.dim)
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"), encoder.encode(["the mat", "", "5", "the cat"]), atol=1e-6
    )
    column = "question" if name == "question.jsonl" else "text"
    guess = [f"text is column {column!r} (guessed)"] * (name != "lines.txt")
    assert said == [*guess, "1 of 4 texts is empty: encoded as such"]


def test_what_is_encoded_is_what_is_learned_from(encoder, tmp_path):
    rows = [{"subject": f"Cat {n}", "body": f"the mat {n}", "note": "x"} for n in range(3)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    encode_file(encoder, tmp_path / "a.jsonl", tmp_path / "out.npy")
    expected = encode_documents(encoder, read_corpus(tmp_path / "a.jsonl").contents()).vectors_ND
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-6)


def test_columns_that_are_not_there(encoder, tmp_path):
    (tmp_path / "a.csv").write_text("text\nthe mat\n")
    (tmp_path / "a.txt").write_text("the mat\n")
    for name, message in (("a.csv", "has no column 'body'"), ("a.txt", "has no columns, got 'body'")):
        with pytest.raises(SourceError, match=message):
            encode_file(encoder, tmp_path / name, tmp_path / "out.npy", text="body")
    assert not (tmp_path / "out.npy").exists()


@pytest.mark.parametrize("charset", ["utf-16", "utf-8-sig", "cp1252"])
def test_encodings_that_learning_reads(encoder, tmp_path, charset):
    (tmp_path / "texts.txt").write_bytes("the cat\nGröße of the mat".encode(charset))
    said = []
    encode_file(encoder, tmp_path / "texts.txt", tmp_path / "out.npy", progress=Listener(said))
    expected = encoder.encode(["the cat", "Größe of the mat"])
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-6)
    assert said == ["texts.txt isn't UTF-8: read as Windows-1252"] * (charset == "cp1252")


class Listener(Silent):
    def __init__(self, said):
        self.say = said.append


class Killed(BaseException):
    """Nobody catches it, as nobody catches a kill."""


class Mortal:
    """An encoder that is killed at its nth call."""

    def __init__(self, encoder, calls):
        self.encoder, self.calls, self.encoded = encoder, count(1), 0
        self.last = calls

    def __getattr__(self, name):
        return getattr(self.encoder, name)

    def encode(self, texts, role="document"):
        if next(self.calls) == self.last:
            raise Killed
        self.encoded += len(texts)
        return self.encoder.encode(texts, role)


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "WINDOW_TEXTS", 3)
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(f"the cat {'and the mat ' * (i % 5)}" for i in range(20)))
    return path


@pytest.mark.parametrize("role", ["document", "query"])
def test_a_resumed_run_ends_with_the_bytes_of_an_uninterrupted_one(encoder, source, tmp_path, role):
    encode_file(encoder, source, tmp_path / "whole.npy", role)
    with pytest.raises(Killed):
        encode_file(Mortal(encoder, 4), source, tmp_path / "out.npy", role)
    assert not (tmp_path / "out.npy").exists()
    with (tmp_path / "out.npy.partial").open("ab") as file:
        file.write(b"half a window that the journal doesn't count")
    second = Mortal(encoder, 0)
    assert encode_file(second, source, tmp_path / "out.npy", role) == (20, encoder.dim)
    assert second.encoded == 20 - 9
    assert (tmp_path / "out.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"texts.txt", "out.npy", "whole.npy"}


@pytest.mark.parametrize("change", ["input", "role", "journal"])
def test_what_belongs_to_another_run_is_not_resumed(encoder, source, tmp_path, change):
    with pytest.raises(Killed):
        encode_file(Mortal(encoder, 4), source, tmp_path / "out.npy")
    if change == "input":
        source.write_text(source.read_text().replace("cat", "mat"))
    if change == "journal":
        (tmp_path / "out.npy.partial.json").write_text("{half")
    second = Mortal(encoder, 0)
    encode_file(second, source, tmp_path / "out.npy", "query" if change == "role" else "document")
    assert second.encoded == 20


def refused(encoder, folder, name, error, message):
    before = tree(folder)
    with pytest.raises(error, match=message):
        encode_file(encoder, folder / name, folder / "out.npy")
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", b"", "is empty"),
        ("empty.jsonl", b"\n\n", "holds no texts"),
        ("bad.jsonl", b'{"text": "a"}\n{"text": ', r"bad\.jsonl line 2 isn't valid JSON"),
        ("deep.jsonl", b'{"text": "a"}\n' + b"[" * 100_000, "line 2 isn't valid JSON"),
        ("list.jsonl", b"[1]\n", "line 1 holds an array: expected one JSON object"),
        ("cyrillic.txt", "Где мои деньги".encode("cp1251"), "neither UTF-8 nor Windows-1252"),
        ("image.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 9, "is binary data"),
        ("half.txt.gz", gzip.compress(b"the cat" * 99)[:-9], "damaged or truncated gzip"),
        ("bomb.txt.gz", gzip.compress((b" " * 1_000 + b"\n") * 80_000, 9), "grows more than 250 times"),
        ("line.txt", b"x" * (33 * 2**20), "a line of more than 32 MiB"),
        ("texts.xlsx", b"PK", r"expected a \.txt \.jsonl \.ndjson \.csv \.tsv \.parquet file"),
        ("numbers.csv", b"a,b\n1,2\n", "has no column of text: there are a, b"),
    ],
)
def test_sources_that_are_refused(encoder, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    refused(encoder, tmp_path, name, SourceError, message)


def test_a_missing_source(encoder, tmp_path):
    refused(encoder, tmp_path, "none.txt", SourceError, "can't read")


def test_an_output_that_can_not_be_written(encoder, source, tmp_path):
    with pytest.raises(StorageError, match="it is a folder"):
        encode_file(encoder, source, tmp_path)
    before = tree(tmp_path)
    with pytest.raises(StorageError, match=r"can't (write|make)"):
        encode_file(encoder, source, source / "such" / "out.npy")
    assert tree(tmp_path) == before


def test_the_source_is_never_written_over(encoder, source, tmp_path):
    np.save(tmp_path / "other.npy", np.zeros(3))
    (tmp_path / "link.txt").symlink_to(tmp_path / "other.npy")
    (tmp_path / "link.npy").symlink_to(source)
    (tmp_path / "same.npy").hardlink_to(source)
    before = tree(tmp_path)
    for read, out in ((source, "texts.txt"), (source, "link.npy"), (source, "same.npy")):
        with pytest.raises(StorageError, match="it is the source itself; name another file"):
            encode_file(encoder, read, tmp_path / out)
    with pytest.raises(StorageError, match="it is the source itself"):
        encode_file(encoder, tmp_path / "link.txt", tmp_path / "other.npy")
    assert tree(tmp_path) == before


def test_only_an_array_is_replaced(encoder, source, tmp_path):
    for name in ("letters.md", "empty", "busy.npy.partial"):
        (tmp_path / name).write_text("" if name == "empty" else "what somebody wrote")
    before = tree(tmp_path)
    for out in ("letters.md", "empty", "busy.npy"):
        with pytest.raises(StorageError, match=r"it is there and no (\.npy array; name another file|work of Tolman's)"):
            encode_file(encoder, source, tmp_path / out)
        assert tree(tmp_path) == before
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match=r"no \.npy array"):
        encode_file(encoder, source, tmp_path / "pipe")
    np.save(tmp_path / "old.npy", np.zeros(3))
    encode_file(encoder, source, tmp_path / "old.npy")
    assert np.load(tmp_path / "old.npy").shape == (20, encoder.dim)


def test_folders_above_the_output_are_made_and_go_again_after_an_error(encoder, source, tmp_path):
    class Full(type(encoder)):
        def encode(self, texts, role="document"):
            raise OSError(28, "No space left on device")

    broken = copy(encoder)
    broken.__class__ = Full
    out = tmp_path / "no" / "such" / "out.npy"
    with pytest.raises(StorageError, match=r"can't (write|make)"):
        encode_file(broken, source, out)
    assert [path.name for path in tmp_path.iterdir()] == ["texts.txt"]
    encode_file(encoder, source, out)
    assert [path.name for path in out.parent.iterdir()] == ["out.npy"]
