"""tolman info"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tolman.cli.parameters import json_option, space_argument
from tolman.cli.printing import print_columns, print_json
from tolman.errors import TolmanError

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace


@click.command()
@space_argument
@json_option
def info(space: Path, *, json: bool) -> None:
    """Show what a space holds and how good it is.

    Also how it was learned, what that cost, whether its encoder is damaged, and the versions that can be opened.

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
    now: dict[str, Any] = {"path": str(space.path), "documents": len(space), "dim": space.dim, "version": space.version}
    now["damage"] = damage(space)
    return {**now, **space.description.to_json(), "versions": versions}


def damage(space: "LatentSpace") -> str | None:
    """What keeps its encoder from being used; None: nothing."""
    try:
        space.verify()
    except TolmanError as error:
        return str(error)
    return None


def print_info(space: "LatentSpace") -> None:
    """The same for people."""
    from tolman.card import show_cost, show_quality
    from tolman.cost import Cost

    description = space.description
    rows = [
        ("space", f"{space.path}, version {space.version}"),
        ("documents", f"{len(space):,} (learned from {description.corpus.documents:,} of {description.corpus.source})"),
        ("encoder", f"{description.encoder.family}, {space.dim} dimensions, {description.encoder.fingerprint[:16]}"),
        ("quality", show_quality(description.quality)),
        *(show_cost(Cost.from_json(description.cost)).items() if description.cost else ()),
    ]
    damaged = damage(space)
    if damaged:
        rows.append(("damage", damaged))
    print_columns(rows)
    click.echo("\nversion  documents  when")
    for version in space.versions():
        click.echo(f"{version.version:7d}  {version.documents:9,d}  {version.when:%Y-%m-%d %H:%M:%S}")
