"""Full text for a process that answers many queries: what Lance said of a word is remembered.

BM25 of a query is the sum of that of its words. So a query whose words were asked before is answered from memory, with
the same scores. Words are what stands between white space: how such a piece is cut further, folded and stemmed stays
Lance's business. Of documents with equal scores others may be among the best.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tolman.lru import LruCache

MOST_ENTRIES = 8_000_000
"""Documents over all remembered words, at eight bytes each."""


@dataclass(frozen=True, slots=True)
class Posting:
    """The documents that have a word, in ascending order, and what it is worth in each."""

    positions: NDArray[np.int32]
    scores: NDArray[np.float32]


Scored = tuple[NDArray[np.int64], NDArray[np.float32]]


class Postings:
    """Words of one version of the documents."""

    def __init__(self, ask: Callable[[str], Scored], documents: int) -> None:
        """`ask` gives all documents that have a word, with their scores."""
        self._ask, self._documents = ask, documents
        self._known: LruCache[str, Posting] = LruCache(MOST_ENTRIES)

    @property
    def entries(self) -> int:
        """That are held."""
        return self._known.held

    def best(self, query: str, k: int) -> Scored:
        """The `k` best documents for `query`; fewer if fewer share a word."""
        postings = [posting for word in query.split() if len((posting := self._posting(word)).positions)]
        if not postings:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if len(postings) == 1:
            return best_first(postings[0].positions, postings[0].scores, k)
        total = np.zeros(self._documents, np.float32)
        for posting in postings:
            total[posting.positions] += posting.scores
        found = np.unique(np.concatenate([posting.positions for posting in postings]))
        return best_first(found, total[found], k)

    def _posting(self, word: str) -> Posting:
        known = self._known.find([word])
        if known:
            return known[word]
        positions, scores = self._ask(word)
        order = np.argsort(positions, kind="stable")
        posting = Posting(positions[order].astype(np.int32), scores[order].astype(np.float32))
        self._known.keep(word, posting, len(posting.positions) + 1)
        return posting


def best_first(found: NDArray[np.int32], scores: NDArray[np.float32], k: int) -> Scored:
    """The `k` documents with the highest scores, the best first; all if they are fewer."""
    if k < len(found):
        kept = np.argpartition(-scores, k - 1)[:k]
        found, scores = found[kept], scores[kept]
    order = np.argsort(-scores, kind="stable")
    return found[order].astype(np.int64), scores[order]
