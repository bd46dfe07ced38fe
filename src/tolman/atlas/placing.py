"""/api/project: where a text, or the documents of a file, would land."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from tolman.atlas.adding import FILE_BODY, file_of, rows_of_file
from tolman.atlas.answers import Landing, LandingsAnswer, PlaceAnswer
from tolman.atlas.documents import list_rows
from tolman.atlas.live import LiveSpace, Snapshot
from tolman.atlas.python_line import opening
from tolman.corpus.reading import read_corpus
from tolman.errors import MissingExtra, QueryError
from tolman.projection.map import FEWEST, Map
from tolman.topics.topics import Topics

LONGEST_TEXT = 1_000_000
_NEIGHBOURS = 10
_TOLD = 60
_LANDINGS = 500


class Text(BaseModel):
    """A text that isn't in the space."""

    text: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]


def placing_routes(live: LiveSpace) -> APIRouter:
    """Where a text lands.

    Raises:
        QueryError: told to who asks with an empty text.
    """
    routes = APIRouter(tags=["map"])

    @routes.post("/api/project")
    async def project(asked: Text) -> PlaceAnswer:
        """Where a text lands: its topic, its place on the map, its nearest documents. Nothing is changed by it."""
        snapshot = await live.now()
        if not asked.text.strip():
            raise QueryError("expected a text that isn't empty")
        drawn, topics = await _known(snapshot)
        return await live.in_slow(lambda: _place(snapshot, drawn, topics, asked.text))

    @routes.post("/api/project/file", openapi_extra=FILE_BODY)
    async def project_file(request: Request, name: str = "documents.txt") -> LandingsAnswer:
        """Where the documents of a file land: .jsonl, .csv or .tsv with columns, else a text a file. Nothing is changed
        by it."""
        snapshot = await live.now()
        content = await file_of(request)
        drawn, topics = await _known(snapshot)
        return await live.in_slow(lambda: _land(snapshot, drawn, topics, name, content))

    return routes


async def _known(snapshot: Snapshot) -> tuple[Map | None, Topics | None]:
    """Map and topics, where there can be any."""
    drawn = await snapshot.map() if len(snapshot.space) >= FEWEST else None
    try:
        return drawn, await snapshot.topics()
    except (MissingExtra, QueryError):
        return drawn, None


def _land(snapshot: Snapshot, drawn: Map | None, topics: Topics | None, name: str, content: bytes) -> LandingsAnswer:
    documents = list(read_corpus(rows_of_file(name, content)))
    first = documents[:_LANDINGS]
    texts = [document.content for document in first]
    places = topics.place(texts) if topics is not None else [None] * len(texts)
    positions = drawn.place(snapshot.space.encoder.encode(texts))[0].tolist() if drawn is not None else None
    landings = [
        Landing(
            title=document.title or " ".join(document.text[:_TOLD].split()),
            topic=None if place is None else place.topic,
            topic_name=None if place is None or topics is None else topics[place.nearest].name,
            probability=None if place is None else place.probability,
            x=None if positions is None else positions[row][0],
            y=None if positions is None else positions[row][1],
        )
        for row, (document, place) in enumerate(zip(first, places, strict=True))
    ]
    line = f"{opening(snapshot)}.topics().place([document.content for document in tolman.read_corpus({name!r})])"
    return LandingsAnswer(documents=len(documents), landings=landings, python=line)


def _place(snapshot: Snapshot, drawn: Map | None, topics: Topics | None, text: str) -> PlaceAnswer:
    space = snapshot.space
    vectors_1D = space.encoder.encode([text])
    place = topics.place([text])[0] if topics is not None else None
    positions, trust = drawn.place(vectors_1D) if drawn is not None else (None, None)
    near = space.index.search(vectors_1D, min(_NEIGHBOURS, len(space)), None)[0]
    rows = np.asarray(near.positions_K, np.int64) if vectors_1D.any() else np.empty(0, np.int64)
    listed = list_rows(snapshot, rows, None) if len(rows) else []
    hits = [
        {**short.model_dump(), "score": min(1.0, float(cosine)), "cosine": min(1.0, float(cosine)), "confidence": None}
        for short, cosine in zip(listed, near.cosines_K, strict=False)
    ]
    told = text if len(text) <= _TOLD else f"{text[:_TOLD]}..."
    return PlaceAnswer.model_validate(
        {
            "topic": None if place is None else place.topic,
            "nearest_topic": None if place is None else place.nearest,
            "topic_name": None if place is None or topics is None else topics[place.nearest].name,
            "probability": None if place is None else place.probability,
            "x": None if positions is None else float(positions[0, 0]),
            "y": None if positions is None else float(positions[0, 1]),
            "trust": None if trust is None else float(trust[0]),
            "neighbours": hits,
            "python": f"{opening(snapshot)}.topics().place([{told!r}])",
        }
    )
