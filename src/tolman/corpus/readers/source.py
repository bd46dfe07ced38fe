"""What every reader gives: rows by column, a little at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyarrow as pa

from tolman.errors import SourceError

CHUNK_ROWS = 1_024
CHUNK_CHARACTERS = 8 * 2**20

Column: TypeAlias = "Sequence[Any] | pa.Array"


@dataclass(frozen=True, slots=True)
class Rows:
    """Some consecutive rows.

    Attributes:
        columns: name -> values, all equally long.
        places: where each stands in the source.
    """

    columns: Mapping[str, Column]
    places: Sequence[int]


@dataclass(frozen=True, slots=True)
class Source:
    """A source, opened.

    Attributes:
        name: for messages.
        rows: its content; read once.
        unit: what `Rows.places` count.
        roles: role -> column, where the reader knows; otherwise they are guessed.
        spelled: cells are text that may spell numbers.
        ragged: later rows may bring columns that the first ones don't have.
        notes: what the reader has to say; may grow while `rows` is read.
    """

    name: str
    rows: Iterator[Rows]
    unit: str
    roles: Mapping[str, str] = field(default_factory=dict)
    spelled: bool = False
    ragged: bool = False
    notes: list[str] = field(default_factory=list)


def refuse_repeated(source: str, names: Sequence[str]) -> None:
    """Raise SourceError if two columns of `source` have one name: nobody could say which is meant."""
    repeated = next((name for name, times in Counter(names).items() if times > 1), None)
    if repeated is not None:
        raise SourceError(f"{source} has two columns named {repeated!r}: rename one")


def by_column(rows: Iterable[tuple[int, Mapping[str, Any], int]]) -> Iterator[Rows]:
    """Rows of (place, column -> value, characters), gathered into chunks that are small in rows and in characters."""
    places: list[int] = []
    gathered: list[Mapping[str, Any]] = []
    characters = 0
    for place, row, size in rows:
        places.append(place)
        gathered.append(row)
        characters += size
        if len(places) == CHUNK_ROWS or characters >= CHUNK_CHARACTERS:
            yield Rows(_columns(gathered), places)
            places, gathered, characters = [], [], 0
    if places:
        yield Rows(_columns(gathered), places)


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
