"""JSON Lines: one object a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tolman.corpus.readers.lines import read_lines
from tolman.corpus.readers.source import Source, by_column
from tolman.errors import SourceError


def open_jsonl(path: Path) -> Source:
    """Objects, one a line; empty lines are passed over."""
    notes: list[str] = []
    return Source(str(path), by_column(read_objects(path, notes)), "line", ragged=True, notes=notes)


def read_objects(path: Path, notes: list[str]) -> Iterator[tuple[int, dict[str, Any], int]]:
    """(line number from 1, object, characters) of each line that isn't empty.

    Raises:
        SourceError: what `read_lines` refuses, or a line that holds no JSON object.
    """
    for number, line in read_lines(path, notes):
        if line.isspace():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            deep = isinstance(error, RecursionError)
            reason = "its values are nested too deep" if deep else getattr(error, "msg", str(error))
            raise SourceError(f"{path} line {number} isn't valid JSON: {reason}") from None
        if not isinstance(value, dict):
            kind = "an array" if isinstance(value, list) else "a single value"
            raise SourceError(f"{path} line {number} holds {kind}: expected one JSON object a line")
        yield number, value, len(line)
