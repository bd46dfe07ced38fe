"""Tools for assistants over the Model Context Protocol: search, neighbours, topics and document of one space.

The official `mcp` package speaks the protocol; what the tools answer is what `tolman.search` and `tolman.topics` say.
"""

from pathlib import Path
from typing import Any

import numpy as np

from tolman.errors import MissingExtra, QueryError, TolmanError
from tolman.space.space import LatentSpace

MOST = 50
_LONGEST, _SHORT = 20_000, 300  # characters of a document, and of one in a list


class Tools:
    """What an assistant may ask of a space. All of it only reads."""

    def __init__(self, space: LatentSpace) -> None:
        self._space = space

    def search(self, query: str, k: int = 10, where: str | None = None) -> dict[str, Any]:
        """Find documents by meaning and words. `relevant` false: nothing answers the query, hits are only the nearest.

        Args:
            query: what is looked for, in plain words.
            k: how many, 50 at most.
            where: SQL condition on metadata columns, like "year > 2020".
        """
        found = self._space.search(query, _bounded(k, len(self._space)), where=where)
        hits = [
            {"id": hit.id, "title": hit.title, "confidence": hit.confidence, "snippet": hit.snippet} for hit in found
        ]
        return {"relevant": found.relevant, "hits": hits}

    def neighbours(self, id: str, k: int = 10) -> list[dict[str, Any]]:
        """The documents nearest to one, with their cosines.

        Raises:
            QueryError: there is no such document.
        """
        row = int(self._space.store.positions([id])[0])
        if row < 0:
            raise QueryError(f"there is no document with id {id[:100]!r}")
        vector_1D = np.asarray(self._space.vectors()[row])[None, :]
        near = self._space.index.search(vector_1D, _bounded(k + 1, len(self._space)), None)[0]
        others = [(int(p), float(c)) for p, c in zip(near.positions_K, near.cosines_K, strict=True) if p != row][:k]
        rows = self._space.store.take([position for position, _ in others], ["id", "title", "text"]).to_pylist()
        return [
            {"id": r["id"], "title": r["title"] or "", "cosine": round(cosine, 4), "text": (r["text"] or "")[:_SHORT]}
            for r, (_, cosine) in zip(rows, others, strict=True)
        ]

    def topics(self) -> list[dict[str, Any]]:
        """What the documents are about: topics with number, name, size, words and the topic they are part of."""
        names = ("id", "parent", "depth", "name", "size", "words")
        return [{name: getattr(topic, name) for name in names} for topic in self._space.topics()]

    def document(self, id: str) -> dict[str, Any]:
        """One document with its text and metadata."""
        found = self._space.take([id])[0]
        metadata = {
            name: value if isinstance(value, str | int | float) else str(value)
            for name, value in found.metadata.items()
        }
        return {"id": found.id, "title": found.title, "text": found.text[:_LONGEST], "metadata": metadata}


def serve_tools(space: str | Path) -> None:
    """Answer an assistant on stdin and stdout, until it goes.

    Raises:
        MissingExtra: the `mcp` package isn't installed.
        SpaceError: no space there.
    """
    build(LatentSpace.open(space)).run()


def build(space: LatentSpace) -> Any:
    """The server with its four tools.

    Raises:
        MissingExtra: the `mcp` package isn't installed.
    """
    server_of, failure = _protocol()
    tools = Tools(space)
    server = server_of(f"tolman {space.path.name}", instructions=f"Documents of {space.path.name}, by their meaning.")
    for tool in (tools.search, tools.neighbours, tools.topics, tools.document):
        server.add_tool(_told(tool, failure), name=tool.__name__, description=tool.__doc__)
    return server


def _protocol() -> tuple[Any, Any]:
    """The class of a server, and the error that a tool may raise."""
    try:
        from mcp.server import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
    except ImportError:
        try:
            from mcp.server.fastmcp import FastMCP as MCPServer  # before version 2
            from mcp.server.fastmcp.exceptions import ToolError
        except ImportError:
            raise MissingExtra("tolman mcp", extra="mcp") from None
    return MCPServer, ToolError


def _told(tool: Any, failure: Any) -> Any:
    """The tool, whose errors an assistant reads as one line."""
    from functools import wraps

    @wraps(tool)
    def asked(**given: Any) -> Any:
        try:
            return tool(**given)
        except TolmanError as error:
            raise failure(str(error)) from None

    return asked


def _bounded(k: int, documents: int) -> int:
    return max(1, min(k, MOST, documents))
