"""Who may ask, and what the answer may do in a browser: every request passes here before anything else.

- A page of another site that points its own name at this machine (DNS rebinding) names that site as the host: without
  a token only names of this machine are answered.
- A page of another site that sends requests here names itself as their origin: changes from there are refused.
- A token is compared in constant time. A browser brings it once, as ?token=, and gets a cookie that no script reads.
- A request's body is counted as it comes in; changes are counted by client.
"""

import asyncio
import hmac
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "tolman_token"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_KNOWN_CLIENTS = 10_000
_TOO_LONG = "the body of the request is longer than is taken in at once"
HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        b"font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


@dataclass(frozen=True)
class Limits:
    """What one client may do.

    Attributes:
        body: bytes of one request.
        changes: requests other than reading, a minute; as many at once.
    """

    body: int = 16 * 2**20
    changes: int = 240


class Guard:
    """The middleware."""

    def __init__(self, app: App, *, token: str | None, limits: Limits, hosts: frozenset[str] = LOOPBACK) -> None:
        self._app, self._token, self._limits, self._hosts = app, token, limits, hosts
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        refusal = self._host(headers) or self._origin(scope, headers) or self._size(headers)
        if refusal is None and not self._known(scope, headers):
            if await self._welcome(scope, send):
                return
            refusal = 401, "this server wants its token: as ?token= in the address, or in Authorization: Bearer TOKEN"
        if refusal is None and scope["method"] not in SAFE:
            refusal = self._rate(scope)
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        body = _Counted(receive, self._limits.body)
        try:
            await self._app(scope, body, _answering(send, body))
        except _TooLong:
            await _refuse(send, 413, _TOO_LONG)
        except asyncio.CancelledError:  # the server ends and waits no longer
            with suppress(RuntimeError):  # half of an answer is out
                await _refuse(send, 503, "the server ended before this was answered: ask again when it is back")

    def _host(self, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        name = _host_name(headers.get(b"host", b""))
        if self._token is not None or name in self._hosts:
            return None
        return 403, f"this server answers to {', '.join(sorted(self._hosts))} only, not to {name[:80]!r}"

    def _origin(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        origin = headers.get(b"origin")
        if scope["method"] in SAFE or origin is None:
            return None
        if origin.partition(b"://")[2] == headers.get(b"host"):
            return None
        return 403, "changes are taken from this server's own page only, not from other sites"

    def _size(self, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        said = headers.get(b"content-length", b"0")
        if said.isdigit() and int(said) <= self._limits.body:
            return None
        return 413, f"expected at most {self._limits.body:,} bytes in one request"

    def _known(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        if self._token is None:
            return True
        bearer = headers.get(b"authorization", b"")
        given = bearer[7:].strip() if bearer[:7].lower() == b"bearer " else _cookie(headers.get(b"cookie", b""))
        return hmac.compare_digest(given, self._token.encode())

    async def _welcome(self, scope: Scope, send: Send) -> bool:
        """A browser that brings the token in the address gets it as a cookie, and the address without it."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = next((value for name, value in query if name == "token"), "")
        assert self._token is not None
        if scope["method"] != "GET" or not hmac.compare_digest(given.encode(), self._token.encode()):
            return False
        rest = urlencode([pair for pair in query if pair[0] != "token"])
        path = "/" + scope["path"].lstrip("/\\")  # never the address of another site
        location = path.encode("ascii", "ignore").decode() + (f"?{rest}" if rest else "")
        cookie = f"{COOKIE}={self._token}; HttpOnly; SameSite=Strict; Path=/"
        await _send(send, 303, b"", [(b"location", location.encode()), (b"set-cookie", cookie.encode())])
        return True

    def _rate(self, scope: Scope) -> tuple[int, str] | None:
        """A bucket for each client, which fills up again within a minute."""
        client = (scope.get("client") or ("?",))[0]
        now, most = time.monotonic(), float(self._limits.changes)
        left, then = self._spent.pop(client, (most, now))
        left = min(most, left + (now - then) * most / 60)
        self._spent[client] = (max(0.0, left - 1), now)
        if len(self._spent) > _KNOWN_CLIENTS:
            self._spent.popitem(last=False)
        return None if left >= 1 else (429, f"expected at most {self._limits.changes} changes a minute: wait a little")


class _TooLong(Exception):
    pass


class _Counted:
    """Receives, and stops where the body gets too long."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._left = receive, most

    @property
    def too_much(self) -> bool:
        return self._left < 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self.too_much:
            raise _TooLong
        return message


def _answering(send: Send, body: _Counted) -> Send:
    """Sends with the headers that every answer has; to a body that was too long, its own answer."""
    refused = False

    async def sending(message: Message) -> None:
        nonlocal refused
        if body.too_much:
            if not refused:
                refused = True
                await _refuse(send, 413, _TOO_LONG)
            return
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS]
        await send(message)

    return sending


async def _refuse(send: Send, status: int, why: str) -> None:
    extra = [(b"www-authenticate", b"Bearer")] if status == 401 else []
    extra += [(b"retry-after", b"5")] if status == 429 else []
    body = json.dumps({"error": why}).encode()
    await _send(send, status, body, [(b"content-type", b"application/json"), *extra])


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length, *HEADERS]})
    await send({"type": "http.response.body", "body": body})


def _host_name(host: bytes) -> str:
    try:
        return (urlsplit(f"//{host.decode('latin-1')}").hostname or "").lower()
    except ValueError:
        return ""


def _cookie(header: bytes) -> bytes:
    try:
        found = SimpleCookie(header.decode("latin-1")).get(COOKIE)
    except CookieError:
        return b""
    return found.value.encode("latin-1", "ignore") if found else b""
