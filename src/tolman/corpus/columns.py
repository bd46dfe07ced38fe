"""Which column plays which role: named by the caller, or guessed from names and content."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import pyarrow as pa

from tolman.corpus.metadata import as_text, typed
from tolman.corpus.passages import words
from tolman.corpus.readers.source import Column, Rows, Source
from tolman.errors import SourceError

ROLES = ("text", "title", "id", "label")
# Usual names, best first.
_USUAL = {
    "id": ("id", "_id", "doc_id", "docid", "document_id", "uid", "uuid", "guid"),
    "label": ("label", "labels", "category", "categories", "class", "topic", "topics", "intent"),
    "text": (
        *("text", "body", "content", "contents", "abstract", "full_text", "fulltext", "document", "article"),
        *("description", "message", "comment", "review", "post", "passage", "sentence", "utterance", "question"),
    ),
    "title": ("title", "subject", "headline", "heading", "name", "summary"),
}
# Others are ids only where no two rows share one.
_ALWAYS_ID = ("id", "_id")
_ORDER = ("id", "label", "text", "title")
_LONGEST_SHOWN = 30
_FEWEST_WORDS = 2  # of half the texts, or the guess is doubted
_MOST_HEAD_CHUNKS = 32  # that named columns are looked for in, where rows differ


def head_of(source: Source, named: Mapping[str, str | None]) -> list[Rows]:
    """The first chunk of rows, and as many more as it takes until each named column was seen; taken out of `source`."""
    missing = {column for column in named.values() if column is not None}
    head: list[Rows] = []
    for rows in source.rows:
        head.append(rows)
        missing -= rows.columns.keys()
        if not missing or not source.ragged or len(head) == _MOST_HEAD_CHUNKS:
            break
    return head


def settle_roles(
    source: Source, head: Sequence[Rows], named: Mapping[str, str | None]
) -> tuple[dict[str, str], list[str]]:
    """Role -> column, and a note for each guess.

    Args:
        source: what is read; roles its reader knows aren't guessed.
        head: its first rows, from `head_of`. Guesses are made from the first chunk.
        named: role -> column the caller wants, or None.

    Raises:
        SourceError: a named column isn't there or is named twice, or there is no text.
    """
    roles = {role: column for role, column in named.items() if column is not None}
    if not head:
        return {}, []
    _refuse_wrong_names(source, head, roles)
    first = head[0]
    if source.roles:
        return {**source.roles, **roles}, []
    notes = []
    for role in _ORDER:
        if role in roles:
            continue
        # A column without a name, like the index that pandas writes, plays no role unless it is named "".
        free = {name: values for name, values in first.columns.items() if name.strip() and name not in roles.values()}
        guess = _usual_column(role, free)
        if role == "text":  # an empty column of text is better than none: later rows may fill it, or all are empty
            guess = guess or _longest_text(free, source.spelled) or _usual_column(role, free, empty=True)
        if guess is not None:
            roles[role] = guess
            notes.append(f"{role} is column {guess!r} (guessed){_doubt(role, free[guess])}")
    if "text" not in roles:
        raise SourceError(f"{source.name} has no column of text: there are {_shown(first.columns)}")
    return {role: roles[role] for role in ROLES if role in roles}, notes


def _doubt(role: str, values: Column) -> str:
    """What speaks against a guess: codes and names are no texts to learn from."""
    if role != "text":
        return ""
    cells = values.to_pylist() if isinstance(values, pa.Array) else values
    lengths = [len(words(text)) for text in map(as_text, cells) if text and text.strip()]
    if not lengths or median(lengths) >= _FEWEST_WORDS:
        return ""
    return ", but the texts are very short: is this the right column? Name another with --text COLUMN"


def _refuse_wrong_names(source: Source, head: Sequence[Rows], roles: Mapping[str, str]) -> None:
    seen = {name: values for rows in reversed(head) for name, values in rows.columns.items()}
    for role, column in roles.items():
        if column not in seen:
            rows = sum(len(rows.places) for rows in head)
            where = f" in its first {rows:,} rows" if len(head) == _MOST_HEAD_CHUNKS else ""
            raise SourceError(f"{source.name} has no column {column!r} for the {role}{where}: there are {_shown(seen)}")
        other = next((other for other, taken in roles.items() if taken == column and other != role), None)
        if other:
            raise SourceError(f"column {column!r} was named for both {role} and {other}: name two columns")


def _usual_column(role: str, columns: Mapping[str, Column], *, empty: bool = False) -> str | None:
    by_lower = {name.strip().lower(): name for name in columns}
    for usual in _USUAL[role]:
        name = by_lower.get(usual)
        if name is not None and (_is_empty(columns[name]) if empty else _fits(role, usual, columns[name])):
            return name
    return None


def usual_role(column: str) -> str | None:
    """The role that a column of this name usually plays."""
    return next((role for role in _ORDER if column.strip().lower() in _USUAL[role]), None)


def _is_empty(values: Column) -> bool:
    cells = values.to_pylist() if isinstance(values, pa.Array) else values
    return not any((as_text(cell) or "").strip() for cell in cells)


def _fits(role: str, usual: str, values: Column) -> bool:
    """Whether a column of a usual name holds what the role needs, judged by its first rows."""
    cells = values.to_pylist() if isinstance(values, pa.Array) else list(values)
    if role == "id":
        return usual in _ALWAYS_ID or len({str(cell) for cell in cells}) == len(cells)
    return _mean_length(values) > 0 or (role != "text" and all(cell is None for cell in cells))


def _longest_text(columns: Mapping[str, Column], spelled: bool) -> str | None:
    text = {name: values for name, values in columns.items() if pa.types.is_string(typed(values, parse=spelled).type)}
    # Weighed by how many differ: the name of a group is no text, however long it is.
    lengths = {name: _mean_length(values) * _distinct(values) for name, values in text.items()}
    longest = max(lengths, key=lengths.__getitem__, default=None)
    return longest if longest is not None and lengths[longest] > 0 else None


def _distinct(values: Column) -> float:
    """Distinct cells in a cell."""
    cells = values.to_pylist() if isinstance(values, pa.Array) else list(values)
    return len({str(cell) for cell in cells}) / len(cells)


def _mean_length(values: Column) -> float:
    """Characters of an average cell; 0 where the column holds no text."""
    cells: Sequence[Any] = values.to_pylist() if isinstance(values, pa.Array) else values
    parts = [
        cell
        if isinstance(cell, str)
        else "".join(p for p in cell if isinstance(p, str))
        if isinstance(cell, list)
        else ""
        for cell in cells
    ]
    return sum(map(len, parts)) / max(len(parts), 1)


def _shown(columns: Mapping[str, Column]) -> str:
    names = [name or "one without a name" for name in columns]
    more = f" and {len(names) - _LONGEST_SHOWN} more" if len(names) > _LONGEST_SHOWN else ""
    return (", ".join(names[:_LONGEST_SHOWN]) or "none") + more
