"""The application: security outside, counting inside it, routes at the heart.

uvicorn.run(create_app("tickets.space"))
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tolman.atlas.about import about_routes
from tolman.atlas.adding import adding_routes
from tolman.atlas.answers import Failure
from tolman.atlas.documents import document_routes
from tolman.atlas.export import export_routes
from tolman.atlas.live import LiveSpace
from tolman.atlas.map import map_routes
from tolman.atlas.metrics import Counting, Metrics
from tolman.atlas.pages import page_routes
from tolman.atlas.placing import placing_routes
from tolman.atlas.refusals import status_of
from tolman.atlas.search import search_routes
from tolman.atlas.security import LOOPBACK, Guard, Limits
from tolman.atlas.selection import selection_routes
from tolman.atlas.senses import sense_routes
from tolman.atlas.topics import topic_routes
from tolman.errors import TolmanError
from tolman.space.description import space_path

_SAID = {
    400: "A query, filter or document that can't be used",
    403: "Not allowed",
    404: "No such thing",
    409: "Of another space",
    413: "Too much at once",
    415: "A form where a file was expected",
    422: "A parameter of the wrong type or out of range",
    429: "Too many changes",
    501: "An extra isn't installed",
    503: "The space is gone or damaged, or too much is asked at once",
}

_NO_JSON = {
    "json_invalid": "the body is no whole JSON: an object in braces, names and texts in double quotes",
    "model_attributes_type": "expected an object of JSON, sent with Content-Type: application/json",
}


def create_app(
    space: str | Path,
    *,
    write: bool = False,
    token: str | None = None,
    limits: Limits | None = None,
    hosts: frozenset[str] = LOOPBACK,
) -> FastAPI:
    """The server of one space, as an ASGI application.

    Args:
        space: its path.
        write: whether documents may be added and topics changed.
        token: that every request must bring; None: none, and then only requests to `hosts` are answered.
        limits: what one client may do.
        hosts: names that this machine answers to.

    Raises:
        SpaceError: no space there, or a damaged one.
    """
    live, metrics = LiveSpace(space_path(space)), Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.ensure_future(live.warm())
        yield
        warming.cancel()
        await live.close()

    app = FastAPI(
        title=f"Tolman: {live.name}",
        version=version("tolman"),
        description="A latent space over HTTP. Every failure is one object with one line: `error`.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses={status: {"model": Failure, "description": said} for status, said in _SAID.items()},
    )
    app.state.live = live
    for routes in (
        about_routes(live, metrics, write=write),
        search_routes(live),
        document_routes(live),
        topic_routes(live, write=write),
        map_routes(live),
        placing_routes(live),
        selection_routes(live),
        sense_routes(live),
        adding_routes(live, write=write),
        export_routes(live),
        page_routes(),
    ):
        app.include_router(routes)
    _tell_failures(app, live)
    app.add_middleware(Counting, metrics=metrics)
    app.add_middleware(Guard, token=token, limits=limits or Limits(), hosts=hosts)
    return app


def _tell_failures(app: FastAPI, live: LiveSpace) -> None:
    @app.exception_handler(TolmanError)
    async def ours(_: Request, error: TolmanError) -> JSONResponse:
        # The name of the space is enough: where its folder is, is nobody's business.
        said = " ".join(str(error).replace(str(live.path), live.path.name).split())
        return JSONResponse({"error": said}, status_of(error))

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first.get("loc", ())[:1] == ("body",) and first.get("type") in _NO_JSON:
            return JSONResponse({"error": _NO_JSON[first["type"]]}, 422)
        where = ".".join(str(part) for part in first.get("loc", ()) if part not in ("query", "body", "path"))
        return JSONResponse({"error": f"{where or 'the request'}: {first.get('msg', 'not understood')}"}, 422)

    @app.exception_handler(HTTPException)
    async def theirs(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": f"{type(error).__name__} (not foreseen; the server's log says where)"}, 500)
