"""A process that answers many queries says what one says that answers one."""

from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_corpus, tiny_encoder

from tolman import LatentSpace, open_space
from tolman.space import postings, row_memory
from tolman.space.postings import Postings


@pytest.fixture
def space(tmp_path: Path) -> LatentSpace:
    return LatentSpace.create(tmp_path / "t.space", tiny_corpus(range(300)), tiny_encoder())


@pytest.mark.parametrize(
    "query", ["refund", "the refund vanished at noon", "violin violin word3", "nothing-of-it", "Word7!"]
)
def test_full_text_from_memory_is_that_of_lance(space: LatentSpace, query: str) -> None:
    positions, scores = space.store.lexical(query, 300)
    space.store.remember_words()
    for _ in range(2):
        found, remembered = space.store.lexical(query, 300)
        assert remembered == pytest.approx(scores, rel=1e-5)
        assert dict(zip(found.tolist(), remembered.tolist(), strict=True)) == pytest.approx(
            dict(zip(positions.tolist(), scores.tolist(), strict=True)), rel=1e-5
        )


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
    space.store.remember_words()
    for start in range(0, 300, 10):
        rows = space.store.rows(range(start, start + 10), ["id", "text"])
        assert [row["id"] for row in rows] == space.table(["id"])["id"].to_pylist()[start : start + 10]
    assert space.store._rows.bytes <= 20_000
