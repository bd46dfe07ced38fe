"""The words and phrases of a corpus: what stands in enough documents, and what stands together more than by chance.

A phrase is two or three words side by side whose normalised pointwise mutual information (Bouma 2009) is high; of
three, both pairs must be phrases. Function words are no part of any.

Legend for shapes:
    T  words read, documents end to end
    B  places where a phrase begins
    G  phrases
"""

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat

import numpy as np
from numpy.typing import NDArray

from tolman.corpus.passages import gaps, written_words

MOST_WORDS, MOST_PHRASES = 20_000, 10_000
FEWEST_DOCUMENTS = 3
_FEWEST_TOGETHER = 3  # documents with a phrase
_TOGETHER = 0.25  # of mutual information, normalised, from which on two words are a phrase
_MOST_PHRASES_COUNTED = 2_000_000  # at a time; then those seen once go
_READ_TOGETHER = 4_096  # documents
_JOINS = frozenset({" ", "-", "\n"})
_MAY_BE_FUNCTION_WORDS = 300  # the most frequent
_LONGEST = 40  # characters of a word: what the full text knows

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Term:
    """A word or a phrase.

    Attributes:
        text: in lower case.
        documents: that have it.
    """

    text: str
    documents: int


def collect_terms(contents: Callable[[], Iterable[str]], is_function_word: Callable[[str], bool]) -> list[Term]:
    """The words and phrases of documents, the most frequent first.

    Args:
        contents: gives all documents; called twice.
        is_function_word: of words that are no terms, nor part of one; asked about the most frequent ones only.
    """
    single: Counter[str] = Counter()
    documents = 0
    for content in contents():
        single.update(set(map(str.lower, written_words(content))))
        documents += 1
    fewest = min(FEWEST_DOCUMENTS, max(1, documents // 2))
    frequent = heapq.nsmallest(2 * MOST_WORDS, ((-n, w) for w, n in single.items() if n >= fewest and _is_word(w)))
    passed_over = {word for _, word in frequent[:_MAY_BE_FUNCTION_WORDS] if is_function_word(word)}
    kept = dict([(word, -n) for n, word in frequent if word not in passed_over][:MOST_WORDS])
    terms = [Term(word, n) for word, n in kept.items()] + _phrases(contents(), kept, documents)
    return sorted(terms, key=lambda term: (-term.documents, term.text))


def _phrases(contents: Iterable[str], kept: dict[str, int], documents: int) -> list[Term]:
    """The phrases of words that were `kept`, with the documents that have each word."""
    place, known = {word: i for i, word in enumerate(kept)}, list(kept)
    pairs, triples = _Tally(), _Tally()
    rest = iter(contents)
    while block := list(islice(rest, _READ_TOGETHER)):
        words_T, owner_T, joined_T = _read(block, place)
        begins_B = np.flatnonzero(joined_T[:-1] & (words_T[:-1] >= 0) & (words_T[1:] >= 0))
        pair_B = words_T[begins_B] * len(known) + words_T[begins_B + 1]
        pairs.add(owner_T[begins_B], pair_B)
        further = np.flatnonzero(begins_B[1:] == begins_B[:-1] + 1)  # a pair begins in the middle of another
        triples.add(owner_T[begins_B[further]], pair_B[further] * len(known) + pair_B[further + 1] % len(known))
    good: dict[tuple[str, ...], int] = {}
    for pair, together in pairs.often(_FEWEST_TOGETHER):
        words = _spelled(pair, 2, known)
        if _information(together, kept[words[0]], kept[words[1]], documents) >= _TOGETHER:
            good[words] = together
    spelled = ((_spelled(triple, 3, known), together) for triple, together in triples.often(_FEWEST_TOGETHER))
    good |= {words: together for words, together in spelled if words[:2] in good and words[1:] in good}
    best = heapq.nsmallest(MOST_PHRASES, ((-n, " ".join(words)) for words, n in good.items()))
    return [Term(text, -n) for n, text in best]


def _read(contents: Sequence[str], place: dict[str, int]) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Numbers of the words of some texts, -1 for one that has none; its text; whether it is joined to the next."""
    words, joined, lengths = [], [], []
    for content in contents:
        found = written_words(content)
        words.append(np.fromiter(map(place.get, map(str.lower, found), repeat(-1)), np.int64, len(found)))
        joined.append(np.array([*map(_JOINS.__contains__, gaps(content)), False][: len(found)], bool))
        lengths.append(len(found))
    return np.concatenate(words), np.repeat(np.arange(len(contents)), lengths), np.concatenate(joined)


class _Tally:
    """In how many documents each phrase stands; a phrase is a number."""

    def __init__(self) -> None:
        self._phrases_G, self._documents_G = np.empty(0, np.int64), np.empty(0, np.int64)

    def add(self, owners_B: Ints, phrases_B: Ints) -> None:
        """Count phrases of further documents, once each where it has one more often."""
        order = np.lexsort((owners_B, phrases_B))
        owners_B, phrases_B = owners_B[order], phrases_B[order]
        fresh_B = np.ones(len(order), bool)
        fresh_B[1:] = (phrases_B[1:] != phrases_B[:-1]) | (owners_B[1:] != owners_B[:-1])
        phrases_B = np.concatenate([self._phrases_G, phrases_B[fresh_B]])
        self._phrases_G, place_B = np.unique(phrases_B, return_inverse=True)
        counts_B = np.concatenate([self._documents_G, np.ones(int(fresh_B.sum()), np.int64)])
        self._documents_G = np.bincount(place_B, counts_B, len(self._phrases_G)).astype(np.int64)
        if len(self._phrases_G) > _MOST_PHRASES_COUNTED:
            again_G = self._documents_G > 1
            self._phrases_G, self._documents_G = self._phrases_G[again_G], self._documents_G[again_G]

    def often(self, fewest: int) -> Iterator[tuple[int, int]]:
        """Phrases in at least so many documents, and in how many."""
        often_G = self._documents_G >= fewest
        return zip(self._phrases_G[often_G].tolist(), self._documents_G[often_G].tolist(), strict=True)


def _spelled(phrase: int, length: int, known: Sequence[str]) -> tuple[str, ...]:
    """The words of a phrase."""
    words: list[str] = []
    for _ in range(length):
        phrase, last = divmod(phrase, len(known))
        words.insert(0, known[last])
    return tuple(words)


def _information(together: int, first: int, second: int, documents: int) -> float:
    """Pointwise mutual information of two words side by side, over its largest value; -1 to 1.

    Args:
        together: documents in which they are.
        first, second: documents with each.
        documents: all.
    """
    if together >= documents:
        return 0.0
    chance = first * second / documents**2
    return math.log(together / documents / chance) / -math.log(together / documents)


def _is_word(word: str) -> bool:
    """Rather than a number or a single letter."""
    return 1 < len(word) <= _LONGEST and not any(letter.isdigit() for letter in word)
