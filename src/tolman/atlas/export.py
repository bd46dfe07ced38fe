"""/api/export: results as files that other programs read."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from fastapi import APIRouter, Query, Response

from tolman.atlas.batching import Asked
from tolman.atlas.documents import NEIGHBOURS, Neighbours, nearest_of
from tolman.atlas.live import LiveSpace
from tolman.atlas.search import Hits, QueryText, Topic, Where
from tolman.atlas.selection import Selected, rows_of
from tolman.atlas.senses import LONGEST_WORD
from tolman.atlas.topics import Column
from tolman.atlas.within import search_within
from tolman.search import HITS, Mode
from tolman.tables import write_table
from tolman.topics.topics import Period

Format = Literal["csv", "json", "parquet"]
_WRITTEN = {"csv": ".csv", "json": ".jsonl", "parquet": ".parquet"}
_TYPES = {"csv": "text/csv", "json": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}
AsFormat = Annotated[Format, Query(alias="format", description="json: one object a line.")]
Word = Annotated[str, Query(min_length=1, max_length=LONGEST_WORD)]
_OF_AN_OCCURRENCE = ("id", "start", "end", "sense", "confidence")
FILES: dict[int | str, dict[str, Any]] = {200: {"content": {kind: {} for kind in _TYPES.values()}}}


def export_routes(live: LiveSpace) -> APIRouter:
    """Files."""
    routes = APIRouter(tags=["export"])

    @routes.get("/api/export/search", response_class=Response, responses=FILES)
    async def search(
        *,
        q: QueryText,
        k: Hits = HITS,
        mode: Mode = "hybrid",
        where: Where = None,
        topic: Topic = None,
        file: AsFormat = "csv",
    ) -> Response:
        """The hits of a search."""
        snapshot = await live.now()
        topics = await snapshot.topics() if topic is not None else None
        asked = Asked(q, min(k, len(snapshot.space)), mode, where, snippets=True)

        def hits() -> pa.Table:
            if topic is not None and topics is not None:
                found = search_within(snapshot, topics, topic, asked)
            else:
                found = snapshot.space.search(q, asked.k, mode=mode, where=where)
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

    @routes.get("/api/export/over-time", response_class=Response, responses=FILES)
    async def over_time(column: Column, every: Period = "month", file: AsFormat = "csv") -> Response:
        """How many documents of each topic fall in each period."""
        found = await (await live.now()).topics()
        return await live.in_slow(lambda: as_file(found.over_time(column, every), file, "topics-over-time"))

    @routes.get("/api/export/senses", response_class=Response, responses=FILES)
    async def senses(word: Word, file: AsFormat = "csv") -> Response:
        """Every occurrence of a word that was looked at, with its sense."""
        snapshot = await live.now()

        def occurrences() -> pa.Table:
            found = snapshot.space.senses(word).occurrences
            return pa.table({name: [getattr(each, name) for each in found] for name in _OF_AN_OCCURRENCE})

        return await live.in_slow(lambda: as_file(occurrences(), file, "senses"))

    @routes.get("/api/export/neighbours", response_class=Response, responses=FILES)
    async def neighbours(id: str, k: Neighbours = NEIGHBOURS, file: AsFormat = "csv") -> Response:
        """The nearest others of a document."""
        snapshot = await live.now()
        found = await nearest_of(live, snapshot, id, k, sentences=False)
        rows = [each.model_dump(exclude={"row", "sentences"}) for each in found]
        if file == "csv":
            rows = [{**row, "shared_words": "; ".join(row["shared_words"])} for row in rows]
        return await live.in_slow(lambda: as_file(pa.Table.from_pylist(rows), file, "neighbours"))

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
