"""Why two documents are near each other: the words that stand in both, and their nearest sentences.

Legend for shapes:
    A, B  sentences of the two
    D     dimensions
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tolman.atlas.answers import SentencePair
from tolman.corpus.passages import sentences, words
from tolman.models.encoder import Encoder
from tolman.space.space import LatentSpace

_SAMPLE = 4_000  # documents that say how rare a word is
_COMMON = 0.2  # share of them; a word that so many have explains nothing
_CHARACTERS = 4_000
_MOST_WORDS = 8
_MOST_SENTENCES = 12


@dataclass(frozen=True)
class Why:
    """What explains nearness in one space.

    Attributes:
        documents_with: how many documents of a sample have each word.
        sample: how many documents that is.
        encoder: of the space.
    """

    documents_with: Mapping[str, int]
    sample: int
    encoder: Encoder

    @classmethod
    def of(cls, space: LatentSpace) -> "Why":
        """Count the words of a sample of documents."""
        rows = np.linspace(0, len(space) - 1, min(_SAMPLE, len(space))).astype(np.int64)
        texts = space.store.take(rows, ["fulltext"])["fulltext"].to_pylist()
        found = Counter(word for text in texts for word in _words(text or ""))
        return cls(found, len(texts), space.encoder)

    def shared_words(self, one: str, other: str) -> list[str]:
        """Those that stand in both texts, the rarest first; without those that everybody uses."""
        known = self.documents_with
        shared = [word for word in _words(one) & _words(other) if known.get(word, 1) <= max(2, _COMMON * self.sample)]
        return sorted(shared, key=lambda word: (known.get(word, 1), word))[:_MOST_WORDS]

    def sentences(self, one: str, other: str) -> SentencePair | None:
        """The two sentences that are nearest to each other."""
        own, theirs = _sentences(one), _sentences(other)
        if not own or not theirs:
            return None
        vectors = self.encoder.encode([*own, *theirs])
        cosines_AB = vectors[: len(own)] @ vectors[len(own) :].T
        a, b = np.unravel_index(int(cosines_AB.argmax()), cosines_AB.shape)
        return SentencePair(own=own[a], other=theirs[b], cosine=round(float(cosines_AB[a, b]), 6))


def _words(text: str) -> set[str]:
    text = text[:_CHARACTERS].lower()
    return {text[start:end] for start, end in words(text) if end - start > 2 and not text[start].isdigit()}


def _sentences(text: str) -> list[str]:
    part = text[:_CHARACTERS]
    found = [part[start:end].strip() for start, end in sentences(part)]
    return [sentence for sentence in found if len(sentence) > 12][:_MOST_SENTENCES] or ([part] if part.strip() else [])
