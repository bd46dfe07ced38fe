"""Which piece of a document to show: the sentences that answer the query best.

Legend for shapes:
    W  windows, from one or several documents
    D  dimensions
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tolman.corpus.passages import sentences, words
from tolman.models.encoder import Encoder, Floats

Span = tuple[int, int]

SNIPPET_CHARACTERS = 300
_FEWEST_CHARACTERS = 120  # a shorter sentence is shown with the next
ELLIPSIS = "…"
_CONTEXT = 200  # characters around an edge that tell whether a sentence begins or ends there
_REMEMBERED, _LONG = 8_192, 8_000  # texts whose windows are kept for the next query that finds them; characters
_WINDOWS_COMPARED = 4  # of one document, by the encoder
_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s")


@dataclass(frozen=True, slots=True)
class _Window:
    document: int
    span: Span
    text: str


def best_spans(
    query: str, query_D: Floats, texts: Sequence[str], within: Sequence[Span], encoder: Encoder
) -> list[Span]:
    """Where in each text the snippet for `query` lies.

    Windows of whole sentences, and of words where a sentence is longer than a snippet, are ranked by the query's words
    in them, rare ones counting more. A static encoder, which costs next to nothing, then compares the best of them by
    meaning.

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


def excerpt(text: str, span: Span) -> str:
    """What is shown of `text`: the piece at `span`, with an ellipsis where it begins or ends inside a sentence."""
    start, end = span
    if start >= end:
        return ""
    begins = any(first == start for first, _ in _sentences_around(text, start))
    ends = any(last == end for _, last in _sentences_around(text, end))
    return f"{'' if begins else ELLIPSIS}{text[start:end]}{'' if ends else ELLIPSIS}"


def _sentences_around(text: str, place: int) -> list[Span]:
    left = max(0, place - _CONTEXT)
    return [(left + start, left + end) for start, end in sentences(text[left : place + _CONTEXT])]


def _first(windows: Sequence[_Window], overlap_W: Floats, document: int) -> list[int]:
    """The windows of one document worth comparing, in their order in the text."""
    own = [i for i, window in enumerate(windows) if window.document == document]
    best = sorted(own, key=lambda i: -overlap_W[i])[:_WINDOWS_COMPARED]
    return sorted(best)


def _windows(text: str, within: Span) -> tuple[Span, ...]:
    """Those of a text; of texts that aren't long they are remembered."""
    return _windows_remembered(text, within) if len(text) <= _LONG else _windows_found(text, within)


def _windows_found(text: str, within: Span) -> tuple[Span, ...]:
    """Runs of sentences of a length to be read at a glance; a sentence that is too long is cut between words."""
    part = text[within[0] : within[1]]
    pieces = [piece for start, end in sentences(part) for piece in _cut(part, start, end)]
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
    return tuple(spans)


_windows_remembered = lru_cache(_REMEMBERED)(_windows_found)


def _cut(text: str, start: int, end: int) -> list[Span]:
    """The words of a sentence in pieces of at most `SNIPPET_CHARACTERS`, without white space at their ends."""
    pieces: list[Span] = []
    while end - start > SNIPPET_CHARACTERS:
        cut = _between_words(text, start, start + SNIPPET_CHARACTERS)
        pieces.append((start, start + len(text[start:cut].rstrip())))
        start = cut + len(text[cut:end]) - len(text[cut:end].lstrip())
    return [*pieces, (start, end)]


def _between_words(text: str, start: int, most: int) -> int:
    """The last place up to `most` to cut at: white space, else the end of a word, else anywhere between characters.

    Not in the first half: a snippet is to say something.
    """
    half = (start + most) // 2
    spaces = [match.start() for match in _SPACE.finditer(text, half, most + 1)]
    if spaces:
        return spaces[-1]
    ends = [start + end for _, end in words(text[start : most + 1]) if half <= start + end <= most]
    cut = ends[-1] if ends else most
    while cut > half and unicodedata.category(text[cut]).startswith("M"):  # marks belong to the character before them
        cut -= 1
    return cut


def _overlap(query: str, windows: Sequence[_Window]) -> Floats:
    """(W,) share of the query's words in each window, each word worth the more the fewer windows have it."""
    wanted = set(_WORD.findall(query.lower()))
    found = [wanted.intersection(_WORD.findall(window.text.lower())) for window in windows]
    windows_with = Counter(word for words in found for word in words)
    worth = {word: float(np.log(1 + len(windows) / windows_with[word])) for word in windows_with}
    total = sum(worth.values()) or 1.0
    return np.array([sum(worth[word] for word in words) / total for words in found], np.float32)
