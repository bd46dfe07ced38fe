"""tolman info"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tolman.cli.parameters import json_option, space_argument
from tolman.cli.printing import print_columns, print_json
from tolman.counting import counted
from tolman.errors import TolmanError

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace


@click.command()
@space_argument
@json_option
def info(space: Path, *, json: bool) -> None:
    """Show what a space holds and how good it is.

    Also how it was learned, what that cost, whether its encoder is damaged (exit code 1 then), and the versions that
    can be opened.

    \b
    Example:
      tolman info tickets.space
    """
    from tolman.space.space import open_space

    opened = open_space(space)
    damaged = damage(opened)
    print_json(as_json(opened, damaged)) if json else print_info(opened, damaged)
    if damaged:
        raise damaged


def as_json(space: "LatentSpace", damaged: TolmanError | None) -> dict[str, Any]:
    """What space.json says, and what is true now: path, documents, versions, damage."""
    versions = [{"version": v.version, "when": v.when, "documents": v.documents} for v in space.versions()]
    now: dict[str, Any] = {"path": str(space.path), "documents": len(space), "dim": space.dim, "version": space.version}
    now["damage"] = str(damaged) if damaged else None
    return {**now, **space.description.to_json(), "versions": versions}


def damage(space: "LatentSpace") -> TolmanError | None:
    """What keeps its encoder from being used; None: nothing."""
    try:
        space.verify()
    except TolmanError as error:
        return error
    return None


def print_info(space: "LatentSpace", damaged: TolmanError | None) -> None:
    """The same for people."""
    from tolman.card import show_cost, show_quality
    from tolman.cost import Cost

    description = space.description
    size, encoder = counted(space.dim, "dimension"), description.encoder
    rows = [
        ("space", f"{space.path}, version {space.version}"),
        ("documents", f"{len(space):,} (learned from {description.corpus.documents:,} of {description.corpus.source})"),
        ("encoder", f"{encoder.family}, {size}, {encoder.fingerprint[:16]}"),
        ("quality", show_quality(description.quality)),
        *(show_cost(Cost.from_json(description.cost)).items() if description.cost else ()),
    ]
    if damaged:
        rows.append(("damage", str(damaged)))
    print_columns(rows)
    click.echo("\nversion  documents  when")
    for version in space.versions():
        click.echo(f"{version.version:7d}  {version.documents:9,d}  {version.when:%Y-%m-%d %H:%M:%S}")
