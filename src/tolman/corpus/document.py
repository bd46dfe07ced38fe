"""One document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | date | datetime | None


@dataclass(frozen=True, slots=True)
class Document:
    """A text with a name.

    Attributes:
        id: unique in its corpus, stable across runs.
        text: the body; never empty.
        title: "" where there is none.
        label: a category a person gave it, if any. Never used for learning, only for measuring.
        metadata: further columns; the same names for every document of a corpus.
        duplicate_ids: ids of other documents with exactly this title and text, merged into this one.
    """

    id: str
    text: str
    title: str = ""
    label: str | None = None
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    duplicate_ids: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """What is encoded and searched: the title, a newline, the text."""
        return f"{self.title}\n{self.text}" if self.title else self.text
