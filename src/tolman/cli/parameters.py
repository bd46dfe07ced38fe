"""Arguments and options that several verbs share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import click

Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]


class _Path(click.Path):
    """A path; Python would take an empty one for the folder it is in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("expected a path, got an empty one: the folder you are in is called '.'", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Path(path_type=Path)

space_argument: Decorator = click.argument("space", type=PATH)
json_option: Decorator = click.option("--json", is_flag=True, help="Print JSON.")


def column_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """--text, --title, --id, --label: the columns of a SOURCE."""
    for role, help_ in (
        ("label", "Where a category is; never learned from, only kept to measure with."),
        ("id", "Where the id is.  [default: guessed]"),
        ("title", "Where the title is.  [default: guessed]"),
        ("text", "Where the text is.  [default: guessed]"),
    ):
        verb = click.option(f"--{role}", metavar="COLUMN", help=help_)(verb)
    return verb
