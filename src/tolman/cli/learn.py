"""tolman learn"""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from tolman.cli.watching import progress_on_stderr

SourceArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A .jsonl .csv .tsv .parquet .txt file (each also .gz), a folder of .txt .md .html .pdf .docx, "
        "or python:stdlib / python:PACKAGE for the docstrings of installed Python code.",
    ),
]
TextOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Where the text is.  [default: guessed]")
]
TitleOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Where the title is.  [default: guessed]")
]
IdOption: TypeAlias = Annotated[str | None, typer.Option(metavar="COLUMN", help="Where the id is.  [default: guessed]")]
LabelOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Where a category is; never learned from, only measured with.")
]


def learn(
    source: SourceArgument,
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="NAME.space", help="Where to write.  [default: SOURCE's name]"),
    ] = None,
    text: TextOption = None,
    title: TitleOption = None,
    id: IdOption = None,
    label: LabelOption = None,
    base: Annotated[
        str, typer.Option(metavar="BASE", help="scratch, minilm, scratch+minilm, a model folder or a hub id.")
    ] = "scratch",
    objectives: Annotated[
        str | None, typer.Option(metavar="LIST", help="What to learn by, with commas; none takes the base as it is.")
    ] = None,
    size: Annotated[
        Literal["tiny", "small", "base"] | None, typer.Option(help="How big.  [default: by the corpus]")
    ] = None,
    budget: Annotated[str, typer.Option(metavar="TIME", help="How long to learn: 60s, 5m, 2h.")] = "60s",
    seed: Annotated[int, typer.Option(help="For repeatable runs.")] = 0,
) -> None:
    """Learn a latent space from a pile of text.

    Measures it, and writes it with its card into one folder. The base scratch needs no download.

    \b
    Examples:
      tolman learn tickets.csv --text body --title subject -o tickets.space
      tolman learn papers/ --budget 5m
      tolman learn python:stdlib --base scratch+minilm
    """
    from tolman.learning import learn as learn_space

    path = output or default_output(source)
    with progress_on_stderr() as progress:
        space = learn_space(
            source,
            path,
            base=base,
            objectives=objectives,
            size=size,
            budget=budget,
            seed=seed,
            text=text,
            title=title,
            id=id,
            label=label,
            progress=progress,
        )
    typer.echo(f"{space.path}: {len(space):,} documents, {space.dim} dimensions")


def default_output(source: str) -> Path:
    """`tickets.space` for `data/tickets.csv.gz`, `stdlib.space` for `python:stdlib`."""
    name = source.partition(":")[2] if source.startswith("python:") else Path(source).resolve().name.partition(".")[0]
    return Path(f"{name or 'documents'}.space")
