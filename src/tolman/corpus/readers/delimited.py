"""CSV and TSV: a header that names the columns, then rows."""

import csv
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from tolman.corpus.readers.lines import MOST_LINE_BYTES, read_lines
from tolman.corpus.readers.source import CHUNK_ROWS, Source, by_column, refuse_repeated
from tolman.errors import SourceError

_HEAD_LINES = 200
_LONGEST_NAME = 200
# Put behind the last line. A quote that is never closed swallows it, which the csv module alone doesn't tell.
_END = "\x1e"
_MISSING = frozenset(("", "NaN", "nan", "NULL", "null"))


def open_csv(path: Path) -> Source:
    """Comma-separated; semicolons or tabs where the header has more of them."""
    notes: list[str] = []
    lines = (line for _, line in read_lines(path, notes))
    header = next(lines, "")
    delimiter = max((",", ";", "\t"), key=header.count)  # the comma wins a tie
    if delimiter != ",":
        notes.append(f"{path.name} is separated by {'semicolons' if delimiter == ';' else 'tabs'}")
    rows = csv.reader(chain([header], lines, [_END]), delimiter=delimiter)
    return _source(path, rows, notes)


def open_tsv(path: Path) -> Source:
    """Tab-separated. Quotes are letters like any other, unless the first lines need them to hold cells together, or use
    them in pairs around cells only.
    """
    notes: list[str] = []
    lines = (line for _, line in read_lines(path, notes))
    head = list(islice(lines, _HEAD_LINES))
    plain = [line.rstrip("\r\n").split("\t") for line in head if not line.isspace()]
    quoted = [cell for cells in plain for cell in cells if cell.startswith('"')]
    torn = any(len(cells) != len(plain[0]) for cells in plain)
    paired = bool(quoted) and (torn or all(len(cell) > 1 and cell.endswith('"') for cell in quoted))
    reader = partial(csv.reader, chain(head, lines, [_END]), delimiter="\t")
    return _source(path, reader() if paired else reader(quoting=csv.QUOTE_NONE), notes)


def _source(path: Path, rows: Any, notes: list[str]) -> Source:
    return Source(str(path), by_column(_named(path, rows, notes)), "line", spelled=True, notes=notes)


def _named(path: Path, rows: Any, notes: list[str]) -> Iterator[tuple[int, dict[str, str | None], int]]:
    numbered = _numbered(path, rows)
    names = _header(path, next(numbered, (1, []))[1], notes)
    for line, cells in numbered:
        if len(cells) > len(names):
            if any(cells[len(names) :]):
                raise SourceError(
                    f"{path} line {line} has {len(cells)} cells, the header names {len(names)}: "
                    "quote cells that hold the separator"
                )
            del cells[len(names) :]
        padded = chain((None if cell in _MISSING else cell for cell in cells), [None] * (len(names) - len(cells)))
        yield line, dict(zip(names, padded, strict=True)), sum(map(len, cells))


def _numbered(path: Path, rows: Any) -> Iterator[tuple[int, list[str]]]:
    """(line it begins in, cells) of the rows that have any. Python's own limit on a cell is set aside while reading."""
    start = 1
    while True:
        gathered: list[tuple[int, list[str]]] = []
        limit = csv.field_size_limit(MOST_LINE_BYTES)
        try:
            for cells in islice(rows, CHUNK_ROWS // 4):
                gathered.append((start, cells))
                start = rows.line_num + 1
        except csv.Error as error:
            raise _invalid(path, start, "" if "field limit" in str(error) else str(error)) from None
        finally:
            csv.field_size_limit(limit)
        for line, cells in gathered:
            if cells == [_END]:
                return
            if cells and cells[-1].endswith(_END):
                raise _invalid(path, line, "")
            if cells:
                yield line, cells


def _invalid(path: Path, line: int, reason: str) -> SourceError:
    return SourceError(f"{path} line {line} isn't a valid row: {reason or 'a quote is opened and never closed'}")


def _header(path: Path, cells: Sequence[str], notes: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    unlikely = [name for name in names if _is_number(name) or len(name) > _LONGEST_NAME]
    if unlikely or not any(names):
        raise SourceError(f"{path} needs a first line that names its columns; its first line holds {_short(cells)}")
    refuse_repeated(str(path), [name for name in names if name])
    named = [name or f"column_{place}" for place, name in enumerate(names, 1)]
    nameless = [new for new, name in zip(named, names, strict=True) if not name]
    if nameless:
        notes.append(f"columns without a name are called {', '.join(nameless)}")
    return named


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _short(cells: Sequence[str]) -> str:
    shown = " | ".join(cells)
    return repr(shown if len(shown) <= 60 else f"{shown[:57]}...")
