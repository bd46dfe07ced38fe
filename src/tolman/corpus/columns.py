"""Which column plays which role: named by the caller, or guessed from names and content."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from tolman.corpus.metadata import typed
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


def settle_roles(source: Source, first: Rows, named: Mapping[str, str | None]) -> tuple[dict[str, str], list[str]]:
    """Role -> column, and a note for each guess.

    Args:
        source: what is read; roles its reader knows aren't guessed.
        first: its first rows.
        named: role -> column the caller wants, or None.

    Raises:
        SourceError: a named column isn't there or is named twice, or there is no text.
    """
    roles = {role: column for role, column in named.items() if column is not None}
    _refuse_wrong_names(source, first, roles)
    if source.roles:
        return {**source.roles, **roles}, []
    notes = []
    for role in _ORDER:
        if role in roles:
            continue
        free = {name: values for name, values in first.columns.items() if name not in roles.values()}
        guess = _usual_column(role, free) or (_longest_text(free, source.spelled) if role == "text" else None)
        if guess is not None:
            roles[role] = guess
            notes.append(f"{role} is column {guess!r} (guessed)")
    if "text" not in roles:
        raise SourceError(f"{source.name} has no column of text: there are {_shown(first.columns)}")
    return {role: roles[role] for role in ROLES if role in roles}, notes


def _refuse_wrong_names(source: Source, first: Rows, roles: Mapping[str, str]) -> None:
    for role, column in roles.items():
        if column not in first.columns:
            raise SourceError(
                f"{source.name} has no column {column!r} for the {role}: there are {_shown(first.columns)}"
            )
        other = next((other for other, taken in roles.items() if taken == column and other != role), None)
        if other:
            raise SourceError(f"column {column!r} was named for both {role} and {other}: name two columns")


def _usual_column(role: str, columns: Mapping[str, Column]) -> str | None:
    by_lower = {name.strip().lower(): name for name in columns}
    for usual in _USUAL[role]:
        name = by_lower.get(usual)
        if name is not None and _fits(role, usual, columns[name]):
            return name
    return None


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
    names = list(columns)
    more = f" and {len(names) - _LONGEST_SHOWN} more" if len(names) > _LONGEST_SHOWN else ""
    return (", ".join(names[:_LONGEST_SHOWN]) or "none") + more
