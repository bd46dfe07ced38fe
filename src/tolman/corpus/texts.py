"""The texts of a file as they are, one a row: nothing is cleaned, merged or left out, so that rows stay rows."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa

from tolman.corpus.builder import joined
from tolman.corpus.readers.lines import read_lines
from tolman.corpus.readers.source import Column, Rows
from tolman.errors import SourceError

_LINES, _OBJECTS, _TABLES = (".txt",), (".jsonl", ".ndjson"), (".csv", ".tsv", ".parquet")


def read_texts(path: Path, notes: list[str], *, text: str | None = None, title: str | None = None) -> Iterator[str]:
    """Each text of a file, its title on a line before it.

    Args:
        path: a .txt with one text a line, a .jsonl, .csv, .tsv or .parquet; each also .gz.
        notes: what was noticed is put here.
        text, title: columns. Those not named are guessed, as `read_corpus` guesses them.

    Yields:
        One text a row, whatever stands there: "" where there is none, a number as it is written.

    Raises:
        SourceError: the file can't be read, or a line of it, or it has no such column.
    """
    name = path.name.lower().removesuffix(".gz")
    named = text is not None or title is not None
    if name.endswith(_LINES):
        if named:
            raise SourceError(f"{path} has no columns, got {text or title!r}: leave it out, or name a table")
        yield from (line.rstrip("\r\n") for _, line in read_lines(path, notes))
    elif name.endswith((*_OBJECTS, *_TABLES)):
        yield from _texts_of_columns(path, notes, {"text": text, "title": title})
    else:
        raise SourceError(f"expected a {' '.join((*_LINES, *_OBJECTS, *_TABLES))} file (or .gz of one), got {path}")


def _texts_of_columns(path: Path, notes: list[str], named: dict[str, str | None]) -> Iterator[str]:
    from tolman.corpus.columns import head_of, settle_roles
    from tolman.corpus.readers.opening import open_path  # every reader, which a search can do without

    source = open_path(path)
    head = head_of(source, named)
    roles, guesses = settle_roles(source, head, named)
    notes += [guess for guess in guesses if guess.startswith(("text", "title"))]
    for rows in chain(head, source.rows):
        texts, titles = _cells(rows, roles.get("text"), "\n\n"), _cells(rows, roles.get("title"), " ")
        yield from map(_content, titles, texts)
    notes += source.notes


def _cells(rows: Rows, column: str | None, between: str) -> list[str]:
    values: Column | None = None if column is None else rows.columns.get(column)
    if values is None:
        return [""] * len(rows.places)
    return [joined(cell, between) for cell in (values.to_pylist() if isinstance(values, pa.Array) else values)]


def _content(title: str, text: str) -> str:
    content = f"{title}\n{text}" if title and text else title or text
    return content.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # JSON can hold halves of characters
