"""The full text of one version in memory, for a process that answers many queries: for each term its documents.

BM25 (Robertson and Zaragoza 2009, doi:10.1561/1500000019) as Lance computes it, of Lance's own terms: the same scores,
but for documents that were deleted. Lance counts these until its index is rewritten; here they are gone at once, as
they are there after `LatentSpace.compact`. Of documents with equal scores others may be among the best.

Legend for shapes:
    V  terms
    N  documents, in scan order
    P  postings: a term and a document that has it, sorted by term, then by document
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tolman.space.fulltext import Terms
from tolman.space.postings import Scored, best_first

MOST_POSTINGS = 8_000_000
"""At some 14 bytes each."""

_K1, _B = 1.2, 0.75  # Lance's

Ints = NDArray[np.int64]


class InvertedIndex:
    """Which documents have a term, and how often. Never changed; safe to share between threads.

    Attributes:
        terms: of words.
    """

    def __init__(
        self, terms: Terms, numbers: dict[str, int], postings: "_Counted", lengths_N: NDArray[np.int32]
    ) -> None:
        """
        Args:
            terms: of words.
            numbers: of terms; more are added for later versions.
            postings: in any order.
            lengths_N: terms in each document.
        """
        order = np.argsort(postings.terms_P * max(len(lengths_N), 1) + postings.documents_P, kind="stable")
        with_V = np.bincount(postings.terms_P, minlength=len(numbers))
        self._starts = np.concatenate([[0], np.cumsum(with_V)])  # of the postings of each term, and where they end
        self._documents_P = postings.documents_P[order].astype(np.int32)
        self._counts_P = postings.counts_P[order].astype(np.int32)
        self.terms, self._numbers, self._lengths_N = terms, numbers, lengths_N

    @classmethod
    def empty(cls, terms: Terms) -> Self:
        """Of no documents."""
        return cls(terms, {}, _Counted.of([], np.empty(0, np.int64)), np.empty(0, np.int32))

    def successor(self, origin_N: Ints, parts: Iterable[Sequence[str]]) -> Self | None:
        """The index of another version; None if it has more postings than are held in memory.

        Args:
            origin_N: place in this version of each document of the other, in ascending order; -1: it is new.
            parts: what the full text sees of the new ones, in order, some at a time.
        """
        place = np.full(len(self._lengths_N), -1, np.int64)
        kept = np.flatnonzero(origin_N >= 0)
        place[origin_N[kept]] = kept
        documents_P = place[self._documents_P]
        stays_P = documents_P >= 0
        terms_P = np.repeat(np.arange(len(self._starts) - 1), np.diff(self._starts))[stays_P]
        held = [_Counted(terms_P, documents_P[stays_P], self._counts_P[stays_P])]
        lengths_N = np.zeros(len(origin_N), np.int32)
        lengths_N[kept] = self._lengths_N[origin_N[kept]]
        fresh, done = np.flatnonzero(origin_N < 0), 0
        for texts in parts:
            places = fresh[done : done + len(texts)]
            read = self._read(texts)
            lengths_N[places] = [len(terms) for terms in read]
            held.append(_Counted.of(read, places))
            done += len(texts)
            if sum(len(part.terms_P) for part in held) > MOST_POSTINGS:
                return None
        return type(self)(self.terms, self._numbers, _Counted.join(held), lengths_N)

    def best(self, query: str, k: int) -> Scored:
        """The `k` best documents for `query`, best first; fewer if fewer share a term."""
        terms = self._numbers_of(query)
        if not terms:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if len(terms) == 1:
            own = slice(self._starts[terms[0]], self._starts[terms[0] + 1])
            return best_first(self._documents_P[own], self._scores_P[own], k)
        total_N = np.zeros(len(self._lengths_N), np.float32)
        for term in terms:
            own = slice(self._starts[term], self._starts[term + 1])
            total_N[self._documents_P[own]] += self._scores_P[own]
        found = np.flatnonzero(total_N).astype(np.int32)
        return best_first(found, total_N[found], k)

    def best_score(self, query: str) -> float:
        """Of any document; 0 where none shares a term."""
        terms = self._numbers_of(query)
        if len(terms) == 1:
            return float(self._best_V[terms[0]])
        return float(self.best(query, 1)[1].max(initial=0.0))

    def prepare(self) -> Self:
        """Work out now what the first query would."""
        self._best_V  # noqa: B018
        return self

    @cached_property
    def _scores_P(self) -> NDArray[np.float32]:  # noqa: N802
        """BM25 of each posting: a query scores the sum of its terms'."""
        documents, with_V = len(self._lengths_N), np.diff(self._starts)
        rarity_V = ((documents - with_V + 0.5) / (with_V + 0.5)).astype(np.float32)
        idf_V = np.log(np.float32(1) + rarity_V)  # in float32 as Lance does, not by log1p
        average = max(float(self._lengths_N.mean()), 1e-9) if documents else 1.0
        norm_N = (_K1 * (1 - _B + _B * self._lengths_N / average)).astype(np.float32)
        counts_P = self._counts_P.astype(np.float32)
        scores_P = counts_P * np.float32(_K1 + 1) / (counts_P + norm_N[self._documents_P])
        return np.asarray(scores_P * np.repeat(idf_V, with_V), np.float32)

    @cached_property
    def _best_V(self) -> NDArray[np.float32]:  # noqa: N802
        """Score of the best document for each term; 0 where none is left that has it."""
        with_V = np.diff(self._starts)
        best_V = np.zeros(len(with_V), np.float32)
        if len(self._scores_P):
            best_V[with_V > 0] = np.maximum.reduceat(self._scores_P, self._starts[:-1][with_V > 0])
        return best_V

    def _numbers_of(self, query: str) -> list[int]:
        """Of the terms of a query that some document has; as often as they stand in it."""
        return [number for term in chain(*self.terms.of(query.split())) if (number := self._number(term)) >= 0]

    def _number(self, term: str) -> int:
        """Of a term that some document of this version has; -1 else."""
        number = self._numbers.get(term, -1)
        known = 0 <= number < len(self._starts) - 1 and self._starts[number] < self._starts[number + 1]
        return number if known else -1

    def _read(self, texts: Sequence[str]) -> list[Ints]:
        """The terms of each text, as numbers; new terms get theirs."""
        words = [text.split() for text in texts]
        distinct = list(dict.fromkeys(chain.from_iterable(words)))
        numbers: dict[str, list[int]] = {}
        for word, terms in zip(distinct, self.terms.of(distinct), strict=True):
            numbers[word] = [self._numbers.setdefault(term, len(self._numbers)) for term in terms]
        return [np.fromiter(chain.from_iterable(map(numbers.__getitem__, own)), np.int64) for own in words]


class _Counted:
    """Postings in any order."""

    def __init__(self, terms_P: Ints, documents_P: Ints, counts_P: NDArray[Any]) -> None:
        self.terms_P, self.documents_P, self.counts_P = terms_P, documents_P, counts_P

    @classmethod
    def of(cls, read: Sequence[Ints], places: Ints) -> "_Counted":
        """Of documents at these places."""
        terms = np.concatenate([np.empty(0, np.int64), *read])
        owners = np.repeat(np.arange(len(read)), [len(own) for own in read])
        keys_P, counts_P = np.unique(terms * max(len(read), 1) + owners, return_counts=True)
        terms_P, owners_P = np.divmod(keys_P, max(len(read), 1))
        return cls(terms_P, places[owners_P], counts_P)

    @classmethod
    def join(cls, parts: "Sequence[_Counted]") -> "_Counted":
        return cls(
            np.concatenate([part.terms_P for part in parts]),
            np.concatenate([part.documents_P for part in parts]),
            np.concatenate([part.counts_P for part in parts]),
        )
