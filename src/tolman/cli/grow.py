"""tolman add, tolman remove"""

from pathlib import Path

import click

from tolman.cli.parameters import column_options, space_argument
from tolman.cli.watching import progress_on_stderr
from tolman.counting import counted


@click.command()
@space_argument
@click.argument("source")
@column_options
def add(space: Path, source: str, *, text: str | None, title: str | None, id: str | None, label: str | None) -> None:
    """Add or update documents, without learning anew.

    SOURCE is anything that `tolman learn` reads, or another space with the same encoder, whose vectors are then taken
    as they are. A document whose id SPACE already holds replaces the old one.

    \b
    Example:
      tolman add tickets.space new_tickets.csv --text body --title subject
    """
    from tolman.space.space import open_space

    with progress_on_stderr() as progress:
        report = open_space(space).add(source, progress=progress, text=text, title=title, id=id, label=label)
    click.echo(f"{space}: {report.added:,} added, {report.updated:,} updated, {report.unchanged:,} unchanged")


@click.command()
@space_argument
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def remove(space: Path, ids: tuple[str, ...]) -> None:
    """Remove documents by their ids.

    Ids that SPACE doesn't hold are passed over.

    \b
    Example:
      tolman remove tickets.space tk-17 tk-18
    """
    from tolman.space.space import open_space

    removed, asked = open_space(space).remove(ids), len(set(ids))
    if removed < asked:
        click.echo(f"{counted(asked - removed, 'id is', 'ids are')} not in {space}", err=True)
    click.echo(f"{space}: {removed:,} removed")
