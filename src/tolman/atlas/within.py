"""Search among the documents of one topic."""

from dataclasses import replace

from tolman.atlas.batching import Asked
from tolman.atlas.live import Snapshot
from tolman.atlas.python_line import opening, python_line
from tolman.search import Hit, SearchResult
from tolman.space.space import LatentSpace
from tolman.topics.topics import Topics

_FIRST = 200  # hits that are looked through at first


def search_within(snapshot: Snapshot, topics: Topics, topic: int, asked: Asked) -> SearchResult:
    """The best documents of a topic: those of its own in a search of as many as it takes.

    Raises:
        QueryError: no such topic, or see `tolman.search.search`.
    """
    record, space = topics.record, snapshot.space
    member_N = (record.tree.ids_at(topics[topic].depth) == topic) & ~record.outside_N
    wanted = min(asked.k, int(member_N.sum()))
    depth = min(len(space), max(_FIRST, 4 * wanted))
    while True:
        found = space.search(asked.query, depth, mode=asked.mode, where=asked.where, snippets=False)
        kept = tuple(hit for hit in found if member_N[snapshot.row_of[hit.id]])[:wanted]
        if len(kept) == wanted or depth == len(space) or len(found) < depth:
            break
        depth = min(len(space), depth * 5)
    result = replace(found, hits=kept)
    return _told(space, result) if asked.snippets and kept else result


def line_within(snapshot: Snapshot, topic: int, asked: Asked) -> str:
    """The lines of Python that give the same."""
    call = python_line(snapshot, "search", asked.query, k=len(snapshot.space), mode=asked.mode, where=asked.where)
    call = call.replace(opening(snapshot), "space", 1)
    return (
        f"space = {opening(snapshot)}\n"
        f"inside = set(space.topics().members({topic})['id'].to_pylist())\n"
        f"[hit for hit in {call} if hit.id in inside][:{asked.k}]"
    )


def _told(space: LatentSpace, result: SearchResult) -> SearchResult:
    """The same hits with title and snippet: a search of nothing but them, so that these are what they are elsewhere."""
    listed = ", ".join("'" + hit.id.replace("'", "''") + "'" for hit in result)
    told = space.search(result.query, len(result), mode=result.mode, where=f"id IN ({listed})")
    told_of = {hit.id: hit for hit in told}
    return replace(result, hits=tuple(_with_text(hit, told_of[hit.id]) for hit in result if hit.id in told_of))


def _with_text(hit: Hit, told: Hit) -> Hit:
    return replace(hit, title=told.title, snippet=told.snippet, snippet_span=told.snippet_span)
