"""Which piece of a document to show: the sentences that answer the query best.

Legend for shapes:
    W  windows, of all documents end to end
    T  words of all windows, end to end
    Q  distinct words of the query
    D  dimensions
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tolman.corpus.passages import iterate_sentences
from tolman.models.encoder import Floats
from tolman.models.static import StaticEncoder, TokenWeights
from tolman.windows import LONGEST_WINDOW, Span, WindowMemory, Windows, hashed_words

SNIPPET_CHARACTERS = LONGEST_WINDOW
ELLIPSIS = "…"
_CONTEXT = 200  # characters around an edge that tell whether a sentence begins or ends there
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
    kept = [first[d] + _first(score_W[first[d] : first[d + 1]]) for d in range(len(windows))]
    if memory.reader is not None:
        _compare(memory.reader, query_D, windows, kept, score_W)
    snippets = []
    for d, (text, span) in enumerate(zip(texts, within, strict=True)):
        if not len(kept[d]):
            start, end = span[0], min(span[1], span[0] + SNIPPET_CHARACTERS)
            snippets.append(Snippet((start, end), excerpt(text, (start, end))))
            continue
        place = int(kept[d][np.argmax(score_W[kept[d]])] - first[d])
        snippets.append(Snippet(windows[d].span(place), _shown(text, windows[d], place)))
    return snippets


def excerpt(text: str, span: Span) -> str:
    """What is shown of `text`: the piece at `span`, with an ellipsis where it begins or ends inside a sentence."""
    start, end = span
    if start >= end:
        return ""
    begins = any(first == start for first, _ in _sentences_around(text, start))
    ends = any(last == end for _, last in _sentences_around(text, end))
    return f"{'' if begins else ELLIPSIS}{text[start:end]}{'' if ends else ELLIPSIS}"


def _shown(text: str, windows: Windows, place: int) -> str:
    """The excerpt of a window, worked out once."""
    shown = windows.shown.get(place)
    if shown is None:
        shown = windows.shown[place] = excerpt(text, windows.span(place))
    return shown


def _sentences_around(text: str, place: int) -> Iterator[Span]:
    """One by one: who looks for an edge stops where it is found."""
    left = max(0, place - _CONTEXT)
    for start, end in iterate_sentences(text[left : place + _CONTEXT]):
        yield left + start, left + end


def _first(overlap_W: Floats) -> NDArray[np.int64]:
    """The windows of one document worth comparing, in their order in the text."""
    return np.sort(np.argsort(-overlap_W, kind="stable")[:_WINDOWS_COMPARED])


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
    kept: Sequence[NDArray[np.int64]],
    score_W: Floats,
) -> None:
    """Score the windows that were kept by their cosine with the query; where two are equal, the words decide."""
    read = [own.tokens for own in windows if own.tokens is not None]
    if read:
        every = np.concatenate(kept)
        near = encoder.cosines(query_D, TokenWeights.join(read).only(every))
        score_W[every] = near + _WORTH_OF_WORDS * score_W[every]
