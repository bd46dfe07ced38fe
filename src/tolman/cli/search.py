"""tolman search"""

import shutil
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tolman.cli.parameters import PATH, json_option, space_argument
from tolman.cli.printing import print_json, shown
from tolman.cli.stdin import or_stdin
from tolman.cli.watching import progress_on_stderr

if TYPE_CHECKING:
    from tolman.search import Hit, Mode, SearchResult


@click.command()
@space_argument
@click.argument("query", required=False)
@click.option("-k", type=int, help="How many hits.  [default: 10, or all where there are fewer]")
@click.option(
    "--mode",
    type=click.Choice(["hybrid", "dense", "lexical"]),
    default="hybrid",
    show_default=True,
    help="By meaning and words, by meaning, by words.",
)
@click.option("--where", metavar="SQL", help="Only documents whose metadata fulfils this.")
@click.option(
    "--queries",
    metavar="FILE",
    type=PATH,
    help="A .jsonl of `_id` (else: 1, 2, ...) and `text`, - for stdin: answer each.",
)
@click.option("--version", metavar="N", type=int, help="Search an earlier version (see tolman info).")
@json_option
def search(
    space: Path,
    *,
    query: str | None,
    k: int | None,
    mode: "Mode",
    where: str | None,
    queries: Path | None,
    version: int | None,
    json: bool,
) -> None:
    """Find the documents of SPACE nearest to QUERY.

    Each hit has a score, which sorts them, and the probability that it is relevant, as calibrated when the space was
    learned. With --queries and --json every query gives one line of JSON. WORD~HINT in a query (bank~river), or the
    number of a sense (bank~2, see tolman senses), puts documents with that sense of the word first.

    \b
    Examples:
      tolman search tickets.space "refund never arrived"
      tolman search tickets.space "late delivery" -k 3 --where "year > 2020"
      tolman search tickets.space --queries questions.jsonl --json > answers.jsonl
    """
    if (query is None) == (queries is None):
        raise click.UsageError("give either a QUERY or --queries FILE")
    from tolman.space.space import open_space

    opened = open_space(space, version=version)
    if query is not None:
        result = opened.search(query, k, mode=mode, where=where)
        print_json(as_json(result)) if json else print_result(result)
    elif queries is not None:
        from tolman.evaluation import read_queries

        with progress_on_stderr() as progress, or_stdin(queries) as file:
            asked = read_queries(file, progress)
        results = opened.search_many(list(asked.values()), k, mode=mode, where=where)
        print_answers(asked, results, json=json)


def print_answers(names: Iterable[str], results: Iterable["SearchResult"], *, json: bool) -> None:
    """The result of each query under its name: JSON Lines, or blocks for people."""
    for name, result in zip(names, results, strict=True):
        if json:
            print_json({"_id": name, **as_json(result)}, indent=None)
        else:
            click.echo(shown(f"{name}: {result.query}"))
            print_result(result)
            click.echo()


def as_json(result: "SearchResult") -> dict[str, Any]:
    """`result` as a mapping of plain values."""
    hits = [asdict(hit) for hit in result]
    answer = {"query": result.query, "mode": result.mode, "relevant": result.relevant, "hits": hits}
    return {**answer, "senses": [asdict(choice) for choice in result.senses]} if result.senses else answer


def print_result(result: "SearchResult") -> None:
    """Hits for people: a line with the facts, under it the passage that matched; what became of senses on stderr."""
    for choice in result.senses:
        told = choice.note or f"sense {choice.number} ({', '.join(choice.words[:5])})"
        click.echo(shown(f"{choice.word}~{choice.hint}{' is read as text' if choice.note else ''}: {told}"), err=True)
    if not len(result):
        click.echo("no document matches")
        return
    if not result.relevant:
        click.echo("nothing relevant found; the nearest:")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
    for rank, hit in enumerate(result, start=1):
        name, title = shown(hit.id), shown(hit.title)
        name = f"{click.style(title, bold=True)}  [{name}]" if title else click.style(name, bold=True)
        click.echo(f"{rank:3d}  {hit.score:.3f}  {_confidence(hit)}  {name}")
        for line in textwrap.wrap(" ".join(hit.snippet.split()), width - 5, max_lines=2, placeholder=" …"):
            click.echo(f"     {shown(line)}")


def _confidence(hit: "Hit") -> str:
    return "   -" if hit.confidence is None else f"{hit.confidence:4.0%}"
