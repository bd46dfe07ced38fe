import json
from pathlib import Path

import pytest

from tolman.errors import SourceError
from tolman.evaluation import read_qrels, read_queries, score_rankings
from tolman.progress import Silent


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_queries_in_order(tmp_path: Path) -> None:
    file = write(tmp_path / "q.jsonl", '{"_id": "b", "text": "zwölf"}\n\n{"_id": 7, "text": "eins", "metadata": {}}\n')
    assert list(read_queries(file).items()) == [("b", "zwölf"), ("7", "eins")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"_id": "a", "text": "x"}\n{"_id": "b"', "line 2 isn't valid JSON"),
        ('{"_id": "a", "text": "x"}\n' + "[" * 100_000, "line 2 isn't valid JSON: its values are nested too deep"),
        ('{"_id": "a"}', "line 1: expected"),
        ('["a", "x"]', "line 1 holds an array"),
        ('{"_id": "a", "text": "x"}\n{"_id": 7, "text": " "}', "line 2: the query '7' is empty"),
        ('{"_id": 7, "text": "x"}\n\n{"_id": "7", "text": "y"}', "line 3: the query '7' was there before with another"),
        ("\n", "holds no query"),
    ],
)
def test_queries_that_are_none(content: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=complaint):
        read_queries(write(tmp_path / "q.jsonl", content))


def test_queries_without_a_name_are_numbered(tmp_path: Path) -> None:
    lines = [
        '{"text": "eins"}',
        "",
        '{"text": "eins"}',
        '{"_id": "c", "text": "drei"}',
        '{"_id": null, "text": "vier"}',
    ]
    found = read_queries(write(tmp_path / "q.jsonl", "\n".join(lines)))
    assert list(found.items()) == [("1", "eins"), ("2", "eins"), ("c", "drei"), ("4", "vier")]
    with pytest.raises(SourceError, match="line 2: the query '2' was there before with another text"):
        read_queries(write(tmp_path / "q.jsonl", '{"_id": 2, "text": "x"}\n{"text": "y"}'))


@pytest.mark.parametrize("header", ["", "query-id\tcorpus-id\tscore\n"])
def test_judgments_with_and_without_a_header(header: str, tmp_path: Path) -> None:
    file = write(tmp_path / "q.tsv", header + "a\td1\t2\na\td2\t0\nb\td1\t1\n")
    assert read_qrels(file) == {"a": {"d1": 2, "d2": 0}, "b": {"d1": 1}}


@pytest.mark.parametrize(
    "content",
    [
        "a 0 d1 2\na 0 d2 0\nb 0 d1 1\n",
        "a\t0\td1\t2\na\tQ0\td2\t0\nb\t0\td1\t1\n",
        "q d s\na d1 2\na  d2  0\nb d1 1 \n",
    ],
)
def test_judgments_of_trec_and_with_spaces(content: str, tmp_path: Path) -> None:
    assert read_qrels(write(tmp_path / "q.txt", content)) == {"a": {"d1": 2, "d2": 0}, "b": {"d1": 1}}


def test_spaces_in_ids_stay_where_tabs_separate(tmp_path: Path) -> None:
    assert read_qrels(write(tmp_path / "q.tsv", "a b\td 1\t1\n")) == {"a b": {"d 1": 1}}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("a\td1\t1\nb\td1\n", "line 2: expected"),
        ("a\td1\t1\nb\td1\tyes\n", "line 2: expected"),
        ("a\td1\t1\nb\td1\tinf\n", "line 2: expected"),
        ("a d1\n", "line 1: expected"),
        ("a 0 d1 1 more\n", "line 1: expected"),
        ("query-id\tcorpus-id\tscore\nb\td1\tyes\n", "line 2: expected"),
        (
            "a\td1\tyes\n",
            "holds no judgment; its only line was taken for a header, for it ends in no number: a\td1\tyes",
        ),
    ],
)
def test_judgments_that_are_none(content: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=complaint):
        read_qrels(write(tmp_path / "q.tsv", content))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_queries(tmp_path / "none.jsonl")
    (tmp_path / "cyrillic.tsv").write_bytes("вопрос\td\t1\n".encode("cp1251"))
    with pytest.raises(SourceError, match="neither UTF-8 nor Windows-1252"):
        read_qrels(tmp_path / "cyrillic.tsv")
    (tmp_path / "image.jsonl").write_bytes(bytes(99))
    with pytest.raises(SourceError, match="is binary data"):
        read_queries(tmp_path / "image.jsonl")


@pytest.mark.parametrize("charset", ["utf-16", "cp1252"])
def test_encodings_that_learning_reads(charset: str, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_bytes('{"_id": "é", "text": "zwölf"}\n'.encode(charset))
    (tmp_path / "q.tsv").write_bytes("é\tä\t1\n".encode(charset))
    said: list[str] = []
    progress = Silent()
    progress.say = said.append  # type: ignore[method-assign]
    assert read_queries(tmp_path / "q.jsonl", progress) == {"é": "zwölf"}
    assert read_qrels(tmp_path / "q.tsv", progress) == {"é": {"ä": 1}}
    notes = [f"{name} isn't UTF-8: read as Windows-1252" for name in ("q.jsonl", "q.tsv")]
    assert said == notes * (charset == "cp1252")


def test_what_is_passed_over_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    progress = Silent()
    progress.say = said.append  # type: ignore[method-assign]
    lines = [json.dumps({"_id": name, "text": name}) for name in ("a", "b", "a", "b")]
    assert list(read_queries(write(tmp_path / "q.jsonl", "\n".join(lines)), progress)) == ["a", "b"]
    read_qrels(write(tmp_path / "q.tsv", "query\tdocument\tyes\na\td1\t1\n"), progress)
    assert said == [
        "q.jsonl: 2 lines repeat a query, like 'a': each is asked once",
        "q.tsv: line 1 is taken for a header: query\tdocument\tyes",
    ]


def test_halves_of_characters_in_a_query(tmp_path: Path) -> None:
    assert read_queries(write(tmp_path / "q.jsonl", r'{"_id": "a", "text": "half \ud83d"}')) == {"a": "half ?"}


def test_scores_are_means_over_queries() -> None:
    quality = score_rankings([["a", "b"], ["b", "a"], ["x"]], [{"a": 1.0}, {"a": 1.0}, {"a": 1.0, "c": 1.0}])
    assert quality.mrr_10.mean == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert quality.recall_10.mean == pytest.approx(2 / 3)
    assert quality.mrr_10.low <= quality.mrr_10.mean <= quality.mrr_10.high


def test_the_header_of_beir_is_passed_over_in_silence(tmp_path: Path) -> None:
    said: list[str] = []
    progress = Silent()
    progress.say = said.append  # type: ignore[method-assign]
    path = write(tmp_path / "q.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t2\n")
    assert read_qrels(path, progress) == {"q1": {"d1": 2.0}}
    assert said == []
