"""What an open space hands on to the next version of itself: a process that serves it needn't begin with nothing.

Whatever is handed on is named by what it was made of, so that a version never sees what isn't its own.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tolman.space.derived import DERIVED
from tolman.space.index import DenseIndex
from tolman.space.store import PASSAGES, SPANS

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace

SEARCHED_COLUMNS = ("id", "title", "text", SPANS, PASSAGES)
"""What a search reads of a document."""
_READ_TOGETHER = 256  # documents
_CUT_TOGETHER = 8  # documents: some milliseconds


def take_over(space: "LatentSpace", before: "LatentSpace") -> None:
    """Go on with what `before`, another version of `space`, holds in memory, as far as it is still right.

    Rows, the full text and windows of texts are taken as they are but for what changed; codes of the dense index are
    made anew, with the centroids that were learned before.

    Raises:
        SpaceError: the space is damaged.
    """
    space.store.take_over(before.store)
    if space.encoder is before.encoder:
        space.windows = before.windows
    space.index = DenseIndex.open(space.store, space.path / DERIVED, space.description.search.index, before.index)


def read_ahead(space: "LatentSpace", go_on: Callable[[], bool]) -> None:
    """Read documents into memory before searches find them, as many as fit, with half of a core's time.

    Args:
        space: one that remembers rows.
        go_on: asked now and then.

    Raises:
        SpaceError: the space is damaged.
    """
    for start in range(0, len(space), _READ_TOGETHER):
        rows = space.store.rows(range(start, min(len(space), start + _READ_TOGETHER)), SEARCHED_COLUMNS)
        texts = [row["text"] for row in rows if not row[SPANS]]  # of a long one the query says which passage
        for first in range(0, len(texts), _CUT_TOGETHER):
            began = time.perf_counter()
            part = texts[first : first + _CUT_TOGETHER]
            space.windows.of(part, [(0, len(text)) for text in part])
            time.sleep(time.perf_counter() - began)
            if not go_on() or space.store.memory_is_full or space.windows.is_full:
                return
