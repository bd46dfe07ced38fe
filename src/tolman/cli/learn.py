"""tolman learn"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tolman.cli.parameters import PATH, column_options, json_option
from tolman.cli.printing import print_columns, print_json
from tolman.cli.watching import progress_on_stderr

if TYPE_CHECKING:
    from tolman.recipe import Size


@click.command()
@click.argument("source")
@click.option("-o", "--output", metavar="NAME.space", type=PATH, help="Where to write.  [default: named after SOURCE]")
@column_options
@click.option(
    "--base",
    default="scratch",
    show_default=True,
    help="scratch, minilm, a model folder or a hub id; scratch+minilm puts two side by side.",
)
@click.option("--objectives", metavar="LIST", help="What to learn by, with commas; none takes the base as it is.")
@click.option("--size", type=click.Choice(["tiny", "small", "base"]), help="How big.  [default: by the corpus]")
@click.option(
    "--budget", metavar="TIME", default="60s", show_default=True, help="How long to learn: 60s, 5m, 2h; see above."
)
@click.option("--dry-run", is_flag=True, help="Say what it would cost, and learn nothing.")
@json_option
@click.option("--tensorboard", metavar="DIR", type=PATH, help="Write curves there for TensorBoard, as they grow.")
@click.option("--wandb", metavar="PROJECT", help="Send curves to Weights & Biases, as they grow.")
@click.option("--seed", default=0, show_default=True, help="For repeatable runs.")
def learn(
    source: str,
    *,
    output: Path | None,
    text: str | None,
    title: str | None,
    id: str | None,
    label: str | None,
    base: str,
    objectives: str | None,
    size: "Size | None",
    budget: str,
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
    """
    if json and not dry_run:
        raise click.UsageError("--json goes with --dry-run")
    path = output or default_output(source)
    asked: dict[str, Any] = {"base": base, "objectives": objectives, "size": size, "budget": budget, "seed": seed}
    asked |= {"text": text, "title": title, "id": id, "label": label}
    if dry_run:
        _predict(source, path, asked, json=json)
    else:
        _learn(source, path, asked, tensorboard=tensorboard, wandb=wandb)


def _predict(source: str, path: Path, asked: dict[str, Any], *, json: bool) -> None:
    from tolman.learning import predict_cost
    from tolman.prediction import show_prediction

    with progress_on_stderr() as progress:
        prediction = predict_cost(source, path, **asked, progress=progress)
    if json:
        print_json(prediction.to_json())
    else:
        print_columns(show_prediction(prediction))


def _learn(source: str, path: Path, asked: dict[str, Any], *, tensorboard: Path | None, wandb: str | None) -> None:
    from tolman.learning import learn as learn_space
    from tolman.tracking import tracked

    with (
        progress_on_stderr() as shown,
        tracked(shown, name=path.stem, tensorboard=tensorboard, wandb=wandb) as progress,
    ):
        space = learn_space(source, path, **asked, progress=progress)
    click.echo(f"{space.path}: {len(space):,} documents, {space.dim} dimensions")
    click.echo(f'the report: {space.path / "card.md"}; try: tolman search {space.path} "your question"', err=True)


def default_output(source: str) -> Path:
    """`tickets.space` for `data/tickets.csv.gz`, `stdlib.space` for `python:stdlib`."""
    name = source.partition(":")[2] if source.startswith("python:") else Path(source).resolve().name.partition(".")[0]
    return Path(f"{name or 'documents'}.space")
