"""tolman learn"""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from tolman.cli.parameters import PATH, column_options
from tolman.cli.printing import name_to_type, print_columns, print_json
from tolman.cli.watching import progress_on_stderr
from tolman.counting import counted

if TYPE_CHECKING:
    from tolman.recipe import Size


@click.command()
@click.argument("source")
@click.option("-o", "--output", metavar="NAME.space", type=PATH, help="Where to write.  [default: named after SOURCE]")
@click.option("--no-space", is_flag=True, help="Keep only the model, in a folder that other programs load, too.")
@column_options
@click.option(
    "--base",
    default="scratch",
    show_default=True,
    help="scratch, minilm, a model folder or a hub id; scratch+minilm puts two side by side.",
)
@click.option(
    "--objectives",
    metavar="LIST",
    help="masked, causal, autoencoding, contrastive; with weights: masked=1,causal=0.5. none takes the base as it is.",
)
@click.option(
    "--size",
    type=click.Choice(["tiny", "small", "base"]),
    help="How big.  [default: by the corpus; a transformer: tiny]",
)
@click.option(
    "--budget",
    metavar="TIME",
    default="60s",
    show_default=True,
    help="How long to learn: 60s, 5m, 2h or seconds; see above.",
)
@click.option("--steps", type=int, help="Of a transformer, at most: a run that these end is repeated bit for bit.")
@click.option(
    "--recipe",
    metavar="RECIPE",
    default="usual",
    show_default=True,
    help="Of a static encoder: usual, auto (chosen without labels), or a file that tolman tune wrote.",
)
@click.option("--dry-run", is_flag=True, help="Say what it would cost, and learn nothing.")
@click.option("--json", is_flag=True, help="Print what --dry-run says as JSON.")
@click.option("--tensorboard", metavar="DIR", type=PATH, help="Write curves there for TensorBoard, as they grow.")
@click.option("--wandb", metavar="PROJECT", help="Send curves to Weights & Biases, as they grow.")
@click.option("--seed", default=0, show_default=True, help="For repeatable runs.")
def learn(
    source: str,
    *,
    output: Path | None,
    no_space: bool,
    text: str | None,
    title: str | None,
    id: str | None,
    label: str | None,
    base: str,
    objectives: str | None,
    size: "Size | None",
    budget: str,
    steps: int | None,
    recipe: str,
    dry_run: bool,
    json: bool,
    tensorboard: Path | None,
    wandb: str | None,
    seed: int,
) -> None:
    """Learn a latent space from a pile of text.

    SOURCE is a .jsonl .csv .tsv .parquet .txt file (each also .gz), a folder of .txt .md .html .pdf .docx, or
    python:stdlib / python:PACKAGE for the docstrings of installed Python code.

    Measures the space, and writes it with its card into one folder. The base scratch needs no download.

    The budget ends training. What training starts from counts into it but isn't cut short, and reading before it and
    encoding after it come on top: these take as long as SOURCE needs. --dry-run tells how long, and what else it costs.

    \b
    Examples:
      tolman learn tickets.csv --text body --title subject -o tickets.space
      tolman learn papers/ --budget 5m
      tolman learn papers/ --budget 2h --base transformer --dry-run
      tolman learn python:stdlib --base scratch+minilm
      tolman learn articles.jsonl --objectives masked,contrastive --budget 30m
      tolman learn papers/ --objectives causal --budget 1h --no-space -o papers.model
    """
    if json and not dry_run:
        raise click.UsageError("--json goes with --dry-run")
    asked: dict[str, Any] = {"base": base, "objectives": objectives, "size": size, "budget": budget, "steps": steps}
    asked |= {"recipe": recipe, "seed": seed, "text": text, "title": title, "id": id, "label": label}
    path = output or default_output(source, ".model" if no_space else ".space")
    if dry_run:
        _predict(source, None if no_space else path, asked, json=json)
    else:
        _learn(source, path, asked, no_space=no_space, tensorboard=tensorboard, wandb=wandb)


def _predict(source: str, path: Path | None, asked: dict[str, Any], *, json: bool) -> None:
    from tolman.learning import predict_cost
    from tolman.prediction import show_prediction

    with progress_on_stderr() as progress:
        prediction = predict_cost(source, path, **asked, progress=progress)
    if json:
        print_json(prediction.to_json())
    else:
        print_columns(show_prediction(prediction))


def _learn(
    source: str, path: Path, asked: dict[str, Any], *, no_space: bool, tensorboard: Path | None, wandb: str | None
) -> None:
    from tolman.crew import Crew
    from tolman.learning import learn as learn_space
    from tolman.learning import learn_model
    from tolman.tracking import tracked

    with (
        progress_on_stderr() as shown,
        tracked(shown, name=path.stem, tensorboard=tensorboard, wandb=wandb) as progress,
    ):
        if no_space:
            learn_model(source, path, **asked, progress=progress)
        else:
            space = learn_space(source, path, **asked, progress=progress)
    if not Crew.of_environment().leads:  # of several processes one speaks
        return
    if no_space:
        click.echo(path)
        click.echo(f"how it was made, and how it is used: {path / 'card.md'}", err=True)
        return
    click.echo(f"{space.path}: {counted(len(space), 'document')}, {counted(space.dim, 'dimension')}")
    search = f'{name_to_type()} search {quote(str(space.path))} "your question"'
    click.echo(f"the report: {space.path / 'card.md'}; try: {search}", err=True)


def default_output(source: str, ending: str = ".space") -> Path:
    """`tickets.space` for `data/tickets.csv.gz`, `stdlib.space` for `python:stdlib`."""
    name = source.partition(":")[2] if source.startswith("python:") else Path(source).resolve().name.partition(".")[0]
    return Path(f"{name or 'documents'}{ending}")
