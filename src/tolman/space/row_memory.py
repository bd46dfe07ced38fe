"""Rows that were read lately, for a process that answers many queries: reading some from disk takes milliseconds."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from sys import getsizeof
from threading import Lock
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
Name: TypeAlias = tuple[str, int]
"""The file that holds a row and its place there: files are written once, under names that never come again."""

MOST_BYTES = 128 * 2**20
_OVERHEAD = 700  # bytes of a row beside its texts, roughly
_NUMBER = 32  # bytes of a number in a list


class RowMemory:
    """Rows by their names; those that were asked for longest ago go first. All versions of a space may share one.

    Attributes:
        bytes: held, roughly.
        is_full: something had to go for something else.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Name, tuple[str, ...]], tuple[Row, int]] = OrderedDict()
        self._lock = Lock()
        self.bytes, self.is_full = 0, False

    def get(
        self, names: Sequence[Name], columns: tuple[str, ...], read: Callable[[list[int]], Sequence[Row]]
    ) -> list[Row]:
        """Rows in the order of `names`. They are shared: who gets them doesn't change them.

        `read` gives those that aren't known, by their places in `names`.
        """
        rows: list[Row | None] = [None] * len(names)
        with self._lock:
            for place, name in enumerate(names):
                known = self._known.get((name, columns))
                if known is not None:
                    self._known.move_to_end((name, columns))
                    rows[place] = known[0]
        missing = [place for place, row in enumerate(rows) if row is None]
        if missing:
            for place, row in zip(missing, read(missing), strict=True):
                rows[place] = row
                self._keep((names[place], columns), row)
        return [row for row in rows if row is not None]

    def _keep(self, key: tuple[Name, tuple[str, ...]], row: Row) -> None:
        size = _OVERHEAD + sum(_size(value) for value in row.values())
        with self._lock:
            if key in self._known:
                return
            self._known[key] = row, size
            self.bytes += size
            while self.bytes > MOST_BYTES and self._known:
                _, (_, dropped) = self._known.popitem(last=False)
                self.is_full = True
                self.bytes -= dropped


def _size(value: Any) -> int:
    if isinstance(value, str):
        return getsizeof(value)
    return _NUMBER * len(value) if isinstance(value, list) else _NUMBER
