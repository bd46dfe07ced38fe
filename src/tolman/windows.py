"""Windows of a text: runs of whole sentences, short enough to be read at a glance, of which a snippet shows one.

What was worked out about the windows of a text is kept for the next query that finds it, up to a bound of memory.

Legend for shapes:
    W  windows of one text
    T  words of all windows of one text, end to end
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from sys import getsizeof

import numpy as np
from numpy.typing import NDArray

from tolman.corpus.passages import iterate_sentences, sentences, words
from tolman.lru import LruCache
from tolman.models.encoder import Encoder
from tolman.models.static import StaticEncoder, TokenWeights

Span = tuple[int, int]
Ints = NDArray[np.int64]

LONGEST_WINDOW = 300
"""Characters."""
MOST_BYTES = 128 * 2**20
"""Of all windows that are kept."""
_FEWEST_CHARACTERS = 120  # a shorter sentence is shown with the next
_OVERHEAD = 1_400  # bytes of what is kept of a text, beside itself and the numbers in its arrays
_WORD = re.compile(r"\w+")
_CONTEXT = 200  # characters around an edge that tell whether a sentence begins or ends there
_SPACE = re.compile(r"\s")


@dataclass(frozen=True, slots=True)
class Windows:
    """Those of one text.

    Attributes:
        spans_W2: (start, end) of each, in characters of the text.
        words_T: hash of each distinct word of each window, in lower case. Two of 2^64 are never the same by accident.
        starts_W: where the words of each window begin in `words_T`.
        tokens: each window as a sum of rows of the encoder's table; None unless the encoder is static.
        whole_W2: whether each begins and ends where a sentence does.
    """

    spans_W2: NDArray[np.int32]
    words_T: Ints
    starts_W: NDArray[np.int32]
    tokens: TokenWeights | None
    whole_W2: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.spans_W2)

    def span(self, place: int) -> Span:
        """Of one window."""
        start, end = self.spans_W2[place].tolist()
        return start, end

    @property
    def bytes(self) -> int:
        """Held in memory, roughly."""
        tokens = 0 if self.tokens is None else self.tokens.bytes
        return (
            _OVERHEAD
            + self.spans_W2.nbytes
            + self.words_T.nbytes
            + self.starts_W.nbytes
            + self.whole_W2.nbytes
            + tokens
        )


class WindowMemory:
    """Windows of the texts that were found lately; those that were asked for longest ago go first.

    Attributes:
        reader: the encoder of the space if it is a static one, which costs next to nothing; else None.
    """

    def __init__(self, encoder: Encoder) -> None:
        """`encoder` of the space."""
        self.reader = encoder if isinstance(encoder, StaticEncoder) and encoder.family == "static" else None
        self._known: LruCache[tuple[str, Span], Windows] = LruCache(MOST_BYTES)

    @property
    def bytes(self) -> int:
        """Held, roughly."""
        return self._known.held

    @property
    def is_full(self) -> bool:
        """Whether something had to go for something else."""
        return self._known.is_full

    def of(self, texts: Sequence[str], within: Sequence[Span]) -> list[Windows]:
        """The windows of the part `within` of each text."""
        keys = list(zip(texts, within, strict=True))
        found = self._known.find(keys)
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        for key, windows in zip(missing, self._read(missing) if missing else (), strict=True):
            found[key] = windows
            self._known.keep(key, windows, windows.bytes + getsizeof(key[0]))
        return [found[key] for key in keys]

    def _read(self, keys: Sequence[tuple[str, Span]]) -> list[Windows]:
        """Several texts at once: the encoder is called once for all of them."""
        cuts = [_cut(text, within) for text, within in keys]
        spans = [own for own, _ in cuts]
        pieces = [[text[start:end] for start, end in own] for (text, _), own in zip(keys, spans, strict=True)]
        tokens = self._tokens(pieces)
        return [
            Windows(
                np.array(own, np.int32).reshape(-1, 2),
                *_hashed_words(texts),
                read,
                np.array(whole, bool).reshape(-1, 2),
            )
            for (own, whole), texts, read in zip(cuts, pieces, tokens, strict=True)
        ]

    def _tokens(self, pieces: Sequence[Sequence[str]]) -> Sequence[TokenWeights | None]:
        if self.reader is None:
            return [None] * len(pieces)
        read = self.reader.weigh([text for texts in pieces for text in texts])
        return read.split([len(texts) for texts in pieces])


def _hashed_words(texts: Sequence[str]) -> tuple[Ints, NDArray[np.int32]]:
    """(T,) hashes and (W,) where each text's begin."""
    found = [hashed_words(text) for text in texts]
    lengths_W = np.fromiter(map(len, found), np.int64, len(found))
    words_T = np.fromiter(chain.from_iterable(found), np.int64, int(lengths_W.sum()))
    return words_T, (np.cumsum(lengths_W) - lengths_W).astype(np.int32)


def hashed_words(text: str) -> set[int]:
    """The hash of each word of `text`, in lower case."""
    return set(map(hash, _WORD.findall(text.lower())))


def _cut(text: str, within: Span) -> tuple[list[Span], list[tuple[bool, bool]]]:
    """Runs of sentences of a length to be read at a glance; a sentence that is too long is cut between words.

    Returns:
        Spans, and whether each begins and ends where a sentence of the text does.
    """
    part = text[within[0] : within[1]]
    found = sentences(part)
    begins, ends = {start for start, _ in found}, {end for _, end in found}
    if within[0] and found and not begins_sentence(text, within[0] + found[0][0]):
        begins.remove(found[0][0])
    if within[1] < len(text) and found and not ends_sentence(text, within[0] + found[-1][1]):
        ends.remove(found[-1][1])
    pieces = [piece for start, end in found for piece in cut_sentence(part, start, end)]
    spans: list[Span] = []
    whole: list[tuple[bool, bool]] = []
    for first, (start, _) in enumerate(pieces):
        last = first
        while (
            pieces[last][1] - start < _FEWEST_CHARACTERS
            and last + 1 < len(pieces)
            and pieces[last + 1][1] - start <= LONGEST_WINDOW
        ):
            last += 1
        end = pieces[last][1]
        spans.append((within[0] + start, within[0] + end))
        whole.append((start in begins, end in ends))
    return spans, whole


def begins_sentence(text: str, place: int) -> bool:
    """Whether a sentence begins at `place`, by what stands around it."""
    return any(start == place for start, _ in _sentences_around(text, place))


def ends_sentence(text: str, place: int) -> bool:
    """Whether a sentence ends at `place`, by what stands around it."""
    return any(end == place for _, end in _sentences_around(text, place))


def _sentences_around(text: str, place: int) -> Iterator[Span]:
    """One by one: who looks for an edge stops where it is found."""
    left = max(0, place - _CONTEXT)
    for start, end in iterate_sentences(text[left : place + _CONTEXT]):
        yield left + start, left + end


def cut_sentence(text: str, start: int, end: int) -> list[Span]:
    """The words of a sentence in pieces of at most `LONGEST_WINDOW`, without white space at their ends."""
    pieces: list[Span] = []
    while end - start > LONGEST_WINDOW:
        cut = _between_words(text, start, start + LONGEST_WINDOW)
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
