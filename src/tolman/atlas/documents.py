"""/api/documents: whole documents, pages of them, and what is near one and why."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query

from tolman.atlas.answers import (
    DocumentAnswer,
    DocumentsAnswer,
    Listed,
    NeighbourAnswer,
    NeighboursAnswer,
)
from tolman.atlas.live import LiveSpace, Snapshot
from tolman.atlas.python_line import opening, python_line
from tolman.atlas.refusals import NotThere
from tolman.atlas.search import Where
from tolman.atlas.why import Why
from tolman.models.encoder import Floats
from tolman.neighbours import Ints
from tolman.topics.topics import Topics

MOST_LISTED = 1_000
NEIGHBOURS = 10
Neighbours = Annotated[int, Query(ge=1, le=100, description="How many, at most.")]
_SNIPPET = 240


def document_routes(live: LiveSpace) -> APIRouter:
    """Documents."""
    routes = APIRouter(tags=["documents"])

    @routes.get("/api/documents")
    async def documents(
        *,
        offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 50,
        where: Where = None,
        topic: int | None = None,
        row: Annotated[list[int] | None, Query(max_length=MOST_LISTED)] = None,
    ) -> DocumentsAnswer:
        """A page of documents: all, those that fulfil a condition, those of a topic, or those at rows of the map."""
        snapshot = await live.now()
        topics = await snapshot.topics() if topic is not None or snapshot.has("topics") else None
        return await live.in_slow(
            lambda: _page(snapshot, topics, offset=offset, limit=limit, where=where, topic=topic, wanted=row)
        )

    @routes.get("/api/documents/{id:path}/neighbours")
    async def neighbours(
        id: str,
        k: Neighbours = NEIGHBOURS,
        sentences: Annotated[bool, Query(description="Also the nearest two sentences of each pair.")] = False,
    ) -> NeighboursAnswer:
        """The nearest others of a document, and why: the words they share, and their nearest sentences."""
        snapshot = await live.now()
        found = await nearest_of(live, snapshot, id, k, sentences=sentences)
        line = f"(v := {opening(snapshot)}.vectors()) @ v[{row_of(snapshot, id)}]"
        return NeighboursAnswer(id=id, neighbours=found, python=line)

    @routes.get("/api/documents/{id:path}")
    async def document(id: str) -> DocumentAnswer:
        """One document, whole, with its topic and its trust on the map where these are known."""
        snapshot = await live.now()
        topics = await snapshot.topics() if snapshot.has("topics") else None
        drawn = await snapshot.map() if snapshot.has("map") else None
        return await live.in_quick(lambda: _document(snapshot, topics, drawn, id))

    return routes


def row_of(snapshot: Snapshot, id: str) -> int:
    """Where a document stands.

    Raises:
        NotThere: there is none of this id.
    """
    row = snapshot.row_of.get(id)
    if row is None:
        raise NotThere(f"there is no document with id {id[:100]!r}")
    return row


def list_rows(snapshot: Snapshot, rows: Ints, topics: Topics | None) -> list[Listed]:
    """Documents in short."""
    table = snapshot.space.store.take(rows, ["id", "title", "text"])
    labels = topics.labels[rows].tolist() if topics is not None else [-1] * len(rows)
    return [
        Listed(
            id=row["id"],
            row=int(place),
            title=row["title"] or "",
            snippet=" ".join((row["text"] or "")[: 2 * _SNIPPET].split())[:_SNIPPET],
            topic=None if label < 0 else label,
        )
        for row, place, label in zip(table.to_pylist(), rows, labels, strict=True)
    ]


def _page(
    snapshot: Snapshot,
    topics: Topics | None,
    *,
    offset: int,
    limit: int,
    where: str | None,
    topic: int | None,
    wanted: list[int] | None,
) -> DocumentsAnswer:
    count = len(snapshot.space)
    rows: Ints = np.arange(count) if where is None else np.sort(snapshot.space.store.matching(where))
    if wanted is not None:
        if any(not 0 <= row < count for row in wanted):
            raise NotThere(f"expected rows from 0 to {count - 1}")
        rows = np.asarray(wanted, np.int64)
    if topic is not None:
        assert topics is not None
        record = topics.record
        inside_N = (record.tree.ids_at(topics[topic].depth) == topic) & ~record.outside_N
        rows = rows[inside_N[rows]]
        rows = rows[np.argsort(-record.probability_N[rows], kind="stable")]
    line = python_line(snapshot, "table", where=where)
    if topic is not None:
        line = f"{opening(snapshot)}.topics().members({topic})"
    shown = rows[offset : offset + limit]
    return DocumentsAnswer(total=len(rows), offset=offset, documents=list_rows(snapshot, shown, topics), python=line)


def _document(snapshot: Snapshot, topics: Topics | None, drawn: Any, id: str) -> DocumentAnswer:
    row = row_of(snapshot, id)
    found = snapshot.space.take([id])[0]
    answer = DocumentAnswer(
        id=found.id,
        row=row,
        title=found.title,
        text=found.text,
        label=found.label,
        metadata={name: plain(value) for name, value in found.metadata.items()},
        duplicate_ids=list(found.duplicate_ids),
        python=f"{opening(snapshot)}.take([{id!r}])[0]",
    )
    if topics is not None:
        number = int(topics.labels[row])
        if number >= 0:
            answer.topic, answer.topic_name = number, topics[number].name
            answer.probability = float(topics.record.probability_N[row])
            answer.margin = float(topics.record.margin_N[row])
    if drawn is not None:
        answer.trust = float(drawn.trust_N[row])
    return answer


async def nearest_of(live: LiveSpace, snapshot: Snapshot, id: str, k: int, *, sentences: bool) -> list[NeighbourAnswer]:
    """The nearest others of a document.

    Raises:
        NotThere: there is none of this id.
    """
    row_of(snapshot, id)
    why = await snapshot.once("why", lambda: Why.of(snapshot.space))
    return await live.in_slow(lambda: _neighbours(snapshot, why, id, k, sentences=sentences))


def _neighbours(snapshot: Snapshot, why: Why, id: str, k: int, *, sentences: bool) -> list[NeighbourAnswer]:
    space, row = snapshot.space, row_of(snapshot, id)
    vector_D: Floats = np.asarray(space.vectors()[row])
    near = space.index.search(vector_D[None, :], min(k + 1, len(space)), None)[0]
    others = [(int(p), float(c)) for p, c in zip(near.positions_K, near.cosines_K, strict=True) if p != row][:k]
    texts = space.store.take([row, *(p for p, _ in others)], ["id", "title", "text"]).to_pylist()
    own, *rest = texts
    listed = list_rows(snapshot, np.array([p for p, _ in others], np.int64), None) if others else []
    return [
        NeighbourAnswer(
            id=short.id,
            row=place,
            cosine=round(cosine, 6),
            title=short.title,
            snippet=short.snippet,
            shared_words=why.shared_words(_content(own), _content(other)),
            sentences=why.sentences(own["text"], other["text"]) if sentences else None,
        )
        for short, other, (place, cosine) in zip(listed, rest, others, strict=True)
    ]


def _content(row: dict[str, Any]) -> str:
    return f"{row['title'] or ''}\n{row['text'] or ''}"


def plain(value: Any) -> Any:
    """A value of a column as JSON has it."""
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
