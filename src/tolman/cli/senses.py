"""tolman senses"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tolman.cli.parameters import json_option, space_argument
from tolman.cli.printing import print_json, shown
from tolman.cli.watching import progress_on_stderr
from tolman.counting import counted
from tolman.errors import QueryError

if TYPE_CHECKING:
    from tolman.senses.word_senses import Example, WordSenses


@click.command()
@space_argument
@click.argument("word")
@click.option(
    "--occurrences", is_flag=True, help="One line of JSON for each occurrence: id, start, end, sense, confidence."
)
@click.option("-k", type=int, default=2, show_default=True, help="How many typical contexts of each sense.")
@click.option("--exact", is_flag=True, help="Only WORD as it stands, none of its other forms.")
@json_option
def senses(space: Path, word: str, *, occurrences: bool, k: int, exact: bool, json: bool) -> None:
    """Tell the senses of WORD apart, by what stands around it in the documents of SPACE.

    For each sense: its number, how many occurrences are in it and what share of all, how sure that is in the mean, the
    words that tell it from the others, and typical contexts. A search for WORD~HINT (bank~river) or WORD~NUMBER finds
    documents with one sense first. What was found is kept in derived/ of the space.

    \b
    Examples:
      tolman senses tickets.space charge
      tolman senses tickets.space charge --occurrences > charge.jsonl
      tolman search tickets.space "charge~card"
    """
    _require_count(k)
    from tolman.space.space import open_space

    with progress_on_stderr() as progress:
        found = open_space(space).senses(word, exact=exact, progress=progress)
    if occurrences:
        for occurrence in found.occurrences:
            print_json(asdict(occurrence), indent=None)
    elif json:
        print_json(found.to_json())
    else:
        print_senses(found, k)


def print_senses(found: "WordSenses", contexts: int) -> None:
    """The senses for people: a line with the facts, under it the words and contexts."""
    forms = f" (as {', '.join(found.forms)})" if len(found.forms) > 1 else ""
    seen = counted(len(found.occurrences), "occurrence") + ("" if found.whole else ", a sample,")
    within = counted(found.documents, "document")
    click.echo(shown(f"{found.word}{forms}: {counted(len(found), 'sense')}, {seen} in {within}"))
    for sense in found.senses:
        head = (
            f"{sense.number:3d}  {sense.share:4.0%}  {counted(sense.size, 'occurrence')}, sure {sense.confidence:.0%}"
        )
        click.echo(f"\n{click.style(head, bold=True)}")
        click.echo(f"     {shown(', '.join(sense.words)) or '(no word tells it from the others)'}")
        for example in sense.examples[:contexts]:
            click.echo(f"     {_marked(example)}  [{shown(example.document)}]")


def _marked(example: "Example") -> str:
    """The context on one line, the word between stars."""
    before, after = example.text[: example.start], example.text[example.end :]
    return shown(" ".join(f"{before}*{example.text[example.start : example.end]}*{after}".split()))


def _require_count(contexts: int) -> None:
    if contexts < 0:
        raise QueryError(f"expected a number of contexts, got {contexts}")
