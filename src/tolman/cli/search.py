"""tolman search"""

import shutil
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from tolman.cli.printing import JsonOption, print_json

Mode: TypeAlias = Literal["hybrid", "dense", "lexical"]

if TYPE_CHECKING:
    from tolman.search import Hit, SearchResult


def search(
    space: Annotated[Path, typer.Argument(metavar="SPACE", help="A folder that `tolman learn` wrote.")],
    query: Annotated[str | None, typer.Argument(metavar="QUERY", help="What to look for.")] = None,
    *,
    k: Annotated[int, typer.Option("-k", help="How many hits.")] = 10,
    mode: Annotated[Mode, typer.Option(help="By words and meaning, by meaning, by words.")] = "hybrid",
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="Only documents whose metadata fulfils this.")
    ] = None,
    queries: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .jsonl of `_id` and `text`: answer each.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(metavar="N", help="Search an earlier version (see tolman info).")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Find the documents nearest to a query.

    The number after a hit is the probability that it is relevant, as calibrated when the space was learned. With
    --queries and --json every query gives one line of JSON.

    \b
    Examples:
      tolman search tickets.space "refund never arrived"
      tolman search tickets.space "late delivery" -k 3 --where "year > 2020"
      tolman search tickets.space --queries questions.jsonl --json > answers.jsonl
    """
    from tolman.space.space import open_space

    if query is not None and queries is None:
        result = open_space(space, version=version).search(query, k, mode=mode, where=where)
        print_json(as_json(result)) if json else print_result(result)
    elif queries is not None and query is None:
        from tolman.evaluation import read_queries

        asked = read_queries(queries)
        results = open_space(space, version=version).search_many(list(asked.values()), k, mode=mode, where=where)
        print_answers(asked, results, json)
    else:
        raise typer.BadParameter("give either a QUERY or --queries FILE", param_hint="QUERY")


def print_answers(names: Iterable[str], results: Iterable["SearchResult"], json: bool) -> None:
    """The result of each query under its name: JSON Lines, or blocks for people."""
    for name, result in zip(names, results, strict=True):
        if json:
            print_json({"_id": name, **as_json(result)}, indent=None)
        else:
            typer.echo(f"{name}: {result.query}")
            print_result(result)
            typer.echo()


def as_json(result: "SearchResult") -> dict[str, Any]:
    """`result` as a mapping of plain values."""
    return {
        "query": result.query,
        "mode": result.mode,
        "relevant": result.relevant,
        "hits": [asdict(hit) for hit in result],
    }


def print_result(result: "SearchResult") -> None:
    """Hits for people: a line with the facts, under it the passage that matched."""
    if not len(result):
        typer.echo("no document matches")
        return
    if not result.relevant:
        typer.echo("nothing relevant found; the nearest:")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
    for rank, hit in enumerate(result, start=1):
        typer.echo(
            f"{rank:3d}  {hit.score:.3f}  {_confidence(hit)}  {_bold(hit.title or hit.id)}"
            + (f"  [{hit.id}]" if hit.title else "")
        )
        for line in textwrap.wrap(" ".join(hit.snippet.split()), width - 5, max_lines=2, placeholder=" ..."):
            typer.echo(f"     {line}")


def _confidence(hit: "Hit") -> str:
    return "   -" if hit.confidence is None else f"{hit.confidence:4.0%}"


def _bold(text: str) -> str:
    return typer.style(text, bold=True) if sys.stdout.isatty() else text
