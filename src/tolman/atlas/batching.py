"""Searches that come at once are answered together: many queries cost less than each alone.

Answers are kept as they are sent, until the space changes. While one batch is searched the next gathers. Nobody waits
for company: a query that comes alone goes alone.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from tolman.atlas.live import LiveSpace, Snapshot
from tolman.atlas.refusals import Busy
from tolman.errors import TolmanError
from tolman.search import Mode, SearchResult

MOST_WAITING = 512
MOST_TOGETHER = 16
_REMEMBERED = 4_096


@dataclass(frozen=True)
class Asked:
    """A search, as a key."""

    query: str
    k: int
    mode: Mode
    where: str | None
    snippets: bool

    @property
    def kind(self) -> tuple[int, Mode, str | None, bool]:
        """Searches of one kind can be made together."""
        return self.k, self.mode, self.where, self.snippets


class Searcher:
    """Answers searches on the newest state of a space, and remembers the last of them."""

    def __init__(self, live: LiveSpace, show: Callable[[Snapshot, Asked, SearchResult], bytes]) -> None:
        """`show` says how an answer is sent."""
        self._live, self._show = live, show
        self._waiting: list[tuple[Asked, asyncio.Future[bytes]]] = []
        self._running = 0
        self._known: OrderedDict[Asked, bytes] = OrderedDict()
        self._known_of = ""

    async def search(self, snapshot: Snapshot, asked: Asked) -> bytes:
        """The answer, as it is sent, on the newest snapshot.

        Raises:
            Busy: too many wait already.
            TolmanError: see `tolman.search.search`.
        """
        if self._known_of != snapshot.space.store.content_key:
            self._known.clear()
            self._known_of = snapshot.space.store.content_key
        known = self._known.get(asked)
        if known is not None:
            self._known.move_to_end(asked)
            return known
        if len(self._waiting) >= MOST_WAITING:
            raise Busy("too many searches at once: try again in a moment")
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        self._start(snapshot)
        result = await future
        if self._known_of == snapshot.space.store.content_key:
            self._known[asked] = result
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return result

    def _start(self, snapshot: Snapshot) -> None:
        if self._running or not self._waiting:
            return
        kind = self._waiting[0][0].kind
        batch = [each for each in self._waiting if each[0].kind == kind][:MOST_TOGETHER]
        chosen = {id(future) for _, future in batch}
        self._waiting = [each for each in self._waiting if id(each[1]) not in chosen]
        self._running += 1
        task = asyncio.ensure_future(self._run(snapshot, batch))
        task.add_done_callback(lambda _: self._done(snapshot))

    def _done(self, snapshot: Snapshot) -> None:
        self._running -= 1
        self._start(snapshot)

    async def _run(self, snapshot: Snapshot, batch: list[tuple[Asked, asyncio.Future[bytes]]]) -> None:
        try:
            outcomes = await self._live.in_quick(lambda: self._answer(snapshot, [asked for asked, _ in batch]))
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():  # whoever asked has gone
                continue
            if isinstance(outcome, TolmanError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def _answer(self, snapshot: Snapshot, asked: list[Asked]) -> list[bytes | TolmanError]:
        found = _found(snapshot, asked)
        return [
            result if isinstance(result, TolmanError) else self._show(snapshot, each, result)
            for each, result in zip(asked, found, strict=True)
        ]


def _found(snapshot: Snapshot, asked: list[Asked]) -> list[SearchResult | TolmanError]:
    first = asked[0]

    def search(queries: list[str]) -> list[SearchResult]:
        space = snapshot.space
        return space.search_many(queries, first.k, mode=first.mode, where=first.where, snippets=first.snippets)

    try:
        return list(search([each.query for each in asked]))
    except TolmanError as error:
        if len(asked) == 1:
            return [error]
    return [_alone(search, each.query) for each in asked]


def _alone(search: Callable[[list[str]], list[SearchResult]], query: str) -> SearchResult | TolmanError:
    try:
        return search([query])[0]
    except TolmanError as error:
        return error
