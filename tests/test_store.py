import os
import shutil
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tolman.errors import QueryError, SourceError, SpaceError
from tolman.space.store import FULLTEXT, VECTOR, DocumentStore, document_schema

METADATA = pa.schema([("year", pa.int64()), ("shop", pa.string()), ("order", pa.int64())])
SCHEMA = document_schema(4, METADATA)


def rows(numbers: Sequence[int], word: str = "plain") -> pa.Table:
    filled = {
        "id": [f"d{n}" for n in numbers],
        "text": [f"{word} text{n}" for n in numbers],
        FULLTEXT: [f"{word} text{n}" for n in numbers],
        VECTOR: [[n, 0, 0, 1] for n in numbers],
        "year": [2000 + n for n in numbers],
        "shop": [f"it's {n}" for n in numbers],
        "order": list(numbers),
    }
    return pa.table(
        [pa.array(filled[f.name], f.type) if f.name in filled else pa.nulls(len(numbers), f.type) for f in SCHEMA],
        schema=SCHEMA,
    )


@pytest.fixture
def store(tmp_path: Path) -> DocumentStore:
    store = DocumentStore.create(tmp_path / "documents.lance", SCHEMA)
    store.append(rows(range(20)))
    store.index_fulltext(None)
    return store


def texts(store: DocumentStore) -> dict[str, str]:
    table = store.read(["id", "text"])
    return dict(zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True))


def test_upsert_adds_and_replaces_by_id_in_one_commit(store: DocumentStore) -> None:
    before = len(store.versions())
    assert store.upsert(rows([5, 20, 21], "fresh")) == (2, 1)
    assert len(store) == 22
    assert texts(store)["d5"] == "fresh text5"
    assert texts(store)["d6"] == "plain text6"
    assert len(store.versions()) == before + 1


def test_removed_is_gone(store: DocumentStore) -> None:
    assert store.remove(["d3", "d4", "d'; nothing"]) == 2
    assert store.remove([]) == 0
    assert not {"d3", "d4"} & texts(store).keys()
    assert store.positions(["d3", "d5"])[0] == -1
    assert len(store.lexical("text3", 5)[0]) == 0


def test_every_version_can_be_opened_and_only_read(store: DocumentStore, tmp_path: Path) -> None:
    store.upsert(rows([50]))
    store.remove(["d0", "d1"])
    listed = store.versions()
    assert [version.documents for version in listed] == [0, 20, 21, 19]
    for version in listed:
        assert len(DocumentStore(tmp_path / "documents.lance", version=version.version)) == version.documents
    with pytest.raises(SpaceError, match="opened at version"):
        DocumentStore(tmp_path / "documents.lance", version=listed[1].version).remove(["d0"])
    numbers = [version.version for version in listed]
    told = f"there are {numbers[0]}, {numbers[1]}, {numbers[2]} and {numbers[3]}$"
    for version in (-3, 0, 999, 2**63, 2**64):
        with pytest.raises(SpaceError, match=f"no version {version}: {told}"):
            DocumentStore(tmp_path / "documents.lance", version=version)
    for odd in ("x", "1", 1.0, True):
        with pytest.raises(SpaceError, match=f"expected the number of a version, got {odd!r}"):
            DocumentStore(tmp_path / "documents.lance", version=odd)  # type: ignore[arg-type]
    assert DocumentStore(tmp_path / "documents.lance", version=np.int64(numbers[1])).version == numbers[1]  # type: ignore[arg-type]


def test_a_version_that_was_dropped_is_told_from_a_lost_file(store: DocumentStore, tmp_path: Path) -> None:
    first = store.version
    store.remove(["d0"])
    store.forget(timedelta(0))
    with pytest.raises(SpaceError, match=f"has no version {first}: there is {store.version}$"):
        DocumentStore(tmp_path / "documents.lance", version=first)
    next((tmp_path / "documents.lance" / "_versions").glob("*.manifest")).write_bytes(b"")
    with pytest.raises(SpaceError, match="can't open "):
        DocumentStore(tmp_path / "documents.lance", version=store.version)


def test_many_versions_are_counted(store: DocumentStore, tmp_path: Path) -> None:
    for number in range(12):
        store.upsert(rows([number], "fresh"))
    listed = store.versions()
    told = f"there are {len(listed)}, from {listed[0].version} to {listed[-1].version}, which `tolman info` lists"
    with pytest.raises(SpaceError, match=told):
        DocumentStore(tmp_path / "documents.lance", version=999)


def test_a_reader_keeps_the_version_it_opened(store: DocumentStore, tmp_path: Path) -> None:
    reader = DocumentStore(tmp_path / "documents.lance")
    store.upsert(rows([7, 30], "fresh"))
    assert texts(reader) == {f"d{n}": f"plain text{n}" for n in range(20)}
    assert len(reader.lexical("fresh", 5)[0]) == 0
    assert len(DocumentStore(tmp_path / "documents.lance")) == 21


def test_two_writers_that_opened_the_same_version_both_land(store: DocumentStore, tmp_path: Path) -> None:
    first, second = (DocumentStore(tmp_path / "documents.lance") for _ in range(2))
    first.upsert(rows([40, 5], "one"))
    second.upsert(rows([41, 6], "two"))
    second.remove(["d7"])
    found = texts(DocumentStore(tmp_path / "documents.lance"))
    assert (found["d40"], found["d41"], found["d5"], found["d6"]) == (
        "one text40",
        "two text41",
        "one text5",
        "two text6",
    )
    assert "d7" not in found


def test_compacting_changes_files_not_content(store: DocumentStore, tmp_path: Path) -> None:
    for number in range(30, 36):
        store.upsert(rows([number]))
    store.remove(["d1"])
    before, found = texts(store), store.lexical("text33", 3)
    store.compact()
    assert texts(store) == before
    assert len(list((tmp_path / "documents.lance").glob("data/*"))) > 1  # earlier versions stay
    store.forget(timedelta(0))
    assert texts(store) == before
    assert len(list((tmp_path / "documents.lance").glob("data/*"))) == 1
    np.testing.assert_allclose(
        store.lexical("text33", 3)[1], found[1], rtol=0.03
    )  # BM25 counts removed rows until then


def test_what_a_failed_commit_left_goes_after_a_week(store: DocumentStore, tmp_path: Path) -> None:
    store.remove(["d3"])
    left = [tmp_path / "documents.lance" / "_deletions" / f"0-1-{number}.arrow" for number in (1, 2)]
    for file in left:
        shutil.copy(next((tmp_path / "documents.lance" / "_deletions").iterdir()), file)
    a_week_ago = time.time() - 7.1 * 86_400
    os.utime(left[1], (a_week_ago, a_week_ago))
    store.compact()
    store.forget(timedelta(days=14))
    assert [file.exists() for file in left] == [True, False]
    assert len(store) == 19


def test_the_content_key_names_the_rows(store: DocumentStore, tmp_path: Path) -> None:
    keys = [store.content_key]
    assert DocumentStore(tmp_path / "documents.lance").content_key == keys[0]
    store.index_fulltext("English")
    assert store.content_key == keys[0]
    store.upsert(rows([3]))
    keys.append(store.content_key)
    store.remove(["d8"])
    keys.append(store.content_key)
    assert len(set(keys)) == 3


def test_positions_are_places_in_the_scan(store: DocumentStore) -> None:
    store.remove(["d2"])
    store.upsert(rows([4, 60]))
    ids = store.read(["id"])["id"].to_pylist()
    places = store.positions(["d60", "d4", "d2", "d19"])
    assert [ids[p] if p >= 0 else None for p in places] == ["d60", "d4", None, "d19"]
    assert store.take(places[[0, 3]], ["id", "year"]).to_pylist() == [
        {"id": "d60", "year": 2060},
        {"id": "d19", "year": 2019},
    ]
    assert [ids[p] for p in store.matching("year >= 2018")] == [i for i in ids if int(i[1:]) >= 18]
    assert [ids[p] for p in store.lexical("text60", 5)[0]] == ["d60"]


@pytest.mark.parametrize("indexed", [4, 2])
def test_bm25_is_the_formula(tmp_path: Path, indexed: int) -> None:
    documents = ["red red blue", "blue green", "green green green red yellow", "yellow"]
    table = rows(range(4)).set_column(SCHEMA.get_field_index(FULLTEXT), SCHEMA.field(FULLTEXT), pa.array(documents))
    store = DocumentStore.create(tmp_path / "documents.lance", SCHEMA)
    store.append(table.slice(0, indexed))
    store.index_fulltext(None)
    if indexed < 4:
        store.append(table.slice(indexed))  # rows that the index doesn't hold yet
    lengths = np.array([len(text.split()) for text in documents])
    expected = np.zeros(4)
    for word in ("red", "yellow"):
        counts = np.array([text.split().count(word) for text in documents])
        weight = np.log(1 + (4 - (counts > 0).sum() + 0.5) / ((counts > 0).sum() + 0.5))
        expected += weight * counts * 2.2 / (counts + 1.2 * (0.25 + 0.75 * lengths / lengths.mean()))
    positions, scores = store.lexical("Red YELLOW", 4)
    assert positions.tolist() == np.argsort(-expected)[:3].tolist()
    np.testing.assert_allclose(scores, np.sort(expected)[::-1][:3], rtol=0.05)  # lengths are kept in a byte


def test_words_of_a_known_language_are_stemmed(tmp_path: Path) -> None:
    store = DocumentStore.create(tmp_path / "documents.lance", SCHEMA)
    store.append(rows(range(3), "the refunds were running"))
    for language, found in (("English", 3), (None, 0)):
        store.index_fulltext(language)
        assert len(store.lexical("refund run", 5)[0]) == found
    store.index_fulltext("English")
    assert len(store.lexical("the were", 5)[0]) == 0


def test_scripts_without_spaces_are_cut_into_words(store: DocumentStore) -> None:
    table = rows([70, 71])
    japanese = pa.array(["返金がまだ届いていません", "荷物は壊れていました"])
    store.upsert(table.set_column(SCHEMA.get_field_index(FULLTEXT), SCHEMA.field(FULLTEXT), japanese))
    assert store.read(["id"])["id"].to_pylist()[store.lexical("荷物", 1)[0][0]] == "d71"


@pytest.mark.parametrize(
    "where",
    [
        "year > 2010",
        "year > 2010 AND shop LIKE 'it''s%'",
        "order IN (11, 12, 13)",  # a column may be called like a statement
        "shop != 'drop; table' AND year >= 2011",
        "year BETWEEN 2011 AND 2012",
        "id = 'd12'",
        "replace(shop, 'it', 'that') = 'that''s 7'",
        "`order` = 3 or (year > 2018)",
        "shop = 'a ) -- /* ; \"' OR id = 'd1'",
    ],
)
def test_a_condition_filters(store: DocumentStore, where: str) -> None:
    found = store.matching(where)
    assert 0 < len(found) < 20
    lexical, _ = store.lexical("plain", 20, where)
    assert sorted(lexical.tolist()) == sorted(found.tolist())


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("", "empty"),
        ("year >", "isn't an SQL condition"),
        ("year + 1", "isn't an SQL condition"),
        ("shop = 'unfinished", "isn't an SQL condition"),
        ("colour = 'red'", "no column of this space: colour .*year, shop"),
        ("year > 2010; DROP TABLE documents", "';'"),
        ("DELETE FROM documents", "DELETE"),
        ("year > 2010 UNION SELECT id FROM documents", "SELECT"),
        ("year > 2010 LIMIT 1", "LIMIT"),
        ("UPDATE documents SET year = 1", "SET"),
        ("id IN (SELECT id FROM documents)", "SELECT"),
    ],
)
def test_what_is_no_condition_is_refused_and_changes_nothing(store: DocumentStore, where: str, told: str) -> None:
    version = store.version
    for ask in (lambda: store.matching(where), lambda: store.lexical("plain", 3, where)):
        with pytest.raises(QueryError, match=told) as caught:
            ask()
        assert "\n" not in str(caught.value)
        assert ".rs:" not in str(caught.value)
    assert store.version == version
    assert len(store) == 20


def test_a_lost_dataset_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"no readable documents\.lance"):
        DocumentStore(tmp_path / "x.space" / "documents.lance")


def test_a_damaged_dataset_is_told(store: DocumentStore, tmp_path: Path) -> None:
    for manifest in (tmp_path / "documents.lance" / "_versions").iterdir():
        manifest.write_bytes(manifest.read_bytes()[:20])
    with pytest.raises(SpaceError, match="can't open") as caught:
        DocumentStore(tmp_path / "documents.lance")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["vector", "fulltext", "_rowid", "passage_spans"])
def test_metadata_may_not_take_our_names(name: str) -> None:
    with pytest.raises(SourceError, match="rename"):
        document_schema(4, pa.schema([(name, pa.string())]))
