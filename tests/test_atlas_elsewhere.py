"""Topics that the server has found by another process."""

import time
from pathlib import Path
from threading import Event

import pytest
from atlas_client import serving

from tolman import TolmanError, open_space
from tolman.atlas import elsewhere


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "MANY", 50)


def test_they_are_those_that_python_finds(own_space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    run = elsewhere._tolman_topics
    monkeypatch.setattr(
        elsewhere, "_tolman_topics", lambda space, stop, *more: (ran.append(*more or [""]), run(space, stop, *more))
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


def test_what_the_process_says_is_told(own_space: Path) -> None:
    (own_space / "topics").mkdir()
    (own_space / "topics" / "topics.json").write_text("{")
    with pytest.raises(TolmanError, match=r"topics\.json is damaged"):
        elsewhere.find_again(open_space(own_space), Event(), bearable=0.02, from_nothing=False)


def test_a_server_that_ends_waits_for_nobody(own_space: Path) -> None:
    stop, began = Event(), time.monotonic()
    stop.set()
    with pytest.raises(TolmanError, match="finding topics ended"):
        elsewhere.find_first(open_space(own_space), stop)
    assert time.monotonic() - began < 10
    assert not (own_space / "topics" / "topics.json").exists()
