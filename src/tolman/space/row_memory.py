"""Rows that were read lately, for a process that answers many queries: reading some from disk takes milliseconds."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[int, tuple[str, ...]]

MOST_BYTES = 128 * 2**20
_OVERHEAD = 600  # bytes of a row beside its texts, roughly
_NUMBER = 32  # bytes of a number in a list


class RowMemory:
    """Rows of one version of the documents; those that were asked for longest ago go first.

    Attributes:
        bytes: held, roughly.
    """

    def __init__(self, read: Callable[[Sequence[int], Sequence[str]], list[Row]]) -> None:
        self._read = read
        self._known: OrderedDict[Key, tuple[Row, int]] = OrderedDict()
        self._lock = Lock()
        self.bytes = 0

    def get(self, positions: Sequence[int], columns: tuple[str, ...]) -> list[Row]:
        """Rows by position, in the order asked for. They are shared: who gets them doesn't change them."""
        found: dict[int, Row] = {}
        with self._lock:
            for position in positions:
                known = self._known.get((position, columns))
                if known is not None:
                    self._known.move_to_end((position, columns))
                    found[position] = known[0]
        missing = [position for position in dict.fromkeys(positions) if position not in found]
        if missing:
            fresh = self._read(missing, columns)
            found.update(zip(missing, fresh, strict=True))
            self._keep(missing, fresh, columns)
        return [found[position] for position in positions]

    def _keep(self, positions: Sequence[int], rows: Sequence[Row], columns: tuple[str, ...]) -> None:
        with self._lock:
            for position, row in zip(positions, rows, strict=True):
                if (position, columns) in self._known:
                    continue
                size = _OVERHEAD + sum(_size(value) for value in row.values())
                self._known[position, columns] = row, size
                self.bytes += size
            while self.bytes > MOST_BYTES and self._known:
                _, (_, size) = self._known.popitem(last=False)
                self.bytes -= size


def _size(value: Any) -> int:
    if isinstance(value, str):
        return 2 * len(value)
    return _NUMBER * len(value) if isinstance(value, list) else _NUMBER
