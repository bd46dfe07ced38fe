"""A server in this process, for tests: its client, and the space that it serves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi.testclient import TestClient

from tolman.atlas.app import create_app
from tolman.atlas.security import Limits


@contextmanager
def serving(
    space: Path, *, write: bool = False, token: str | None = None, limits: Limits | None = None
) -> Iterator[TestClient]:
    """A client of a server of `space`."""
    app = create_app(space, write=write, token=token, limits=limits)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client
