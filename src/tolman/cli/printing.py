"""Results on stdout: aligned columns for people, JSON for programs."""

import json
from collections.abc import Sequence
from typing import Any

import click


def print_json(value: Any, indent: int | None = 2) -> None:
    """One JSON document; on one line without `indent`. Dates become text."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=indent, default=str))


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Rows of cells as columns of equal width; the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
