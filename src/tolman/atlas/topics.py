"""/api/topics: the tree, and what people change about it."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, Field

from tolman.atlas import elsewhere
from tolman.atlas.adding import require_writable
from tolman.atlas.answers import TopicAnswer, TopicsAnswer
from tolman.atlas.live import LiveSpace, Snapshot
from tolman.atlas.python_line import opening
from tolman.atlas.refusals import NotThere, Refusal
from tolman.errors import QueryError
from tolman.space.space import LatentSpace
from tolman.topics.topics import Period, Topics
from tolman.topics.tree import Topic

Column = Annotated[str, Query(min_length=1, max_length=200, description="Of dates, times or years.")]


class TopicChange(BaseModel):
    """What to change; what isn't given stays."""

    name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    pinned: bool | None = None


class Merge(BaseModel):
    """Topics to make one of; it keeps number and name of the first."""

    topics: Annotated[list[int], Field(min_length=2, max_length=1_000)]


class FindAgain(BaseModel):
    """How to find topics anew."""

    bearable: Annotated[float, Field(ge=0, le=1)] = 0.02
    from_nothing: bool = False


class PeriodAnswer(BaseModel):
    """How many documents of a topic fall in a period."""

    period: str
    topic: int
    name: str
    documents: int
    share: float


class OverTimeAnswer(BaseModel):
    """How many documents of each topic fall in each period, the earliest first."""

    periods: list[PeriodAnswer]
    python: str


def topic_routes(live: LiveSpace, *, write: bool) -> APIRouter:
    """Topics."""
    routes = APIRouter(tags=["topics"])

    async def changed(change: "object") -> TopicsAnswer:
        return await done(lambda space: change(space.topics()))  # type: ignore[operator]

    async def done(work: Callable[[LatentSpace], object]) -> TopicsAnswer:
        require_writable(write)
        await live.change(work)
        snapshot = await live.now()
        return _answer(snapshot, await snapshot.topics())

    @routes.get("/api/topics")
    async def topics() -> TopicsAnswer:
        """All topics, broad ones first."""
        snapshot = await live.now()
        return _answer(snapshot, await snapshot.topics())

    @routes.post("/api/topics/merge")
    async def merge(asked: Merge) -> TopicsAnswer:
        """Make one of several shown topics; it keeps number and name of the first, and is pinned."""
        return await changed(lambda found: found.merge(asked.topics))

    @routes.post("/api/topics/find-again")
    async def find_again(asked: Annotated[FindAgain, Body()]) -> TopicsAnswer:
        """Find topics anew, now that there are other documents."""
        options = asked.model_dump()
        return await done(lambda space: elsewhere.find_again(space, live.closing, **options))

    @routes.get("/api/topics/over-time")
    async def over_time(column: Column, every: Period = "month") -> OverTimeAnswer:
        """How many documents of each topic fall in each year, month or day of a column."""
        snapshot = await live.now()
        found = await snapshot.topics()
        rows = await live.in_slow(lambda: found.over_time(column, every).to_pylist())
        line = f"{opening(snapshot)}.topics().over_time({column!r}, {every!r})"
        return OverTimeAnswer(periods=[PeriodAnswer(**row) for row in rows], python=line)

    @routes.get("/api/topics/{topic}")
    async def one(topic: int) -> TopicAnswer:
        """One topic."""
        return answer_of(_topic(await (await live.now()).topics(), topic))

    @routes.patch("/api/topics/{topic}")
    async def change(topic: int, asked: TopicChange) -> TopicsAnswer:
        """Rename a topic, pin it, or let it go."""
        if asked.name is None and asked.pinned is None:
            raise Refusal("expected a name, or pinned as true or false")
        return await changed(lambda found: _renamed(found, topic, asked))

    @routes.post("/api/topics/{topic}/split")
    async def split(topic: int) -> TopicsAnswer:
        """Show the finer topics of a shown one in its place."""
        return await changed(lambda found: (_topic(found, topic), found.split(topic)))

    return routes


def answer_of(topic: Topic) -> TopicAnswer:
    """One topic as JSON has it."""
    return TopicAnswer(**{name: getattr(topic, name) for name in TopicAnswer.model_fields})


def _renamed(found: Topics, topic: int, asked: TopicChange) -> Topics:
    _topic(found, topic)
    if asked.name is not None:
        found = found.rename(topic, asked.name)
    return found if asked.pinned is None else found.pin(topic, asked.pinned)


def _topic(found: Topics, topic: int) -> Topic:
    try:
        return found[topic]
    except QueryError:
        raise NotThere(f"there is no topic {topic}") from None


def _answer(snapshot: Snapshot, found: Topics) -> TopicsAnswer:
    return TopicsAnswer(
        documents=len(found.record),
        nowhere=int(np.count_nonzero(found.labels < 0)),
        topics=[answer_of(topic) for topic in found],
        python=f"{opening(snapshot)}.topics()",
    )
