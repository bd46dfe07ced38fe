"""tolman info"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tolman.cli.printing import JsonOption, print_columns, print_json

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace


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
    from tolman.space.space import open_space

    opened = open_space(space)
    if json:
        print_json(as_json(opened))
    else:
        print_info(opened)


def as_json(space: "LatentSpace") -> dict[str, Any]:
    """What space.json says, and what is true now: path, documents, versions."""
    versions = [{"version": v.version, "when": v.when, "documents": v.documents} for v in space.versions()]
    now = {"path": str(space.path), "documents": len(space), "dim": space.dim, "version": space.version}
    return {**now, **space.description.to_json(), "versions": versions}


def print_info(space: "LatentSpace") -> None:
    """The same for people."""
    from tolman.card import flat, show_cost, show_value
    from tolman.cost import Cost

    description = space.description
    rows = [
        ("space", f"{space.path}, version {space.version}"),
        ("documents", f"{len(space):,} (learned from {description.corpus.documents:,} of {description.corpus.source})"),
        ("encoder", f"{description.encoder.family}, {space.dim} dimensions, {description.encoder.fingerprint[:16]}"),
        *((name, show_value(value)) for name, value in flat(description.quality)),
        *(show_cost(Cost.from_json(description.cost)).items() if description.cost else ()),
    ]
    print_columns(rows)
    typer.echo("\nversion  documents  when")
    for version in space.versions():
        typer.echo(f"{version.version:7d}  {version.documents:9,d}  {version.when:%Y-%m-%d %H:%M:%S}")
