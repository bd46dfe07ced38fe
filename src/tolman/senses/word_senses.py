"""The senses of a word in a space, as they are handed out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from tolman.counting import counted
from tolman.errors import QueryError


@dataclass(frozen=True, slots=True)
class Example:
    """A typical context of a sense.

    Attributes:
        document: its id.
        text: some words of it around the word.
        start, end: of the word, in characters of `text`.
    """

    document: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sense:
    """One sense of a word.

    Attributes:
        number: from 1, the most frequent first.
        size: occurrences in it.
        share: of all occurrences.
        words: what stands near the word in this sense rather than in the others, most telling first.
        examples: typical contexts, the most typical first, each of another document.
        confidence: mean of its occurrences.
    """

    number: int
    size: int
    share: float
    words: tuple[str, ...]
    examples: tuple[Example, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence of the word.

    Attributes:
        id: of the document.
        start, end: where in `Document.content`: the title, a newline, the text; the text alone without a title.
        sense: number of its sense.
        confidence: the share of the occurrences most like it that are in this sense, nearer ones counting more.
    """

    id: str
    start: int
    end: int
    sense: int
    confidence: float


@dataclass(frozen=True, slots=True)
class WordSenses:
    """What `LatentSpace.senses` gives.

    Attributes:
        word: in lower case.
        forms: that were taken as the same word, itself first.
        senses: the most frequent first; at least one.
        occurrences: by document id, then by place.
        documents: how many have the word.
        whole: False: the word is more frequent than was looked at, `occurrences` are a sample.
    """

    word: str
    forms: tuple[str, ...]
    senses: tuple[Sense, ...]
    occurrences: tuple[Occurrence, ...]
    documents: int
    whole: bool

    def __len__(self) -> int:
        return len(self.senses)

    def sense(self, number: int) -> Sense:
        """The sense of that number.

        Raises:
            QueryError: there is none.
        """
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(self.senses):
            there = counted(len(self.senses), "sense")
            raise QueryError(f"{self.word!r} has {there} here, numbered from 1: got {number!r}")
        return self.senses[number - 1]

    def documents_of(self, number: int) -> dict[str, float]:
        """Ids of the documents that have the word in that sense, and how sure that is: the surest occurrence counts.

        Raises:
            QueryError: there is no such sense.
        """
        self.sense(number)
        found: dict[str, float] = {}
        for occurrence in self.occurrences:
            if occurrence.sense == number:
                found[occurrence.id] = max(occurrence.confidence, found.get(occurrence.id, 0.0))
        return found

    def to_json(self) -> dict[str, Any]:
        """Everything but the occurrences, as plain values."""
        return {
            "word": self.word,
            "forms": list(self.forms),
            "documents": self.documents,
            "occurrences": len(self.occurrences),
            "whole": self.whole,
            "senses": [asdict(sense) for sense in self.senses],
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any], occurrences: Sequence[Occurrence]) -> Self:
        """What `to_json` wrote."""
        senses = [
            Sense(
                **{
                    **sense,
                    "words": tuple(sense["words"]),
                    "examples": tuple(Example(**example) for example in sense["examples"]),
                }
            )
            for sense in stored["senses"]
        ]
        return cls(
            stored["word"],
            tuple(stored["forms"]),
            tuple(senses),
            tuple(occurrences),
            int(stored["documents"]),
            bool(stored["whole"]),
        )
