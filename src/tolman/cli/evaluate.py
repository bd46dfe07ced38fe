"""tolman evaluate"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tolman.cli.parameters import PATH, json_option, space_argument
from tolman.cli.printing import print_columns, print_json
from tolman.cli.stdin import or_stdin
from tolman.cli.watching import progress_on_stderr
from tolman.counting import counted

if TYPE_CHECKING:
    from tolman.evaluation import Estimate


@click.command()
@space_argument
@click.option(
    "--queries",
    metavar="FILE",
    type=PATH,
    required=True,
    help="A .jsonl of `_id` (else: 1, 2, ...) and `text`, - for stdin.",
)
@click.option(
    "--qrels",
    metavar="FILE",
    type=PATH,
    required=True,
    help="Query id, document id, judgment a line: BEIR's .tsv, or TREC's.",
)
@json_option
def evaluate(space: Path, *, queries: Path, qrels: Path, json: bool) -> None:
    """Measure search on queries with known answers.

    In every mode, BM25 (lexical) beside the others.

    \b
    Example:
      tolman evaluate papers.space --queries queries.jsonl --qrels qrels.tsv
    """
    from tolman.evaluation import evaluate as evaluate_space
    from tolman.space.space import open_space

    with progress_on_stderr() as progress, or_stdin(queries) as file:
        found = evaluate_space(open_space(space), file, qrels, progress)
    if json:
        print_json(found.to_json())
        return
    if found.missing:
        missing = counted(len(found.missing), "judged document is", "judged documents are")
        click.echo(f"{missing} not in the space: not found, for the measures", err=True)
    rows = [["", "nDCG@10", "recall@10", "recall@100", "MRR@10"]]
    for mode, quality in found.modes.items():
        measures = (quality.ndcg_10, quality.recall_10, quality.recall_100, quality.mrr_10)
        rows.append([mode, *map(_show, measures)])
    print_columns(rows)
    asked, held = counted(found.queries, "query", "queries"), counted(found.documents, "document")
    click.echo(f"{asked}, {held}; in brackets 95 % intervals over queries")


def _show(estimate: "Estimate") -> str:
    return f"{estimate.mean:.3f} ({estimate.low:.3f}-{estimate.high:.3f})"
