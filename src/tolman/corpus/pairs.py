"""Pairs that belong together, given away free by the structure of documents: what a learner learns from without labels.

Legend for shapes:
    B  pairs of a batch
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tolman.corpus.passages import Span, iterate_sentences, words

if TYPE_CHECKING:
    from tolman.corpus.corpus import Corpus

PairKind: TypeAlias = Literal["title-body", "lead-rest", "span-span", "span-document"]
Rows: TypeAlias = NDArray[np.int64]

_LEAD_WORDS = (4, 25)  # a sentence that can stand for a title
_LEAD_FALLBACK = 8  # words, where no sentence can
_LEAD_SENTENCES = 5  # further down, a sentence no longer leads
_SPAN_WORDS = (4, 32)


class Pair(NamedTuple):
    """Two texts that mean nearly the same, of the document in row `row` of its corpus."""

    row: int
    first: str
    second: str


def lead(text: str) -> Span:
    """What a document without a title announces itself with: its first sentence of 4 to 25 words, else 8 words.

    Only the first five sentences are looked at. A text of at most 8 words is all lead.
    """
    for start, end in islice(iterate_sentences(text), _LEAD_SENTENCES):
        if _LEAD_WORDS[0] <= len(words(text[start:end])) <= _LEAD_WORDS[1]:
            return start, end
    found = words(text)[:_LEAD_FALLBACK] if len(text) < 4096 else words(text[:4096])[:_LEAD_FALLBACK]
    return (found[0][0], found[-1][1]) if found else (0, len(text))


def random_spans(
    lengths_B: NDArray[np.integer], rng: np.random.Generator, shortest: int = 4, longest: int = 32
) -> tuple[Rows, Rows]:
    """One random span of each of B sequences (of tokens, of words), all at once.

    Args:
        lengths_B: how long each sequence is.
        rng: decides.
        shortest: of a span; a sequence that is shorter is taken whole.
        longest: of a span.

    Returns:
        starts_B, ends_B: within each sequence; every length from `shortest` to `longest` that fits is equally likely,
        and so is every place.
    """
    lengths_B = np.asarray(lengths_B, np.int64)
    most_B = np.minimum(lengths_B, longest)
    least_B = np.minimum(most_B, shortest)
    sizes_B = rng.integers(least_B, most_B, endpoint=True)
    starts_B = rng.integers(0, lengths_B - sizes_B, endpoint=True)
    return starts_B, starts_B + sizes_B


class PairSource(NamedTuple):
    """One kind of pair of one corpus.

    Attributes:
        kind: what is paired with what.
        rows: the documents that may give such a pair.
    """

    kind: PairKind
    rows: Rows
    corpus: "Corpus"

    def draw(self, rows: Sequence[int], rng: np.random.Generator) -> list[Pair]:
        """A pair of each of the documents in `rows`, in order; a document that turns out too short gives none."""
        take = _TAKE[self.kind]
        titles, texts = self.corpus.titles(rows), self.corpus.texts(rows)
        pairs = []
        for row, title, text in zip(rows, titles, texts, strict=True):
            first, second = take(title, text, rng)
            if first and second:
                pairs.append(Pair(int(row), first, second))
        return pairs


def pair_sources(corpus: "Corpus") -> tuple[PairSource, ...]:
    """Every kind of pair that the structure of `corpus` gives, those nearest to a question and its answer first."""
    titled, everything = corpus.titled_rows(), np.arange(len(corpus))
    kinds: list[tuple[PairKind, Rows]] = [
        ("title-body", titled),
        ("lead-rest", np.setdiff1d(everything, titled, assume_unique=True)),
        ("span-span", everything),
        ("span-document", everything),
    ]
    return tuple(PairSource(kind, rows, corpus) for kind, rows in kinds if len(rows))


def _title_body(title: str, text: str, rng: np.random.Generator) -> tuple[str, str]:
    return title, text


def _lead_rest(title: str, text: str, rng: np.random.Generator) -> tuple[str, str]:
    start, end = lead(text)
    return text[start:end], text[end:].strip()


def _span_span(title: str, text: str, rng: np.random.Generator) -> tuple[str, str]:
    """A span of each half, so that they never overlap."""
    found = words(text)
    if len(found) < 2 * _SPAN_WORDS[0]:
        return "", ""
    middle = len(found) // 2
    return _random_words(text, found[:middle], rng), _random_words(text, found[middle:], rng)


def _span_document(title: str, text: str, rng: np.random.Generator) -> tuple[str, str]:
    found = words(text)
    if len(found) <= _SPAN_WORDS[0]:
        return "", ""
    return _random_words(text, found, rng), f"{title}\n{text}" if title else text


def _random_words(text: str, found: list[Span], rng: np.random.Generator) -> str:
    starts, ends = random_spans(np.array([len(found)]), rng, *_SPAN_WORDS)
    return text[found[int(starts[0])][0] : found[int(ends[0]) - 1][1]]


_TAKE: dict[PairKind, Callable[[str, str, np.random.Generator], tuple[str, str]]] = {
    "title-body": _title_body,
    "lead-rest": _lead_rest,
    "span-span": _span_span,
    "span-document": _span_document,
}
