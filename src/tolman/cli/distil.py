"""tolman distil"""

from pathlib import Path

import click

from tolman.cli.parameters import PATH, json_option, space_argument
from tolman.cli.printing import print_json
from tolman.cli.watching import progress_on_stderr
from tolman.counting import counted


@click.command()
@space_argument
@click.option(
    "-o", "--output", metavar="NAME.space", type=PATH, help="Where to write.  [default: NAME-distilled.space]"
)
@click.option("--budget", metavar="TIME", default="60s", show_default=True, help="How long to learn: 60s, 5m, 2h.")
@click.option("--seed", default=0, show_default=True, help="For repeatable runs.")
@json_option
def distil(space: Path, *, output: Path | None, budget: str, seed: int, json: bool) -> None:
    """Distil the encoder of a space into a static one.

    Makes a space of the same documents whose encoder needs no torch and is a hundred times as fast or more, and says
    what it lost. It knows the words of these documents only.

    The budget counts what the old encoder reads, and learning; encoding the documents anew comes on top.

    \b
    Example:
      tolman distil papers.space -o papers-fast.space
    """
    from tolman.distillation import distil as distil_space
    from tolman.distillation import show_lost

    with progress_on_stderr() as progress:
        made = distil_space(space, output, budget=budget, seed=seed, progress=progress)
    lost = made.description.recipe["distillation"]
    if json:
        facts = {"path": str(made.path), "documents": len(made), "dim": made.dim}
        print_json(facts | {"distillation": lost or None, "quality": made.description.quality})
        return
    click.echo(f"{made.path}: {counted(len(made), 'document')}, {counted(made.dim, 'dimension')}")
    click.echo(show_lost(lost))
    click.echo(f"the report: {made.path / 'card.md'}", err=True)
