"""tolman info"""

from pathlib import Path
from typing import Annotated

import typer

from tolman.cli.printing import JsonOption


def info(
    space: Annotated[Path, typer.Argument(metavar="SPACE", help="A folder that `tolman learn` wrote.")],
    json: JsonOption = False,
) -> None:
    """Show what a space holds and how good it is.

    Also how it was learned, what that cost, and the versions that can be opened.

    \b
    Example:
      tolman info tickets.space
    """
    raise NotImplementedError
