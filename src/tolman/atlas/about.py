"""/api/space, /api/health, /api/metrics: what is served, and how it goes."""

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from tolman.atlas.answers import HealthAnswer, SpaceAnswer
from tolman.atlas.course import CourseAnswer, read_course
from tolman.atlas.dates import date_columns
from tolman.atlas.live import LiveSpace, Snapshot
from tolman.atlas.metrics import Metrics
from tolman.atlas.refusals import NotThere
from tolman.curves.files import PAGE

CARD = "card.md"
_LONGEST_CARD = 2**20


class CardAnswer(BaseModel):
    """The report of the space, as Markdown."""

    markdown: str


class VersionAnswer(BaseModel):
    """One committed state."""

    version: int
    when: str
    documents: int


def about_routes(live: LiveSpace, metrics: Metrics, *, write: bool) -> APIRouter:
    """About the space and the server."""
    routes = APIRouter(tags=["about"])

    @routes.get("/api/space")
    async def space() -> SpaceAnswer:
        """What is served: its documents, encoder, quality, cost and how it was learned."""
        snapshot = await live.now()
        dates = await snapshot.once("dates", lambda: date_columns(snapshot.space))
        return await live.in_quick(lambda: _space(snapshot, live.name, dates, write=write))

    @routes.get("/api/space/card")
    async def card() -> CardAnswer:
        """The report that was written when the space was learned."""
        snapshot = await live.now()
        file = snapshot.space.path / CARD
        if not file.is_file():
            raise NotThere("this space has no card")
        with file.open(encoding="utf-8", errors="replace") as opened:
            return CardAnswer(markdown=opened.read(_LONGEST_CARD))

    @routes.get("/api/space/curves")
    async def curves() -> CourseAnswer:
        """How it learned: losses and held-out quality over time."""
        snapshot = await live.now()
        found = await live.in_slow(lambda: read_course(snapshot.space.path))
        if found is None:
            raise NotThere("this space has no learning curves")
        return found

    @routes.get("/api/space/versions")
    async def versions() -> list[VersionAnswer]:
        """Committed states, oldest first."""
        snapshot = await live.now()
        found = await live.in_quick(snapshot.space.versions)
        return [VersionAnswer(version=v.version, when=v.when.isoformat(), documents=v.documents) for v in found]

    @routes.get("/api/health")
    async def health() -> HealthAnswer:
        """That the server lives and the space is there."""
        snapshot = await live.now()
        return HealthAnswer(status="ok", documents=len(snapshot.space), version=snapshot.space.version)

    @routes.get("/api/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def prometheus() -> Response:
        """Counters and times, for Prometheus."""
        snapshot = await live.now()
        told = metrics.text(len(snapshot.space), snapshot.space.version)
        return Response(told, media_type="text/plain; version=0.0.4")

    return routes


def _space(snapshot: Snapshot, name: str, dates: list[str], *, write: bool) -> SpaceAnswer:
    space = snapshot.space
    described: dict[str, Any] = space.description.to_json()
    return SpaceAnswer(
        name=name,
        documents=len(space),
        dim=space.dim,
        version=space.version,
        writable=write,
        encoder=space.description.encoder.family,
        metadata=list(space.store.metadata_columns),
        labelled=space.table(["label"])["label"].null_count < len(space),
        calibrated=space.description.search.confidence is not None,
        card=(space.path / CARD).is_file(),
        curves=(space.path / PAGE).is_file(),
        dates=dates,
        tolman=version("tolman"),
        description={key: described[key] for key in described if key not in ("search", "encoder")},
    )
