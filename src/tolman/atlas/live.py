"""A space that is served: always its newest version, whoever changes it, with topics and map when they are asked for.

A `Snapshot` never changes; when documents came or topics were changed, another takes its place, and who is in the
middle of an answer finishes it on the one before.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

import faiss

from tolman.atlas.elsewhere import find_first
from tolman.atlas.heap import give_back
from tolman.atlas.refusals import Gone
from tolman.errors import TolmanError
from tolman.space.space import LatentSpace
from tolman.space.succession import read_ahead, take_over

if TYPE_CHECKING:
    from tolman.projection.map import Map
    from tolman.topics.topics import Topics
    from tolman.words import Words

T = TypeVar("T")
Stamp = tuple[int, ...]

QUICK_THREADS, SLOW_THREADS = 2, 2
_MANY = 1_000
_FREED_AFTER = 1.0  # seconds
_WATCHED = ("space.json", "documents.lance/_versions", "topics/topics.json", "map/map.json")
_OF_DOCUMENTS = 2  # the first of these


class Snapshot:
    """A space at one version, and what is derived from it, made once.

    Attributes:
        space: never changed through this object.
        stamp: of the files that it was read from.
    """

    def __init__(self, space: LatentSpace, stamp: Stamp, slow: ThreadPoolExecutor, closing: Event) -> None:
        space.store.remember_words()
        self.space, self.stamp = space, stamp
        self._slow, self._closing = slow, closing
        self._made: dict[str, asyncio.Future[Any]] = {}

    async def topics(self) -> "Topics":
        """Found or read when first asked for; whoever asks meanwhile waits for the same."""
        return await self.once("topics", self._topics)

    def _topics(self) -> "Topics":
        find_first(self.space, self._closing)
        return self.space.topics()

    async def map(self) -> "Map":
        """Likewise."""
        return await self.once("map", self.space.map)

    async def words(self) -> "Words":
        """Likewise; read anew for every question they would take a second."""
        return await self.once("words", self.space.words)

    async def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives, made by one thread and kept; a failure is told to all who wait and tried again later."""
        future = self._made.get(name)
        if future is None:
            future = asyncio.get_running_loop().run_in_executor(self._slow, make)
            self._made[name] = future
        try:
            made: T = await asyncio.shield(future)
            return made
        except BaseException:
            if future.done() and self._made.get(name) is future and (future.cancelled() or future.exception()):
                del self._made[name]
            raise

    def has(self, name: str) -> bool:
        """Whether that is made already."""
        future = self._made.get(name)
        return future is not None and future.done() and not future.cancelled() and future.exception() is None

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each document by its id."""
        return {name: row for row, name in enumerate(self.ids)}

    @cached_property
    def ids(self) -> list[str]:
        """Of the documents, in the order of `LatentSpace.table()`."""
        return [str(name) for name in self.space.store.read(["id"])["id"].to_pylist()]


class LiveSpace:
    """What the server holds.

    Attributes:
        path: of the folder.
        slow: threads for what takes long; searches have threads of their own.
        quick: these.
        closing: set when the server ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._watched = tuple(str(path / name) for name in _WATCHED)  # as texts: every request asks
        self.slow = ThreadPoolExecutor(SLOW_THREADS, "slow", _keep_to_one_core)
        self.quick = ThreadPoolExecutor(QUICK_THREADS, "quick", _keep_to_one_core)
        self._changing, self._changes = asyncio.Lock(), False
        self._work: asyncio.Future[Any] | None = None  # goes on where whoever asked for it was sent away
        self.closing = Event()
        self._snapshot = Snapshot(LatentSpace.open(path), _stamp(self._watched), self.slow, self.closing)

    @property
    def name(self) -> str:
        """Of the space, without its ending."""
        return self.path.name.removesuffix(".space")

    async def now(self) -> Snapshot:
        """The newest state; while this server changes the space, the one before.

        Raises:
            Gone: the folder is no space any more.
        """
        if self._snapshot.stamp != _stamp(self._watched) and not self._changes:
            async with self._changing:
                if self._snapshot.stamp != _stamp(self._watched):
                    await self._renew()
        return self._snapshot

    async def change(self, work: Callable[[LatentSpace], T]) -> T:
        """Carry out `work` on a space object of its own, one at a time; what is asked meanwhile is answered."""
        async with self._changing:
            before, self._changes = self._snapshot.space, True
            try:
                self._work = asyncio.ensure_future(self.in_slow(lambda: work(_reopened(self.path, before))))
                done: T = await asyncio.shield(self._work)
                await self._renew()
            finally:
                self._changes = False
            return done

    async def _renew(self) -> None:
        """Put the snapshot of what is there now, once it is whole, in the place of the one before.

        That is freed with the last answer on it; soon after, the system has the memory back.
        """
        self._snapshot = await self._succeed(self._snapshot)
        asyncio.get_running_loop().call_later(_FREED_AFTER, self._give_back)

    def _give_back(self) -> None:
        if not self.closing.is_set():
            self.slow.submit(give_back)

    async def _succeed(self, before: Snapshot) -> Snapshot:
        stamp = _stamp(self._watched)
        space = await self.in_slow(lambda: _succeeding(self.path, before.space))
        snapshot = Snapshot(space, stamp, self.slow, self.closing)
        await self.in_slow(lambda: snapshot.row_of)
        for name, make in (("topics", snapshot.topics), ("map", snapshot.map)):
            if before.has(name):
                await make()
        snapshot.stamp = (*stamp[:_OF_DOCUMENTS], *_stamp(self._watched)[_OF_DOCUMENTS:])  # they may have been written
        return snapshot

    async def in_slow(self, work: Callable[[], T]) -> T:
        """`work` in a thread, for what may take seconds."""
        return await asyncio.get_running_loop().run_in_executor(self.slow, work)

    async def in_quick(self, work: Callable[[], T]) -> T:
        """`work` in a thread, for what takes milliseconds."""
        return await asyncio.get_running_loop().run_in_executor(self.quick, work)

    async def warm(self) -> None:
        """Load what searches need, before somebody waits for it. What fails will be told when asked for."""
        with suppress(TolmanError):
            await self.in_slow(self._search_once)
            async with self._changing:  # whoever comes next takes over what is loaded, not what is half loaded
                space = self._snapshot.space
                await self.in_slow(space.store.load_fulltext)
            await self.in_slow(lambda: read_ahead(space, lambda: not self.closing.is_set()))

    def _search_once(self) -> None:
        space = self._snapshot.space
        if space.description.encoder.family == "static":
            space.encoder.encode(["a"] * _MANY)  # from then on its table is as wide as sums need it
        space.search("a", 1)
        self._snapshot.row_of  # noqa: B018  made now, too

    async def close(self) -> None:
        """Finish the change that is being made, and begin nothing more. What only reads isn't waited for."""
        self.closing.set()
        if self._work is not None:
            await asyncio.wait([self._work])
        for threads in (self.slow, self.quick):
            threads.shutdown(wait=False, cancel_futures=True)


def _keep_to_one_core() -> None:
    """FAISS would call all cores for each batch, and keep them turning until the next."""
    faiss.omp_set_num_threads(1)


def _succeeding(path: Path, before: LatentSpace) -> LatentSpace:
    """The space as it is now, with what `before` holds in memory; `before` itself if nothing is new in it."""
    space = _reopened(path, before)
    if space.store.content_key == before.store.content_key and space.description == before.description:
        return before
    take_over(space, before)
    return space


def _reopened(path: Path, before: LatentSpace) -> LatentSpace:
    try:
        return LatentSpace.open(path, encoder=before.encoder)
    except TolmanError:
        return LatentSpace.open(path)  # another encoder: the space was learned anew


def _stamp(watched: Sequence[str]) -> Stamp:
    """Changes whenever one of the files that are watched is replaced."""
    found = []
    for path in watched:
        try:
            found.append(os.stat(path).st_mtime_ns)
        except OSError:
            found.append(0)
    if not found[0] or not found[1]:
        raise Gone("the space was moved or deleted while it was served: put it back, or start the server again")
    return tuple(found)
