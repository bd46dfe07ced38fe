"""Which piece of a document to show: the sentences that answer the query best.

Legend for shapes:
    D  documents; in a vector, dimensions
    C  windows of one document that are compared
    K  windows of all documents that are compared
    W  windows, of all documents end to end
    T  words of all windows, end to end
    Q  distinct words of the query
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tolman.models.encoder import Floats
from tolman.models.static import StaticEncoder, TokenWeights
from tolman.windows import (
    LONGEST_WINDOW,
    Span,
    WindowMemory,
    Windows,
    begins_sentence,
    ends_sentence,
    hashed_words,
)

SNIPPET_CHARACTERS = LONGEST_WINDOW
ELLIPSIS = "…"
_WINDOWS_COMPARED = 4  # of one document, by the encoder
_WORTH_OF_WORDS = 0.01  # beside a cosine


@dataclass(frozen=True, slots=True)
class Snippet:
    """What is shown of a text.

    Attributes:
        span: (start, end) in characters of the text; at most `SNIPPET_CHARACTERS` long.
        text: that piece, with an ellipsis at each end that lies inside a sentence.
    """

    span: Span
    text: str


def best_snippets(
    query: str, query_D: Floats, texts: Sequence[str], within: Sequence[Span], memory: WindowMemory
) -> list[Snippet]:
    """What to show of each text for `query`.

    Windows are ranked by the query's words in them, rare ones counting more. A static encoder, which costs next to
    nothing, then compares the best of them by meaning.

    Args:
        query: as asked.
        query_D: its vector.
        texts: of the documents.
        within: the part of each text to look at.
        memory: of windows, and the encoder that reads them.
    """
    windows = memory.of(texts, within)
    first = np.cumsum([0, *(len(own) for own in windows)])
    score_W = _overlap(query, windows, first)
    kept_DC = _best_of_each(score_W, first)
    if memory.reader is not None:
        _compare(memory.reader, query_D, windows, kept_DC[kept_DC >= 0], score_W)
    return [
        _snippet(text, span, own, _best(score_W, kept_C.tolist()) - at)
        for text, span, own, kept_C, at in zip(texts, within, windows, kept_DC, first.tolist(), strict=False)
    ]


def excerpt(text: str, span: Span) -> str:
    """What is shown of `text`: the piece at `span`, with an ellipsis where it begins or ends inside a sentence."""
    start, end = span
    return _with_ellipses(text, span, begins_sentence(text, start), ends_sentence(text, end)) if start < end else ""


def _snippet(text: str, within: Span, windows: Windows, place: int) -> Snippet:
    """Of the window at `place`; the beginning of a part that has no windows."""
    if not len(windows):
        span = within[0], min(within[1], within[0] + SNIPPET_CHARACTERS)
        return Snippet(span, excerpt(text, span))
    span = windows.span(place)
    return Snippet(span, _with_ellipses(text, span, *windows.whole_W2[place].tolist()))


def _with_ellipses(text: str, span: Span, begins: bool, ends: bool) -> str:
    return f"{'' if begins else ELLIPSIS}{text[slice(*span)]}{'' if ends else ELLIPSIS}"


def _best_of_each(overlap_W: Floats, first: NDArray[np.int64]) -> NDArray[np.int64]:
    """(D, C) the windows of each document worth comparing, in their order in the text; -1 where it has fewer."""
    most = int(np.diff(first).max(initial=0))
    every_DW = first[:-1, None] + np.arange(most)
    there_DW = every_DW < first[1:, None]
    padded_DW = np.where(there_DW, overlap_W[np.minimum(every_DW, len(overlap_W) - 1)], -1.0) if most else every_DW
    kept_DC = np.sort(np.argsort(-padded_DW, axis=1, kind="stable")[:, :_WINDOWS_COMPARED], axis=1)
    return np.where(np.take_along_axis(there_DW, kept_DC, axis=1), first[:-1, None] + kept_DC, -1)


def _best(score_W: Floats, kept: Sequence[int]) -> int:
    """The first of the best of these windows; 0 if there is none."""
    return max((place for place in kept if place >= 0), key=score_W.__getitem__, default=0)


def _overlap(query: str, windows: Sequence[Windows], first: NDArray[np.int64]) -> Floats:
    """(W,) share of the query's words in each window, each word worth the more the fewer windows have it."""
    words_T = np.concatenate([np.empty(0, np.int64), *(own.words_T for own in windows)])
    wanted_Q = np.array(sorted(hashed_words(query)), np.int64)
    place_T, word_T = np.nonzero(words_T[:, None] == wanted_Q)
    before = np.cumsum([0, *(len(own.words_T) for own in windows)])[:-1]
    starts = [own.starts_W + at for own, at in zip(windows, before, strict=True)]
    starts_W = np.concatenate([np.empty(0, np.int64), *starts])
    has_WQ = np.zeros((int(first[-1]), len(wanted_Q)), bool)
    has_WQ[np.searchsorted(starts_W, place_T, "right") - 1, word_T] = True
    with_Q = has_WQ.sum(axis=0)
    worth_Q = np.where(with_Q > 0, np.log1p(len(has_WQ) / np.maximum(with_Q, 1)), 0.0)
    return np.asarray(has_WQ @ worth_Q / (worth_Q.sum() or 1.0), np.float32)


def _compare(
    encoder: StaticEncoder,
    query_D: Floats,
    windows: Sequence[Windows],
    kept_K: NDArray[np.int64],
    score_W: Floats,
) -> None:
    """Score the windows that were kept by their cosine with the query; where two are equal, the words decide."""
    read = [own.tokens for own in windows if own.tokens is not None]
    if read:
        near_K = encoder.cosines(query_D, TokenWeights.join(read).only(kept_K))
        score_W[kept_K] = near_K + _WORTH_OF_WORDS * score_W[kept_K]
