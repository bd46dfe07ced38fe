"""How a space, or a model that is kept alone, comes into being: beside its place, whole, then there in one step.

`NAME.space.partial` is filled by one process at a time. Killed, it stays, and the next attempt with the same encoder
and corpus goes on from it. A folder of that name which somebody else made is never touched: ours carry a marker from
their first moment to their last, through every rename.
"""

import ctypes
import errno
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tolman.errors import SpaceError, StorageError
from tolman.space.description import is_space, refuse_newer

IDENTITY, LOCK = "staging.json", "staging.lock"
_MARK = {"made_by": "tolman"}
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@dataclass(frozen=True)
class Artifact:
    """What is put in its place.

    Attributes:
        name: what people call it.
        is_one: whether there is one in a folder, whole or damaged.
        refuse_newer: raises SpaceError where the one in a folder is of a newer format.
    """

    name: str
    is_one: Callable[[Path], bool]
    refuse_newer: Callable[[Path], None]


SPACE = Artifact("space", is_space, refuse_newer)


def require_place(target: Path, artifact: Artifact = SPACE) -> None:
    """Refuse to put an artifact where something else is.

    Raises:
        SpaceError: `target` exists and is not one, or one of a newer format, or is a link to itself; or what it would
            be made in is there and not Tolman's.
    """
    if target.exists() and not artifact.is_one(target):
        raise SpaceError(f"{target} exists and is not a {artifact.name}: choose another name, or move it away")
    artifact.refuse_newer(target)
    _require_ours(_beside(_without_links(target)))


class Staging:
    """The folder beside a space to be. A context: one process at a time, cleaned up after an error, kept after a kill;
    where what is in it took long, kept too when the disk refuses.

    Attributes:
        target: the space to be, with links followed: what a link points at is replaced, the link stays.
        folder: where to write.
    """

    def __init__(
        self,
        target: Path,
        identity: Mapping[str, str],
        *,
        made_for: Path | None = None,
        artifact: Artifact = SPACE,
        costly: Sequence[str] = (),
    ) -> None:
        """Prepare for an artifact at `target`.

        Args:
            target: the space to be.
            identity: what is being made; only work on the same is resumed.
            made_for: the space that people know of, if `target` is only a step on the way to it.
            artifact: what it is, if it isn't a space.
            costly: names of files that took long: where there is one, the folder outlasts a full disk.

        Raises:
            SpaceError: see `require_place`.
        """
        require_place(target, artifact)
        self.artifact, self.costly = artifact, costly
        self.target = _without_links(target)
        self.folder = _beside(self.target)
        self._identity = _MARK | dict(identity)
        self._lock: IO[str] | None = None
        self._named = made_for or self.target

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.folder)
            if _identity_in(self.folder) != self._identity:
                self.clear()
                _mark(self.folder, self._identity)
        except BlockingIOError:
            raise SpaceError(f"another process is making {self._named}: wait for it, or choose another name") from None
        except OSError as error:
            if self._lock:  # else what is there may be the work of another process
                self.__exit__(type(error), error, None)
            raise StorageError(f"can't write {self.folder}: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An interruption may go on later, and so may what lacked nothing but room; else nothing is worth keeping.
        kept = isinstance(error, StorageError) and any(file.name in self.costly for file in self.folder.rglob("*"))
        if kind is not None and issubclass(kind, Exception) and not kept:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock:
            self._lock.close()
        if kept:
            raise StorageError(f"{error}; what was done so far is kept, the same command goes on from there") from error

    def clear(self) -> None:
        """Drop what was staged."""
        _empty(self.folder)

    def publish(self) -> None:
        """Put the folder in its place, in one step; a space that was there goes.

        Raises:
            StorageError: the disk refused.
        """
        try:
            if self.target.exists():
                self._replace()
            else:
                self.folder.rename(self.target)
        except OSError as error:
            raise StorageError(f"can't put the {self.artifact.name} at {self.target}: {error.strerror}") from error
        finally:
            _unmark(self.target)

    def _replace(self) -> None:
        """Change places with the old space, which is marked as ours to clear, and locked, before it moves."""
        with _locked(self.target):
            _mark(self.target, _MARK)  # an identity that no work has: it is never resumed
            _discard(_exchange(self.folder, self.target))


def _beside(target: Path) -> Path:
    return target.with_name(f"{target.name}.partial")


def _without_links(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: Python before 3.13
        raise SpaceError(f"{path} is a link that leads nowhere ({error}): choose another name") from None


def _require_ours(folder: Path) -> None:
    """Refuse a folder that Tolman didn't make, whatever it is called. An empty one is nobody's."""
    if not os.path.lexists(folder):
        return
    try:
        ours = not folder.is_symlink() and (
            {file.name for file in folder.iterdir()} <= {IDENTITY, LOCK} or _is_marked(folder)
        )
    except OSError:
        ours = False
    if not ours:
        raise SpaceError(f"{folder} is in the way and was not made by Tolman: move it away, or choose another name")


def _is_marked(folder: Path) -> bool:
    return _MARK.items() <= _identity_in(folder).items()


def _identity_in(folder: Path) -> dict[str, str]:
    """What is being made in `folder`; empty if nothing says so."""
    try:
        found = json.loads((folder / IDENTITY).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _mark(folder: Path, identity: Mapping[str, str]) -> None:
    (folder / IDENTITY).write_text(json.dumps(identity))


def _unmark(folder: Path) -> None:
    for name in (IDENTITY, LOCK):
        with suppress(OSError):  # in a whole space they mean nothing
            (folder / name).unlink(missing_ok=True)


def _locked(folder: Path) -> IO[str]:
    """The lock of `folder`, held until it is closed.

    Raises:
        BlockingIOError: another process holds it.
    """
    lock = (folder / LOCK).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise
    return lock


def _empty(folder: Path) -> None:
    """Drop everything but mark and lock."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name not in (IDENTITY, LOCK):
            entry.unlink()


def _discard(folder: Path) -> None:
    """Drop a marked folder; what can't be dropped stays marked, for the next attempt."""
    with suppress(OSError):
        _empty(folder)
        _unmark(folder)
        folder.rmdir()


def _exchange(new: Path, old: Path) -> Path:
    """Swap two folders atomically where the system can (Linux), else one after the other. Where the old one is now."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        paths = os.fsencode(new), os.fsencode(old)
        if libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
            return new
        if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    aside = old.with_name(f"{old.name}.replaced")
    _require_ours(aside)
    _discard(aside)
    old.rename(aside)
    new.rename(old)
    return aside
