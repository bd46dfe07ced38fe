"""tolman words"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tolman.cli.parameters import json_option, space_argument
from tolman.cli.printing import print_columns, print_json, shown
from tolman.cli.watching import progress_on_stderr

if TYPE_CHECKING:
    from tolman.words import NearWord, WordCluster


@click.command()
@space_argument
@click.argument("word", nargs=-1)
@click.option("--analogy", nargs=3, metavar="A B C", help="What is to C as B is to A.")
@click.option("--document", metavar="ID", help="The words nearest to a document.")
@click.option("--clusters", metavar="N", type=int, help="All words and phrases in N clusters.")
@click.option("-k", type=int, default=10, show_default=True, help="How many words; of a cluster, how many are shown.")
@json_option
def words(
    space: Path,
    word: Sequence[str],
    *,
    analogy: tuple[str, str, str] | None,
    document: str | None,
    clusters: int | None,
    k: int,
    json: bool,
) -> None:
    """Show the words and phrases of SPACE that are near to WORD, which may be a phrase.

    Without WORD or any flag: those in most documents. Scores are cosines between words, or of a document and words.

    \b
    Examples:
      tolman words tickets.space refund
      tolman words tickets.space credit card
      tolman words tickets.space --analogy parcel courier invoice
      tolman words tickets.space --clusters 12
    """
    if sum([bool(word), analogy is not None, document is not None, clusters is not None]) > 1:
        raise click.UsageError("give one of WORD, --analogy, --document and --clusters")
    from tolman.space.space import open_space

    with progress_on_stderr() as progress:
        known = open_space(space).words(progress=progress)
    if clusters is not None:
        found = known.clusters(clusters)
        print_json([asdict(cluster) for cluster in found]) if json else _print_clusters(found, k)
    elif word or analogy or document is not None:
        if analogy:
            near = known.analogy(*analogy, k=k)
        else:
            near = known.near(" ".join(word), k) if document is None else known.near_document(document, k)
        print_json([asdict(each) for each in near]) if json else _print_near(near)
    else:
        terms = known.most_frequent(k)
        rows = [("word", "documents"), *((term.text, f"{term.documents:,}") for term in terms)]
        print_json([asdict(term) for term in terms]) if json else print_columns(rows)


def _print_near(near: "Sequence[NearWord]") -> None:
    print_columns(
        [("word", "score", "documents"), *((each.text, f"{each.score:.3f}", f"{each.documents:,}") for each in near)]
    )


def _print_clusters(clusters: "Sequence[WordCluster]", most: int) -> None:
    for cluster in clusters:
        click.echo(f"{len(cluster.words):5d}  {shown(', '.join(each.text for each in cluster.words[:most]))}")
