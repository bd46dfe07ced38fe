"""/api/map: every document's place, trust and topics in one answer, and columns to colour it by."""

from typing import Any, get_args

import numpy as np
from fastapi import APIRouter, Request, Response

from tolman.atlas.binary import pack
from tolman.atlas.dates import days_of
from tolman.atlas.live import LiveSpace, Snapshot
from tolman.atlas.python_line import opening
from tolman.atlas.refusals import NotThere
from tolman.drawing.scene import coloring_of
from tolman.errors import MissingExtra, QueryError
from tolman.neighbours import Ints
from tolman.projection.map import FEWEST
from tolman.topics.topics import Topics
from tolman.topics.tree import Depth

BINARY: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "4 bytes TLM1, length of a JSON head, arrays."}
}


def map_routes(live: LiveSpace) -> APIRouter:
    """The map."""
    routes = APIRouter(tags=["map"])

    @routes.get("/api/map", responses=BINARY, response_class=Response)
    async def whole_map(request: Request) -> Response:
        """Arrays over all documents: x, y (float32), trust (uint8 of 255), broad, shown and fine topics (int32, -1:
        none); the head holds the columns that it can be coloured by, and the ids."""
        snapshot = await live.now()
        if len(snapshot.space) < FEWEST:
            raise NotThere(f"a map needs at least {FEWEST} documents: this space has {len(snapshot.space)}")
        drawn = await snapshot.map()
        try:
            topics: Topics | None = await snapshot.topics()
        except (MissingExtra, QueryError):  # a map without topics is a map
            topics = None
        tag = f'"{snapshot.space.store.content_key}-{topics.record.generation if topics else 0}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        message = await snapshot.once("packed", lambda: _packed(snapshot, drawn, topics))
        return Response(
            message, media_type="application/octet-stream", headers={"etag": tag, "cache-control": "no-cache"}
        )

    @routes.get("/api/map/columns/{name:path}", responses=BINARY, response_class=Response)
    async def column(name: str) -> Response:
        """A column as colours: `index` (uint8 over all documents) says which of `groups`, or which shade of 32."""
        snapshot = await live.now()
        if name not in columns_of(snapshot):
            raise NotThere(f"there is no column {name[:100]!r} to colour by")
        return Response(await live.in_slow(lambda: _column(snapshot, name)), media_type="application/octet-stream")

    return routes


def columns_of(snapshot: Snapshot) -> list[str]:
    """Names of what the map can be coloured by."""
    space = snapshot.space
    labelled = space.table(["label"])["label"].null_count < len(space)
    return (["label"] if labelled else []) + list(space.store.metadata_columns)


def _packed(snapshot: Snapshot, drawn: Any, topics: Topics | None) -> bytes:
    arrays: dict[str, Any] = {
        "x": drawn.positions_N2[:, 0],
        "y": drawn.positions_N2[:, 1],
        "trust": np.round(drawn.trust_N * 255).astype(np.uint8),
    }
    if topics is not None:
        for depth in get_args(Depth):
            arrays[depth] = _inside(topics, topics.record.tree.ids_at(depth))
    facts = {
        "documents": len(drawn),
        "version": snapshot.space.version,
        "columns": columns_of(snapshot),
        "quality": dict(drawn.quality),
        "ids": snapshot.ids,
        "python": f"{opening(snapshot)}.map()",
    }
    return pack(facts, arrays)


def _inside(topics: Topics, ids_N: Ints) -> Any:
    return np.where(topics.record.outside_N, -1, ids_N).astype(np.int32)


def _column(snapshot: Snapshot, name: str) -> bytes:
    column = snapshot.space.table([name])[name].combine_chunks()
    days = days_of(column)
    coloring = coloring_of(name, column if days is None else days)
    facts = {
        "name": coloring.name,
        "groups": coloring.groups,
        "counts": coloring.counts,
        "rest": coloring.rest,
        "ends": coloring.ends,
    }
    return pack(facts, {"index": coloring.index_N})
