"""A process that answers many queries says what one says that answers one."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_corpus, tiny_encoder

from tolman import LatentSpace, open_space
from tolman.space import inverted, postings, row_memory
from tolman.space.postings import Postings
from tolman.space.succession import read_ahead, take_over


@pytest.fixture
def space(tmp_path: Path) -> LatentSpace:
    return LatentSpace.create(tmp_path / "t.space", tiny_corpus(range(300)), tiny_encoder())


QUERIES = ("refund", "the refund vanished at noon", "violin violin word3", "nothing-of-it", "Word7!", "of the", "...")


def assert_same(space: LatentSpace, other: LatentSpace) -> None:
    """That both give the same documents the same scores."""
    for query in QUERIES:
        positions, scores = space.store.lexical(query, len(space))
        for _ in range(2):
            found, remembered = other.store.lexical(query, len(space))
            assert remembered == pytest.approx(scores, rel=1e-5)
            assert dict(zip(found.tolist(), remembered.tolist(), strict=True)) == pytest.approx(
                dict(zip(positions.tolist(), scores.tolist(), strict=True)), rel=1e-5
            )
        assert other.store.best_lexical(query) == pytest.approx(float(scores.max(initial=0.0)), rel=1e-5)


def test_full_text_from_memory_is_that_of_lance(space: LatentSpace) -> None:
    many = open_space(space.path)
    many.store.remember_words()
    assert_same(space, many)


def test_full_text_held_in_memory_is_that_of_lance(space: LatentSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    many = open_space(space.path)
    many.store.load_fulltext()
    monkeypatch.setattr(many.store, "_lexical", lambda *_: pytest.fail("asked Lance"))
    assert_same(space, many)


def test_the_full_text_of_another_version_grows_out_of_the_one_before(space: LatentSpace) -> None:
    before = open_space(space.path)
    before.store.load_fulltext()
    space.add([{"id": "w", "text": "A walrus, and a refund"}, {"id": "d3", "text": "now it is about a violin"}])
    space.remove(["d7", "d8"])
    after = open_space(space.path)
    take_over(after, before)
    space.compact()  # until then Lance counts what was deleted
    compacted = open_space(space.path)
    for query in (*QUERIES, "walrus"):
        ids = compacted.table(["id"])["id"].to_pylist()
        own_ids = after.table(["id"])["id"].to_pylist()
        positions, scores = compacted.store.lexical(query, len(compacted))
        found, held = after.store.lexical(query, len(after))
        assert {own_ids[place]: score for place, score in zip(found, held.tolist(), strict=True)} == pytest.approx(
            {ids[place]: score for place, score in zip(positions, scores.tolist(), strict=True)}, rel=1e-5
        )


def test_a_full_text_that_is_too_large_is_left_to_lance(space: LatentSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    many = open_space(space.path)
    many.store.remember_words()
    monkeypatch.setattr(inverted, "MOST_POSTINGS", 100)
    many.store.load_fulltext()
    assert_same(space, many)


def test_what_was_in_memory_is_not_taken_for_what_took_its_place(space: LatentSpace) -> None:
    before = open_space(space.path)
    before.store.remember_words()
    before.store.load_fulltext()
    before.search("refund", len(before))
    path = space.path
    shutil.rmtree(path)
    LatentSpace.create(path, tiny_corpus(range(100, 400)), tiny_encoder())
    after = open_space(path)
    take_over(after, before)
    assert after.search("refund word7", 50) == open_space(path).search("refund word7", 50)


def test_read_ahead_reads_every_document_once(space: LatentSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = open_space(space.path).search("refund word7", 20)
    space.store.remember_words()
    read_ahead(space, lambda: True)
    monkeypatch.setattr(space.store, "take", lambda *_: pytest.fail("read from disk"))
    assert space.search("refund word7", 20) == alone


def test_searches_are_the_same(tickets_space: Path) -> None:
    alone, many = open_space(tickets_space), open_space(tickets_space)
    many.store.remember_words()
    for query in ("refund never arrived", "parcel late", "zymurgy", "password login fails"):
        for _ in range(2):
            assert many.search(query) == alone.search(query)


def test_what_is_added_is_found(space: LatentSpace) -> None:
    space.store.remember_words()
    assert len(space.store.lexical("walrus", 5)[0]) == 0
    space.add([{"id": "w", "text": "a walrus"}])
    assert len(space.store.lexical("walrus", 5)[0]) == 1


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, space: LatentSpace) -> None:
    monkeypatch.setattr(postings, "MOST_ENTRIES", 50)
    held = Postings(lambda word: (np.arange(20), np.ones(20, np.float32)), 20)
    for number in range(30):
        held.best(f"word{number}", 3)
    assert held.entries <= 50
    monkeypatch.setattr(row_memory, "MOST_BYTES", 20_000)
    space = open_space(space.path)
    space.store.remember_words()
    for start in range(0, 300, 10):
        rows = space.store.rows(range(start, start + 10), ["id", "text"])
        assert [row["id"] for row in rows] == space.table(["id"])["id"].to_pylist()[start : start + 10]
    assert space.store._rows.bytes <= 20_000
