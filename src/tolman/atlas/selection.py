"""/api/selection: what some documents are about, and what sets them apart from all others.

Legend for shapes:
    N  documents of the space
    S  those that are selected
"""

from collections import Counter
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from fastapi import APIRouter
from pydantic import BaseModel, Field

from tolman.atlas.answers import SelectionAnswer, Share, TopicShare
from tolman.atlas.documents import list_rows, plain
from tolman.atlas.live import LiveSpace, Snapshot
from tolman.atlas.python_line import opening
from tolman.atlas.refusals import NotThere
from tolman.errors import MissingExtra, QueryError
from tolman.neighbours import Ints
from tolman.topics.naming import Vocabulary, describe
from tolman.topics.topics import Topics

MOST = 1_000_000
_READ = 1_500  # selected documents whose words are read, and twice as many others
_LISTED, _TOPICS, _VALUES = 100, 12, 5
_MANY_VALUES = 1_000


class Selected(BaseModel):
    """Documents by id, or by their rows on the map."""

    ids: Annotated[list[str] | None, Field(max_length=MOST)] = None
    rows: Annotated[list[int] | None, Field(max_length=MOST)] = None


def selection_routes(live: LiveSpace) -> APIRouter:
    """What a selection is about."""
    routes = APIRouter(tags=["map"])

    @routes.post("/api/selection")
    async def selection(asked: Selected) -> SelectionAnswer:
        """What documents are about, and what sets them apart; of many, a sample is read for its words."""
        snapshot = await live.now()
        rows_S = rows_of(snapshot, asked)
        try:
            topics: Topics | None = await snapshot.topics()
        except (MissingExtra, QueryError):
            topics = None
        return await live.in_slow(lambda: _answer(snapshot, topics, rows_S))

    return routes


def rows_of(snapshot: Snapshot, asked: Selected) -> Ints:
    """The rows that are asked for, each once.

    Raises:
        QueryError: neither ids nor rows, or both.
        NotThere: one that isn't there.
    """
    if (asked.ids is None) == (asked.rows is None) or not (asked.ids or asked.rows):
        raise QueryError("expected ids or rows of at least one document")
    count = len(snapshot.space)
    if asked.ids is not None:
        missing = next((name for name in asked.ids if name not in snapshot.row_of), None)
        if missing is not None:
            raise NotThere(f"there is no document with id {missing[:100]!r}")
        rows = np.array([snapshot.row_of[name] for name in asked.ids], np.int64)
        return np.unique(rows)
    wanted = asked.rows or []
    if any(not 0 <= row < count for row in wanted):
        raise NotThere(f"expected rows from 0 to {count - 1}")
    return np.unique(np.asarray(wanted, np.int64))


def _answer(snapshot: Snapshot, topics: Topics | None, rows_S: Ints) -> SelectionAnswer:
    inside_N = np.zeros(len(snapshot.space), bool)
    inside_N[rows_S] = True
    some = [snapshot.ids[row] for row in rows_S[:3].tolist()]
    more = ", ..." if len(rows_S) > 3 else ""
    return SelectionAnswer(
        documents=len(rows_S),
        topics=_topics(topics, rows_S) if topics is not None else [],
        words=_words(snapshot, inside_N),
        columns=_columns(snapshot, inside_N),
        listed=list_rows(snapshot, rows_S[:_LISTED], topics),
        python=f"{opening(snapshot)}.take([{', '.join(map(repr, some))}{more}])",
    )


def _topics(topics: Topics, rows_S: Ints) -> list[TopicShare]:
    numbers, counts = np.unique(topics.labels[rows_S], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_TOPICS]
    return [
        TopicShare(
            topic=None if number < 0 else number,
            name="nowhere" if number < 0 else topics[number].name,
            documents=count,
            share=count / len(rows_S),
            of_topic=count / max(1, int((topics.labels == number).sum())),
        )
        for number, count in zip(numbers[order].tolist(), counts[order].tolist(), strict=True)
    ]


def _words(snapshot: Snapshot, inside_N: "np.ndarray") -> list[Share]:
    chance = np.random.default_rng(0)
    selected, others = (_some(np.flatnonzero(side), most, chance) for side, most in _sides(inside_N))
    rows = np.concatenate([selected, others])
    texts = [text or "" for text in snapshot.space.store.take(rows, ["fulltext"])["fulltext"].to_pylist()]
    parts_N = np.repeat([0, 1], [len(selected), len(others)])
    vocabulary = Vocabulary(texts)
    shares = []
    for word in describe(vocabulary, parts_N)[0]:
        has_N = vocabulary.having(word)
        inside, elsewhere = (
            float(has_N[parts_N == side].mean()) if np.any(parts_N == side) else 0.0 for side in (0, 1)
        )
        shares.append(Share(value=word, selected=inside, elsewhere=elsewhere))
    return shares


def _sides(inside_N: "np.ndarray") -> list[tuple["np.ndarray", int]]:
    return [(inside_N, _READ), (~inside_N, 2 * _READ)]


def _some(rows: Ints, most: int, chance: np.random.Generator) -> Ints:
    return rows if len(rows) <= most else np.sort(chance.choice(rows, most, replace=False))


def _columns(snapshot: Snapshot, inside_N: "np.ndarray") -> dict[str, list[Share]]:
    """Values that are commoner in the selection, of columns with few enough of them."""
    space, mask = snapshot.space, pa.array(inside_N)
    found = {}
    names = ["label", *space.store.metadata_columns]
    table = space.table(names)
    for name in names:
        column = table[name]
        if pa.types.is_nested(column.type) or pa.types.is_floating(column.type):
            continue
        if pa.compute.count_distinct(column).as_py() > _MANY_VALUES or column.null_count == len(column):
            continue
        inside = Counter(column.filter(mask).to_pylist())
        outside = Counter(column.to_pylist()) - inside
        shares = _apart(inside, outside)
        if shares:
            found[name] = shares
    return found


def _apart(inside: "Counter[Any]", outside: "Counter[Any]") -> list[Share]:
    many, others = max(1, inside.total()), max(1, outside.total())
    shares = [(value, count / many, outside[value] / others) for value, count in inside.items()]
    apart = sorted((s for s in shares if s[1] > s[2]), key=lambda s: s[2] - s[1])[:_VALUES]
    return [Share(value=str(plain(v)) if v is not None else "none", selected=a, elsewhere=b) for v, a, b in apart]
