"""tolman add, tolman remove"""

from pathlib import Path
from typing import Annotated

import typer

from tolman.cli.learn import IdOption, LabelOption, SourceArgument, TextOption, TitleOption
from tolman.cli.watching import progress_on_stderr

SpaceArgument = Annotated[Path, typer.Argument(metavar="SPACE", help="A folder that `tolman learn` wrote.")]


def add(
    space: SpaceArgument,
    source: SourceArgument,
    *,
    text: TextOption = None,
    title: TitleOption = None,
    id: IdOption = None,
    label: LabelOption = None,
) -> None:
    """Add or update documents, without learning anew.

    A document whose id the space already holds replaces the old one.

    \b
    Example:
      tolman add tickets.space new_tickets.csv --text body --title subject
    """
    from tolman.space.space import open_space

    with progress_on_stderr() as progress:
        report = open_space(space).add(source, progress=progress, text=text, title=title, id=id, label=label)
    typer.echo(f"{space}: {report.added:,} added, {report.updated:,} updated, {report.unchanged:,} unchanged")


def remove(
    space: SpaceArgument,
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of documents.")],
) -> None:
    """Remove documents by their ids.

    Ids that the space doesn't hold are passed over.

    \b
    Example:
      tolman remove tickets.space tk-17 tk-18
    """
    from tolman.space.space import open_space

    removed, asked = open_space(space).remove(ids), len(set(ids))
    if removed < asked:
        typer.echo(f"{asked - removed:,} ids are not in {space}", err=True)
    typer.echo(f"{space}: {removed:,} removed")
