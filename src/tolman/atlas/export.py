"""/api/export: results as files that other programs read."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from fastapi import APIRouter, Query, Response

from tolman.atlas.live import LiveSpace
from tolman.atlas.search import Hits, QueryText, Where
from tolman.atlas.selection import Selected, rows_of
from tolman.search import HITS, Mode
from tolman.tables import write_table

Format = Literal["csv", "json", "parquet"]
_WRITTEN = {"csv": ".csv", "json": ".jsonl", "parquet": ".parquet"}
_TYPES = {"csv": "text/csv", "json": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}
AsFormat = Annotated[Format, Query(alias="format", description="json: one object a line.")]
FILES: dict[int | str, dict[str, Any]] = {200: {"content": {kind: {} for kind in _TYPES.values()}}}


def export_routes(live: LiveSpace) -> APIRouter:
    """Files."""
    routes = APIRouter(tags=["export"])

    @routes.get("/api/export/search", response_class=Response, responses=FILES)
    async def search(
        q: QueryText, k: Hits = HITS, mode: Mode = "hybrid", where: Where = None, file: AsFormat = "csv"
    ) -> Response:
        """The hits of a search."""
        snapshot = await live.now()

        def hits() -> pa.Table:
            found = snapshot.space.search(q, min(k, len(snapshot.space)), mode=mode, where=where)
            names = ("id", "score", "cosine", "confidence", "title", "snippet")
            return pa.table({name: [getattr(hit, name) for hit in found] for name in names})

        return await live.in_slow(lambda: as_file(hits(), file, "search"))

    @routes.get("/api/export/documents", response_class=Response, responses=FILES)
    async def documents(where: Where = None, file: AsFormat = "csv") -> Response:
        """All documents, or those that fulfil a condition."""
        snapshot = await live.now()
        return await live.in_slow(lambda: as_file(snapshot.space.table(where=where), file, "documents"))

    @routes.post("/api/export/selection", response_class=Response, responses=FILES)
    async def selection(asked: Selected, file: AsFormat = "csv") -> Response:
        """Some documents."""
        snapshot = await live.now()
        rows = rows_of(snapshot, asked)
        return await live.in_slow(lambda: as_file(snapshot.space.table().take(rows), file, "selection"))

    @routes.get("/api/export/topics", response_class=Response, responses=FILES)
    async def topics(file: AsFormat = "csv") -> Response:
        """All topics."""
        found = await (await live.now()).topics()
        rows = [{**topic.to_json(), "words": list(topic.words), "typical": list(topic.typical)} for topic in found]
        if file == "csv":
            rows = [{**row, "words": "; ".join(row["words"]), "typical": "; ".join(row["typical"])} for row in rows]
        return await live.in_slow(lambda: as_file(pa.Table.from_pylist(rows), file, "topics"))

    @routes.get("/api/export/map", response_class=Response, responses=FILES)
    async def whole_map(file: AsFormat = "csv") -> Response:
        """Every document's place on the map, its trust and its topic."""
        snapshot = await live.now()
        drawn, found = await snapshot.map(), await snapshot.topics()

        def places() -> pa.Table:
            rows = found.documents()
            own = rows.slice(0, len(drawn))
            x, y = (pa.array(np.ascontiguousarray(drawn.positions_N2[:, axis])) for axis in (0, 1))
            trust = pa.array(drawn.trust_N)
            return own.append_column("x", x).append_column("y", y).append_column("trust", trust)

        return await live.in_slow(lambda: as_file(places(), file, "map"))

    return routes


def as_file(table: pa.Table, kind: Format, name: str) -> Response:
    """`table` as a download."""
    with TemporaryDirectory(prefix="tolman-") as folder:
        written = Path(folder) / f"table{_WRITTEN[kind]}"
        write_table(table, written)
        content = written.read_bytes()
    ending = "parquet" if kind == "parquet" else "csv" if kind == "csv" else "jsonl"
    return Response(
        content,
        media_type=_TYPES[kind],
        headers={"content-disposition": f'attachment; filename="{name}.{ending}"'},
    )
