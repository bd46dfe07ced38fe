"""Full text for a process that answers many queries: what Lance said of a word is remembered.

BM25 of a query is the sum of that of its words. So a query whose words were asked before is answered from memory, with
the same scores. Words are what stands between white space: how such a piece is cut further, folded and stemmed stays
Lance's business. Of documents with equal scores others may be among the best.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

MOST_ENTRIES = 8_000_000
"""Documents over all remembered words, at eight bytes each."""


@dataclass(frozen=True, slots=True)
class Posting:
    """The documents that have a word, in ascending order, and what it is worth in each."""

    positions: NDArray[np.int32]
    scores: NDArray[np.float32]


Scored = tuple[NDArray[np.int64], NDArray[np.float32]]


class Postings:
    """Words of one version of the documents.

    Attributes:
        entries: that are held.
    """

    def __init__(self, ask: Callable[[str], Scored], documents: int) -> None:
        """`ask` gives all documents that have a word, with their scores."""
        self._ask, self._documents = ask, documents
        self._known: OrderedDict[str, Posting] = OrderedDict()
        self._lock = Lock()
        self.entries = 0

    def best(self, query: str, k: int) -> Scored:
        """The `k` best documents for `query`; fewer if fewer share a word."""
        postings = [posting for word in query.split() if len((posting := self._posting(word)).positions)]
        if not postings:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if len(postings) == 1:
            found, scores = postings[0].positions, postings[0].scores
        else:
            total = np.zeros(self._documents, np.float32)
            for posting in postings:
                total[posting.positions] += posting.scores
            found = np.unique(np.concatenate([posting.positions for posting in postings]))
            scores = total[found]
        if k < len(found):
            kept = np.argpartition(-scores, k - 1)[:k]
            found, scores = found[kept], scores[kept]
        order = np.argsort(-scores, kind="stable")
        return found[order].astype(np.int64), scores[order]

    def _posting(self, word: str) -> Posting:
        with self._lock:
            known = self._known.get(word)
            if known is not None:
                self._known.move_to_end(word)
                return known
        positions, scores = self._ask(word)
        order = np.argsort(positions, kind="stable")
        posting = Posting(positions[order].astype(np.int32), scores[order].astype(np.float32))
        with self._lock:
            if word not in self._known:
                self._known[word] = posting
                self.entries += len(posting.positions) + 1
            while self.entries > MOST_ENTRIES and len(self._known) > 1:
                _, dropped = self._known.popitem(last=False)
                self.entries -= len(dropped.positions) + 1
        return posting
