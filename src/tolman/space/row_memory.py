"""Rows that were read lately, for a process that answers many queries: reading some from disk takes milliseconds."""

from collections.abc import Callable, Sequence
from sys import getsizeof
from typing import Any, TypeAlias

from tolman.lru import LruCache

Row: TypeAlias = dict[str, Any]
Name: TypeAlias = tuple[str, int]
"""The file that holds a row and its place there: files are written once, under names that never come again."""

MOST_BYTES = 128 * 2**20
_OVERHEAD = 700  # bytes of a row beside its texts, roughly
_NUMBER = 32  # bytes of a number in a list


class RowMemory:
    """Rows by their names; those that were asked for longest ago go first. All versions of a space may share one."""

    def __init__(self) -> None:
        self._known: LruCache[tuple[Name, tuple[str, ...]], Row] = LruCache(MOST_BYTES)

    @property
    def bytes(self) -> int:
        """Held, roughly."""
        return self._known.held

    @property
    def is_full(self) -> bool:
        """Whether something had to go for something else."""
        return self._known.is_full

    def get(
        self, names: Sequence[Name], columns: tuple[str, ...], read: Callable[[list[int]], Sequence[Row]]
    ) -> list[Row]:
        """Rows in the order of `names`. They are shared: who gets them doesn't change them.

        `read` gives those that aren't known, by their places in `names`.
        """
        keys = [(name, columns) for name in names]
        rows = self._known.find(keys)
        missing = [place for place, key in enumerate(keys) if key not in rows]
        for place, row in zip(missing, read(missing) if missing else (), strict=True):
            rows[keys[place]] = row
            self._known.keep(keys[place], row, _OVERHEAD + sum(map(_size, row.values())))
        return [rows[key] for key in keys]


def _size(value: Any) -> int:
    if isinstance(value, str):
        return getsizeof(value)
    return _NUMBER * len(value) if isinstance(value, list) else _NUMBER
