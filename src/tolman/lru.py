"""What was asked for lately, up to a bound: a cache that forgets the least recently used first, for several threads."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Values by key, each with its size in whatever the bound counts.

    Attributes:
        held: sum of the sizes.
        is_full: something had to go for something else.
    """

    def __init__(self, most: int) -> None:
        """`most`: the bound of `held`. What is larger alone is not kept."""
        self._most, self._known, self._lock = most, OrderedDict[K, tuple[V, int]](), Lock()
        self.held, self.is_full = 0, False

    def find(self, keys: Iterable[K]) -> dict[K, V]:
        """Those of `keys` that are known."""
        found: dict[K, V] = {}
        with self._lock:
            for key in keys:
                known = self._known.get(key)
                if known is not None:
                    self._known.move_to_end(key)
                    found[key] = known[0]
        return found

    def keep(self, key: K, value: V, size: int) -> None:
        """Remember `value`; what is known of `key` already stays."""
        with self._lock:
            if key in self._known or size > self._most:
                return
            self._known[key] = value, size
            self.held += size
            while self.held > self._most:
                _, (_, dropped) = self._known.popitem(last=False)
                self.is_full = True
                self.held -= dropped
