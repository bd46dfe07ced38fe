"""Which piece of a document to show: the sentences that answer the query best.

Legend for shapes:
    W  windows, from one or several documents
    D  dimensions
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tolman.corpus.passages import sentences
from tolman.models.encoder import Encoder, Floats

Span = tuple[int, int]

SNIPPET_CHARACTERS = 300
_FEWEST_CHARACTERS = 120  # a shorter sentence is shown with the next
_WINDOWS_COMPARED = 4  # of one document, by the encoder
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class _Window:
    document: int
    span: Span
    text: str


def best_spans(
    query: str, query_D: Floats, texts: Sequence[str], within: Sequence[Span], encoder: Encoder
) -> list[Span]:
    """Where in each text the snippet for `query` lies.

    Windows of whole sentences are ranked by the query's words in them, rare ones counting more. A static encoder, which
    costs next to nothing, then compares the best of them by meaning.

    Args:
        query: as asked.
        query_D: its vector.
        texts: of the documents.
        within: the part of each text to look at.
        encoder: of the space.

    Returns:
        (start, end) in characters of each text; at most `SNIPPET_CHARACTERS` long.
    """
    windows = [_Window(d, s, text[s[0] : s[1]]) for d, text in enumerate(texts) for s in _windows(text, within[d])]
    overlap_W = _overlap(query, windows)
    kept = [i for d in range(len(texts)) for i in _first(windows, overlap_W, d)]
    score_W = overlap_W.copy()
    if encoder.family == "static" and kept:
        vectors = encoder.encode([windows[i].text for i in kept])
        score_W[kept] = vectors @ query_D + 0.01 * overlap_W[kept]
    spans = [(start, min(end, start + SNIPPET_CHARACTERS)) for start, end in within]
    best = np.full(len(texts), -np.inf)
    for i in kept:
        window = windows[i]
        if score_W[i] > best[window.document]:
            best[window.document], spans[window.document] = score_W[i], window.span
    return spans


def _first(windows: Sequence[_Window], overlap_W: Floats, document: int) -> list[int]:
    """The windows of one document worth comparing, in their order in the text."""
    own = [i for i, window in enumerate(windows) if window.document == document]
    best = sorted(own, key=lambda i: -overlap_W[i])[:_WINDOWS_COMPARED]
    return sorted(best)


def _windows(text: str, within: Span) -> list[Span]:
    """Runs of sentences of a length to be read at a glance; a sentence that is too long is cut up."""
    pieces = [piece for start, end in sentences(text[within[0] : within[1]]) for piece in _cut(start, end)]
    spans: list[Span] = []
    for first, (start, _) in enumerate(pieces):
        last = first
        while (
            pieces[last][1] - start < _FEWEST_CHARACTERS
            and last + 1 < len(pieces)
            and pieces[last + 1][1] - start <= SNIPPET_CHARACTERS
        ):
            last += 1
        spans.append((within[0] + start, within[0] + pieces[last][1]))
    return spans


def _cut(start: int, end: int) -> list[Span]:
    edges = [*range(start, end, SNIPPET_CHARACTERS), end]
    return list(pairwise(edges))


def _overlap(query: str, windows: Sequence[_Window]) -> Floats:
    """(W,) share of the query's words in each window, each word worth the more the fewer windows have it."""
    wanted = set(_WORD.findall(query.lower()))
    found = [wanted.intersection(_WORD.findall(window.text.lower())) for window in windows]
    windows_with = Counter(word for words in found for word in words)
    worth = {word: float(np.log(1 + len(windows) / windows_with[word])) for word in windows_with}
    total = sum(worth.values()) or 1.0
    return np.array([sum(worth[word] for word in words) / total for words in found], np.float32)
