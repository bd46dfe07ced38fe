"""Topics that the server has found by another process."""

import os
import sys
import time
from pathlib import Path
from threading import Event

import pytest
from atlas_client import serving

from tolman import open_space
from tolman.atlas import elsewhere
from tolman.atlas.refusals import Gone


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "MANY", 50)


def test_they_are_those_that_python_finds(own_space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    run = elsewhere._tolman_topics
    monkeypatch.setattr(
        elsewhere, "_tolman_topics", lambda space, stop, *more: (ran.append(*more or [""]), run(space, stop, *more))[1]
    )
    with serving(own_space, write=True) as client:
        told = client.get("/api/topics").json()["topics"]
        again = client.post("/api/topics/find-again", json={"from_nothing": True}).json()["topics"]
    assert ran == ["", "--from-nothing"]
    assert [(topic["id"], topic["name"]) for topic in told] == [(t.id, t.name) for t in open_space(own_space).topics()]
    assert [topic["id"] for topic in again] == [topic["id"] for topic in told]


def test_topics_that_are_there_are_read(own_space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [topic.id for topic in open_space(own_space).topics()]
    monkeypatch.setattr(elsewhere, "_tolman_topics", lambda *_: pytest.fail("nothing was to be found"))
    with serving(own_space) as client:
        assert [topic["id"] for topic in client.get("/api/topics").json()["topics"]] == expected


def test_where_the_process_fails_the_reason_has_its_own_status(own_space: Path) -> None:
    (own_space / "topics").mkdir()
    (own_space / "topics" / "topics.json").write_text("{")
    with serving(own_space, write=True) as client:
        told = client.post("/api/topics/find-again", json={})
    assert told.status_code == 503
    assert "topics.json is damaged" in told.json()["error"]


def test_without_igraph_the_missing_extra_is_told(own_space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "igraph", None)
    monkeypatch.setenv("PYTHONPATH", os.fspath(own_space.parent))
    (own_space.parent / "igraph.py").write_text("raise ImportError('not here', name='igraph')")
    with serving(own_space) as client:
        told = client.get("/api/topics")
    assert told.status_code == 501
    assert "tolman[topics]" in told.json()["error"]


def test_a_server_that_ends_waits_for_nobody(own_space: Path) -> None:
    stop, began = Event(), time.monotonic()
    stop.set()
    with pytest.raises(Gone, match="the server ended"):
        elsewhere.find_first(open_space(own_space), stop)
    assert time.monotonic() - began < 10
    assert not (own_space / "topics" / "topics.json").exists()
