"""`tolman mcp` with the client of the official package, over real pipes."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp")


def ask(space: Path, calls: list[tuple[str, dict[str, Any]]]) -> tuple[list[str], list[Any]]:
    """Names of the tools, and what these calls gave."""
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    async def talk() -> tuple[list[str], list[Any]]:
        server = StdioServerParameters(command=sys.executable, args=["-m", "tolman", "mcp", str(space)])
        async with stdio_client(server) as pipes, ClientSession(*pipes) as session:
            await session.initialize()
            names = [tool.name for tool in (await session.list_tools()).tools]
            return names, [await session.call_tool(name, given) for name, given in calls]

    return asyncio.run(talk())


def test_an_assistant_searches_reads_and_looks_around(own_space: Path) -> None:
    calls = [
        ("search", {"query": "refund never arrived", "k": 3}),
        ("document", {"id": "tk-1"}),
        ("neighbours", {"id": "tk-1", "k": 2}),
        ("topics", {}),
        ("document", {"id": "nothere"}),
        ("search", {"query": "a", "where": "nothere = 1"}),
    ]
    names, answers = ask(own_space, calls)
    assert sorted(names) == ["document", "neighbours", "search", "topics"]
    found = json.loads(answers[0].content[0].text)
    assert found["relevant"] is True
    assert len(found["hits"]) == 3
    assert json.loads(answers[1].content[0].text)["text"]
    assert not any(answer.is_error for answer in answers[:4])
    assert all(answer.is_error for answer in answers[4:])
    assert "no document with id 'nothere'" in answers[4].content[0].text
    assert "no column" in answers[5].content[0].text
