"""The server itself: a socket, uvicorn on it, and a word when it is ready."""

import socket
import sys
from collections.abc import Callable
from pathlib import Path

from tolman.atlas.heap import use_few_heaps
from tolman.errors import MissingExtra, TolmanError

# A search lets other threads run a dozen times, and each time waits that long for what runs in the background.
_SWITCH_SECONDS = 0.0005


def run(
    space: str | Path,
    *,
    host: str,
    port: int,
    write: bool,
    token: str | None,
    ready: Callable[[str], None],
) -> None:
    """Serve until interrupted.

    Args:
        space: its path.
        host, port: where to listen; port 0: a free one.
        write, token: see `create_app`.
        ready: told the address when requests are answered.

    Raises:
        MissingExtra: FastAPI or uvicorn isn't installed.
        TolmanError: the address can't be listened at.
        SpaceError: no space there.
    """
    try:
        import uvicorn

        from tolman.atlas.app import create_app
    except ImportError as error:
        if (error.name or "").partition(".")[0] in ("fastapi", "uvicorn", "starlette", "pydantic"):
            raise MissingExtra("serving a space", extra="serve") from None
        raise
    app = create_app(space, write=write, token=token)
    sys.setswitchinterval(_SWITCH_SECONDS)
    use_few_heaps()
    with _listening(host, port) as listening:
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=5
        )
        number = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        _Server(config, lambda: ready(f"http://{shown}:{number}/")).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, so that asyncio sends small answers at once; else each waits 40 ms for an acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise TolmanError(f"can't listen at {host}, port {port}: {getattr(error, 'strerror', None) or error}") from None
    return listening


def _Server(config: "object", ready: Callable[[], None]):  # type: ignore[no-untyped-def]  # noqa: N802
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

    return Server(config)  # type: ignore[arg-type]
