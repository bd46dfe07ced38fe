"""Results on stdout: aligned columns for people, JSON for programs."""

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import click

# What a terminal would obey instead of showing it: controls, and marks that turn the direction of writing.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def shown(text: str) -> str:
    """`text` for the terminal of a person: on one line, with signs in place of what it would obey."""
    return _OBEYED.sub("\ufffd", text)


def name_to_type() -> str:
    """What a person types for `tolman`: the name where the shell finds this very program by it, else its place."""
    started = sys.argv[0]
    program = Path(started).name
    if program == "__main__.py":
        return f"{quote(sys.executable)} -m tolman"
    found = shutil.which("tolman")
    return quote(started) if program == "tolman" and found != os.path.abspath(started) else "tolman"


def print_json(value: Any, indent: int | None = 2) -> None:
    """One JSON document; on one line without `indent`. Dates become text."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=indent, default=str))


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Rows of cells as columns of equal width; the first row is the heading."""
    rows = [[shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
