"""/api/search and /api/scores."""

import json
import time
from dataclasses import asdict
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Response

from tolman.atlas.answers import SearchAnswer
from tolman.atlas.batching import Asked, Searcher
from tolman.atlas.binary import pack
from tolman.atlas.live import LiveSpace, Snapshot
from tolman.atlas.python_line import python_line
from tolman.atlas.within import line_within, search_within
from tolman.search import HITS, Mode, SearchResult

MOST_HITS = 1_000
LONGEST_QUERY = 2_000

QueryText = Annotated[str, Query(min_length=1, max_length=LONGEST_QUERY, description="What is looked for.")]
Hits = Annotated[int, Query(ge=1, le=MOST_HITS, description="How many, at most.")]
Where = Annotated[str | None, Query(max_length=10_000, description="SQL condition on the metadata: year > 2020.")]

Topic = Annotated[int | None, Query(description="Only documents of this topic.")]


def search_routes(live: LiveSpace) -> APIRouter:
    """Search, and how near every document is to a query."""
    routes, searcher = APIRouter(tags=["search"]), Searcher(live, show)

    @routes.get("/api/search", response_model=SearchAnswer)
    async def search(
        *,
        q: QueryText,
        k: Hits = HITS,
        mode: Mode = "hybrid",
        where: Where = None,
        topic: Topic = None,
        snippets: bool = True,
    ) -> Response:
        """The best documents for a query."""
        began = time.perf_counter()
        if topic is not None:
            body = await _within(live, topic, Asked(q, k, mode, where, snippets))
        else:
            snapshot = await live.now()
            body = await searcher.search(snapshot, Asked(q, min(k, len(snapshot.space)), mode, where, snippets))
        took = f'{{"took_ms":{(time.perf_counter() - began) * 1e3:.2f},'
        return Response(took.encode() + body[1:], media_type="application/json")

    @routes.get("/api/scores", responses={200: {"content": {"application/octet-stream": {}}}}, response_class=Response)
    async def scores(q: QueryText) -> Response:
        """Cosine of the query and every document, in the order of the map: see /api/map for the format."""
        snapshot = await live.now()

        def near() -> bytes:
            query_D = snapshot.space.encoder.encode([q], "query")[0]
            cosines_N = np.asarray(snapshot.space.vectors()) @ query_D
            return pack({"version": snapshot.space.version}, {"cosine": cosines_N.astype(np.float32)})

        return Response(await live.in_quick(near), media_type="application/octet-stream")

    return routes


def show(snapshot: Snapshot, asked: Asked, result: SearchResult, line: str | None = None) -> bytes:
    """A `SearchAnswer` but for the time that it took; `line`: of Python, if it isn't a search of the whole space."""
    answer = {
        "query": result.query,
        "mode": result.mode,
        "relevant": result.relevant,
        "hits": [
            {
                "id": hit.id,
                "row": snapshot.row_of[hit.id],
                "score": round(hit.score, 6),
                "cosine": round(hit.cosine, 6),
                "confidence": hit.confidence,
                "title": hit.title,
                "snippet": hit.snippet,
            }
            for hit in result
        ],
        "senses": [asdict(sense) for sense in result.senses],
        "python": line or python_line(snapshot, "search", result.query, k=asked.k, mode=asked.mode, where=asked.where),
    }
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


async def _within(live: LiveSpace, topic: int, asked: Asked) -> bytes:
    snapshot = await live.now()
    topics = await snapshot.topics()
    line = line_within(snapshot, topic, asked)
    return await live.in_slow(lambda: show(snapshot, asked, search_within(snapshot, topics, topic, asked), line))
