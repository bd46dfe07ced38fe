"""/api/project: where a text would land."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, Field

from tolman.atlas.answers import PlaceAnswer
from tolman.atlas.documents import list_rows
from tolman.atlas.live import LiveSpace, Snapshot
from tolman.atlas.python_line import opening
from tolman.errors import MissingExtra, QueryError
from tolman.projection.map import FEWEST, Map
from tolman.topics.topics import Topics

LONGEST_TEXT = 1_000_000
_NEIGHBOURS = 10
_TOLD = 60


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
        drawn = await snapshot.map() if len(snapshot.space) >= FEWEST else None
        try:
            topics: Topics | None = await snapshot.topics()
        except (MissingExtra, QueryError):
            topics = None
        return await live.in_slow(lambda: _place(snapshot, drawn, topics, asked.text))

    return routes


def _place(snapshot: Snapshot, drawn: Map | None, topics: Topics | None, text: str) -> PlaceAnswer:
    space = snapshot.space
    vectors_1D = space.encoder.encode([text])
    place = topics.place([text])[0] if topics is not None else None
    positions, trust = drawn.place(vectors_1D) if drawn is not None else (None, None)
    near = space.index.search(vectors_1D, min(_NEIGHBOURS, len(space)), None)[0]
    rows = np.asarray(near.positions_K, np.int64) if vectors_1D.any() else np.empty(0, np.int64)
    listed = list_rows(snapshot, rows, None) if len(rows) else []
    hits = [
        {**short.model_dump(), "score": float(cosine), "cosine": float(cosine), "confidence": None}
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
