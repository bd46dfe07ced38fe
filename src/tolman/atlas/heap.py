"""The heap of a process that runs for months: what is free in it goes back to the system.

glibc gives every thread a heap of its own and keeps what was freed in the middle of one. Each version of a space that
is served leaves some hundred megabytes there, which looks like a leak and is as bad as one.
"""

import ctypes
import sys
from functools import cache

_ARENA_MAX = -8  # M_ARENA_MAX in malloc.h
_ARENAS = 2


def use_few_heaps() -> None:
    """Before threads are started. Other systems than Linux with glibc do without."""
    if (libc := _glibc()) is not None:
        libc.mallopt(_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """What is free now; takes some milliseconds and lets other threads run meanwhile."""
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
