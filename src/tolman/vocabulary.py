"""The words and phrases of a corpus: what stands in enough documents, and what stands together more than by chance.

A phrase is two or three words side by side whose normalised pointwise mutual information (Bouma 2009) is high; of
three, both pairs must be phrases. Function words are no part of any.
"""

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tolman.corpus.passages import words

MOST_WORDS, MOST_PHRASES = 20_000, 10_000
FEWEST_DOCUMENTS = 3
_FEWEST_TOGETHER = 3  # documents with a phrase
_TOGETHER = 0.25  # of mutual information, normalised, from which on two words are a phrase
_MOST_PAIRS = 2_000_000  # counted at a time; then those seen once go
_JOINS = (" ", "-", "\n")
_MAY_BE_FUNCTION_WORDS = 300  # the most frequent
_LONGEST = 40  # characters of a word: what the full text knows


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
        single.update({word for run in _runs(content) for word in run})
        documents += 1
    fewest = min(FEWEST_DOCUMENTS, max(1, documents // 2))
    frequent = heapq.nsmallest(2 * MOST_WORDS, ((-n, w) for w, n in single.items() if n >= fewest and _is_word(w)))
    passed_over = {word for _, word in frequent[:_MAY_BE_FUNCTION_WORDS] if is_function_word(word)}
    kept = dict([(word, -n) for n, word in frequent if word not in passed_over][:MOST_WORDS])
    phrases = _phrases(contents(), single, kept, documents)
    terms = [Term(word, n) for word, n in kept.items()] + phrases
    return sorted(terms, key=lambda term: (-term.documents, term.text))


def _phrases(contents: Iterable[str], single: Counter[str], kept: dict[str, int], documents: int) -> list[Term]:
    pairs: Counter[tuple[str, ...]] = Counter()
    triples: Counter[tuple[str, ...]] = Counter()
    for content in contents:
        for counted, found in ((pairs, _together(content, kept, 2)), (triples, _together(content, kept, 3))):
            counted.update(found)
            if len(counted) > _MOST_PAIRS:
                for phrase in [phrase for phrase, n in counted.items() if n == 1]:
                    del counted[phrase]
    good = {
        p: n for p, n in pairs.items() if n >= _FEWEST_TOGETHER and _information(n, p, single, documents) >= _TOGETHER
    }
    good |= {t: n for t, n in triples.items() if n >= _FEWEST_TOGETHER and t[:2] in good and t[1:] in good}
    best = heapq.nsmallest(MOST_PHRASES, ((-n, " ".join(phrase)) for phrase, n in good.items()))
    return [Term(text, -n) for n, text in best]


def _information(together: int, pair: tuple[str, ...], single: Counter[str], documents: int) -> float:
    """Pointwise mutual information of two words side by side, over its largest value; -1 to 1."""
    if together >= documents:
        return 0.0
    chance = single[pair[0]] * single[pair[1]] / documents**2
    return math.log(together / documents / chance) / -math.log(together / documents)


def _together(content: str, kept: dict[str, int], length: int) -> set[tuple[str, ...]]:
    """The runs of `length` words side by side, all of them known."""
    found = set()
    for run in _runs(content):
        for first in range(len(run) - length + 1):
            part = tuple(run[first : first + length])
            if all(word in kept for word in part):
                found.add(part)
    return found


def _runs(content: str) -> Iterator[list[str]]:
    """The words of a text in lower case, in runs with nothing but one space or hyphen between them."""
    spans = words(content)
    run: list[str] = [content[start:end].lower() for start, end in spans[:1]]
    for (_, before), (start, end) in pairwise(spans):
        if content[before:start] not in _JOINS:
            yield run
            run = []
        run.append(content[start:end].lower())
    yield run


def _is_word(word: str) -> bool:
    """Rather than a number or a single letter."""
    return 1 < len(word) <= _LONGEST and not any(letter.isdigit() for letter in word)
