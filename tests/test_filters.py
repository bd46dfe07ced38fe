"""What reaches Lance is one whole condition; test_store.py asks a real store."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from tolman.errors import QueryError
from tolman.space.filters import DEEPEST, MOST_PARTS, check_filter
from tolman.space.store import DocumentStore, document_schema

SCHEMA = document_schema(2, pa.schema([("year", pa.int64()), ("Größe", pa.string())]))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DocumentStore:
    store = DocumentStore.create(Path(tmp_path_factory.mktemp("s")) / "documents.lance", SCHEMA)
    values = {"id": ["a", "b"], "vector": [[0, 1], [1, 0]], "year": [2020, 2021], "Größe": ["S", "M"]}
    columns = [pa.array(values[f.name], f.type) if f.name in values else pa.nulls(2, f.type) for f in SCHEMA]
    store.append(pa.table(columns, schema=SCHEMA))
    store.index_fulltext(None)
    return store


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("year > 2020 garbage here", "expected its end, found garbage"),
        ("NOT year > 2020 nonsense", "expected its end, found nonsense"),
        ("year=2021 AN year=2022", "expected its end, found AN"),
        ("year=2021 , year=2022", "isn't an SQL condition"),
        ("year > 2020\nnonsense", "found nonsense"),
        ("year > 2020 ORDER BY year", "found ORDER"),
        ("year >", "expected an expression, found its end"),
        ("year > 2020) OR (1=1", r"as many '\)' as '\('"),
        ("(year > 2020", r"as many '\)' as '\('"),
        ("year > 2020 -- x", "without '--'"),
        ("year > 2020 /* ' */) OR (1=1 /* ' */", r"without '/\*'"),
        ("year > 2020; DROP TABLE x", "without ';'"),
        ("id = ?", "without"),
        ("id = :name", "without"),
        ("id = N'a'", "without"),
        ('"Größe" = 3', "write 'Größe' for the text, `Größe` for the column"),
        ("\t", "an empty text"),
        (5, "as text; got 5"),
        (["year > 2020"], "as text; got"),
    ],
)
def test_nothing_is_dropped_in_silence(store: DocumentStore, where: object, told: str) -> None:
    with pytest.raises(QueryError, match=told) as caught:
        store.matching(where)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("year = '2021'", "the filter compares a column of whole numbers with '2021': year = '2021'"),
        ("year IN (2021, 'x')", "the filter compares a column of whole numbers with 'x': year IN (2021, 'x')"),
        ("year = true", "the filter compares a column of whole numbers with true: year = true"),
        ("year/0 > 1", "the filter divides by zero: year/0 > 1"),
        ("year % 0 = 1", "the filter divides by zero: year % 0 = 1"),
        ("year + 1", "the filter isn't an SQL condition, true or false of each document: year + 1"),
        ("foo(year)", "the filter calls a function that there is not: foo(year)"),
        ("lower(year) = 'a'", "the filter gives a function of texts something else: lower(year) = 'a'"),
        ("NOT year", "the filter compares things of different types: NOT year"),
        ("id = 'a' AND 'x'", "the filter compares things of different types: id = 'a' AND 'x'"),
        (
            "year.month = 1",
            "the filter asks for a part of a column that has none (a dot in a name is _ here): year.month = 1",
        ),
    ],
)
def test_what_the_engine_refuses_is_told_in_our_words(store: DocumentStore, where: str, told: str) -> None:
    for ask in (lambda: store.matching(where), lambda: store.lexical("plain", 3, where)):
        with pytest.raises(QueryError) as caught:
            ask()
        assert str(caught.value) == told


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("topic = 'a'", "topic is called label here (there are: "),
        ("x > 1", "x is called x_ here (there are: "),
        ("_year > 1", "_year is called year here (there are: "),
        ("mood = 'good'", "names no column of this space: mood (there are: id, title, text, label, year, x_)"),
    ],
)
def test_a_column_that_has_another_name_here(tmp_path: Path, where: str, told: str) -> None:
    schema = document_schema(2, pa.schema([("year", pa.int64()), ("x_", pa.int64())]))
    DocumentStore.create(tmp_path / "documents.lance", schema)
    store = DocumentStore(tmp_path / "documents.lance", called={"topic": "label"})
    with pytest.raises(QueryError, match=re.escape(told)):
        store.matching(where)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("`Größe` = 'S'", [0]),
        ("year::int > 2020", [1]),
        ("id = 'a' OR id = ''')'", [0]),
        ("id IN (" + ", ".join(f"'{i}'" for i in range(50_000)) + ", 'b')", [1]),
        ("year IN (" + ", ".join(map(str, range(2_021, 50_000))) + ")", [1]),
        ("(" * DEEPEST + "year > 2020" + ")" * DEEPEST, [1]),
        (" OR ".join(["year > 2020"] * (MOST_PARTS // 4)), [1]),
    ],
)
def test_a_condition_may_be_as_large_as_is_safe(store: DocumentStore, where: str, found: list[int]) -> None:
    assert store.matching(where).tolist() == found


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("(" * 100_000 + "year > 2020" + ")" * 100_000, "too deep"),
        (" OR ".join(["year > 2020"] * 100_000), "too long"),
        ("year > " + " + ".join(["1"] * 1_000), "too long"),
        ("year IS NULL" + " IS NULL" * 100_000, "too long"),
    ],
)
def test_what_would_crash_the_parser_is_refused(where: str, told: str) -> None:
    with pytest.raises(QueryError, match=told) as caught:
        check_filter(where)
    assert len(str(caught.value)) < 500
