"""An n-gram model: interpolated modified Kneser-Ney (Chen and Goodman 1999), over token ids.

Each order's discounts come from its counts of counts. The highest order counts how often an n-gram occurs, the lower
ones after how many different tokens it does; n-grams that begin a document, before which nothing can stand, keep their
plain counts (as in KenLM, Heafield et al. 2013). The lowest order is interpolated with the uniform distribution.

Nothing is pruned. An n-gram is the number of the n-gram before its last token, times the vocabulary, plus that token:
sorted arrays of such keys stand for all orders.

Legend for shapes:
    T  tokens of all documents, with begin and end     G  different n-grams of one order
    C  different n-grams of the order below, which are contexts
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tolman.tokenization import TokenSequences

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]

_USUAL_DISCOUNTS = (0.5, 1.0, 1.5)  # where an order has no counts of counts to take them from


@dataclass(frozen=True)
class _Order:
    """One order.

    Attributes:
        keys_G: sorted.
        counts_G: raw or of continuations.
        discounts: of counts 0, 1, 2, and 3 or more.
        totals_C: counts of all that follow a context.
        rests_C: share of its probability that a context leaves to the order below.
    """

    keys_G: Numbers
    counts_G: Numbers
    discounts: Floats
    totals_C: Numbers
    rests_C: Floats

    @classmethod
    def of(cls, keys_G: Numbers, counts_G: Numbers, contexts: int, vocabulary: int) -> "_Order":
        discounts = _discounts(counts_G)
        context_G = keys_G // vocabulary
        totals_C = np.bincount(context_G, weights=counts_G, minlength=contexts)
        lost_C = np.bincount(context_G, weights=discounts[np.minimum(counts_G, 3)], minlength=contexts)
        rests_C = np.divide(lost_C, totals_C, out=np.ones(contexts), where=totals_C > 0)
        return cls(keys_G, counts_G, discounts, totals_C.astype(np.int64), rests_C)

    def find(self, keys_T: Numbers) -> Numbers:
        """Number of each n-gram; -1 for one that never occurred."""
        places = np.minimum(np.searchsorted(self.keys_G, keys_T), len(self.keys_G) - 1)
        return np.where((keys_T >= 0) & (self.keys_G[places] == keys_T), places, -1)

    def interpolate(self, numbers_T: Numbers, contexts_T: Numbers, below_T: Floats) -> Floats:
        """Probabilities by this order, from those by the order below."""
        known = (contexts_T >= 0) & (self.totals_C[contexts_T] > 0)
        counts_T = np.where(numbers_T >= 0, self.counts_G[numbers_T], 0)
        kept_T = np.maximum(counts_T - self.discounts[np.minimum(counts_T, 3)], 0)
        totals_T = np.where(known, self.totals_C[contexts_T], 1)
        return np.where(known, kept_T / totals_T + self.rests_C[contexts_T] * below_T, below_T)


@dataclass(frozen=True)
class _Grams:
    """The n-grams of one order as they stand in the documents.

    Attributes:
        keys: (G,), sorted.
        raw: (G,), how often each occurs.
        numbers: (T,), which one begins at each place; -1 where none does.
    """

    keys: Numbers
    raw: Numbers
    numbers: Numbers

    @cached_property
    def first(self) -> Numbers:
        """The first place of each (G,)."""
        places, inside = np.empty(len(self.keys), np.int64), np.flatnonzero(self.numbers >= 0)[::-1]
        places[self.numbers[inside]] = inside
        return places

    def longer(self, stream: Numbers, places: Numbers, n: int, vocabulary: int) -> "_Grams":
        """The n-grams that begin at `places`, one token longer than these."""
        here = self.numbers[places] * vocabulary + stream[places + n - 1]
        keys, number, raw = np.unique(here, return_inverse=True, return_counts=True)
        numbers = np.full(len(stream), -1, np.int64)
        numbers[places] = number
        return _Grams(keys, raw, numbers)


class KneserNey:
    """Args:
    documents: token ids, without begin and end.
    begin, end: ids of the tokens that stand there.
    vocabulary: V.
    unused: ids that never occur in a text, to which nothing is given.
    order: n.
    """

    def __init__(
        self,
        documents: TokenSequences,
        *,
        begin: int,
        end: int,
        vocabulary: int,
        unused: Sequence[int] = (),
        order: int = 5,
    ) -> None:
        self.begin, self.end, self.vocabulary, self.order = begin, end, vocabulary, order
        self.possible = np.ones(vocabulary, bool)
        self.possible[[begin, *unused]] = False
        stream, starts = self._stream(documents)
        alone = np.arange(vocabulary)
        levels = [_Grams(alone, alone, stream)]  # the 1-grams are numbered by their token
        for n in range(2, order + 1):
            levels.append(levels[-1].longer(stream, np.flatnonzero(_whole(starts, len(stream), n)), n, vocabulary))
        self.orders = [self._order(stream, levels, n) for n in range(2, order + 1)]
        self.unigrams = self._lowest(np.bincount(stream[levels[1].first + 1], minlength=vocabulary))

    def logs(self, documents: TokenSequences) -> Floats:
        """Logarithms, in nats, of the probabilities of every token and end of the documents, one after the other."""
        stream, starts = self._stream(documents)
        probability = self.unigrams[stream]
        numbers = [stream]
        for n, order in enumerate(self.orders, start=2):
            inside = np.flatnonzero(_whole(starts, len(stream), n))
            before = numbers[-1][inside]
            keys = np.where(before >= 0, before * self.vocabulary + stream[inside + n - 1], -1)
            found = order.find(keys)
            last = inside + n - 1
            probability[last] = order.interpolate(found, before, probability[last])
            whole = np.full(len(stream), -1, np.int64)
            whole[inside] = found
            numbers.append(whole)
        guessed = np.ones(len(stream), bool)
        guessed[starts] = False
        result: Floats = np.log(probability[guessed])
        return result

    def _stream(self, documents: TokenSequences) -> tuple[Numbers, Numbers]:
        """All documents with begin and end, and where each begins."""
        offsets = documents.offsets + 2 * np.arange(len(documents) + 1)
        stream = np.empty(offsets[-1], np.int64)
        inside = np.ones(len(stream), bool)
        inside[offsets[:-1]] = inside[offsets[1:] - 1] = False
        stream[inside], stream[offsets[:-1]], stream[offsets[1:] - 1] = documents.ids, self.begin, self.end
        return stream, offsets[:-1]

    def _order(self, stream: Numbers, levels: "list[_Grams]", n: int) -> _Order:
        """Counts of order n, from the n-grams of the order above."""
        grams, contexts = levels[n - 1], levels[n - 2]
        counts = grams.raw
        if n < self.order:
            longer = levels[n]
            continued = np.bincount(grams.numbers[longer.first + 1], minlength=len(grams.keys))
            counts = np.where(stream[grams.first] == self.begin, grams.raw, continued)
        return _Order.of(grams.keys, counts, len(contexts.keys), self.vocabulary)

    def _lowest(self, counts_V: Numbers) -> Floats:
        seen = _Order.of(np.flatnonzero(counts_V), counts_V[counts_V > 0], 1, self.vocabulary)
        uniform_V = self.possible / self.possible.sum()
        kept_V = np.maximum(counts_V - seen.discounts[np.minimum(counts_V, 3)], 0)
        result: Floats = kept_V / seen.totals_C[0] + seen.rests_C[0] * uniform_V
        return result


def _discounts(counts: Numbers) -> Floats:
    """Of counts 0, 1, 2, and 3 or more (Chen and Goodman 1999, equation 26)."""
    n1, n2, n3, n4 = (int((counts == k).sum()) for k in range(1, 5))
    if not (n1 and n2 and n3):
        return np.array([0.0, *_USUAL_DISCOUNTS])
    y = n1 / (n1 + 2 * n2)
    found = (k - (k + 1) * y * more / few for k, few, more in ((1, n1, n2), (2, n2, n3), (3, n3, n4)))
    return np.array([0.0, *(min(max(discount, 0.0), float(k)) for k, discount in enumerate(found, start=1))])


def _whole(starts: Numbers, tokens: int, n: int) -> NDArray[np.bool_]:
    """Whether the n-gram that begins at each of `tokens` places ends in the same document."""
    ends = np.append(starts[1:], tokens)
    left = np.repeat(ends, ends - starts) - np.arange(tokens)
    result: NDArray[np.bool_] = left >= n
    return result
