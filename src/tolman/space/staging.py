"""How a space comes into being: beside its place, whole, then there in one step.

`NAME.space.partial` is filled by one process at a time. Killed, it stays, and the next attempt with the same encoder
and corpus goes on from it.
"""

import ctypes
import errno
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tolman.errors import SpaceError, StorageError
from tolman.space.description import FILE

IDENTITY, LOCK = "staging.json", "staging.lock"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def require_place(target: Path) -> None:
    """Refuse to put a space where something else is.

    Raises:
        SpaceError: `target` exists and is not a space.
    """
    if target.exists() and not (target / FILE).is_file():
        raise SpaceError(f"{target} exists and is not a space: choose another name, or move it away")


class Staging:
    """The folder beside a space to be. A context: one process at a time, cleaned up after an error, kept after a kill.

    Attributes:
        folder: where to write.
    """

    def __init__(self, target: Path, identity: Mapping[str, str], *, made_for: Path | None = None) -> None:
        """Prepare for a space at `target`.

        Args:
            target: the space to be.
            identity: what is being made; only work on the same is resumed.
            made_for: the space that people know of, if `target` is only a step on the way to it.

        Raises:
            SpaceError: something other than a space is there.
        """
        require_place(target)
        self.target = target
        self.folder = target.with_name(f"{target.name}.partial")
        self._identity = dict(identity)
        self._named = made_for or target

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / LOCK).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SpaceError(f"another process is making {self._named}: wait for it, or choose another name") from None
        except OSError as error:
            raise StorageError(f"can't write {self.folder}: {error.strerror}") from error
        if not self._resumable():
            self.clear()
            (self.folder / IDENTITY).write_text(json.dumps(self._identity))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An interruption may go on later; after an error nothing is worth keeping.
        if kind is not None and issubclass(kind, Exception):
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def clear(self) -> None:
        """Drop what was staged."""
        for entry in self.folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != LOCK:
                entry.unlink()

    def publish(self) -> None:
        """Put the folder in its place, in one step; a space that was there goes.

        Raises:
            StorageError: the disk refused.
        """
        for name in (IDENTITY, LOCK):
            (self.folder / name).unlink(missing_ok=True)
        try:
            if not self.target.exists():
                self.folder.rename(self.target)
                return
            _exchange(self.folder, self.target)
        except OSError as error:
            raise StorageError(f"can't put the space at {self.target}: {error.strerror}") from error
        shutil.rmtree(self.folder, ignore_errors=True)

    def _resumable(self) -> bool:
        try:
            return bool(json.loads((self.folder / IDENTITY).read_text()) == self._identity)
        except (OSError, ValueError):
            return False


def _exchange(new: Path, old: Path) -> None:
    """Swap two folders atomically where the system can (Linux), else one after the other."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        paths = os.fsencode(new), os.fsencode(old)
        if libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
            return
        if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    aside = old.with_name(f"{old.name}.replaced")
    shutil.rmtree(aside, ignore_errors=True)
    old.rename(aside)
    new.rename(old)
    shutil.rmtree(aside, ignore_errors=True)
