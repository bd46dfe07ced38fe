"""tolman evaluate"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tolman.cli.parameters import PATH, json_option
from tolman.cli.printing import print_columns, print_json
from tolman.cli.stdin import or_stdin
from tolman.cli.watching import progress_on_stderr
from tolman.counting import counted

if TYPE_CHECKING:
    from tolman.evaluation import Estimate, Evaluation
    from tolman.language_evaluation import PairEvaluation, TextEvaluation
    from tolman.reconstruction import ReconstructionEvaluation


@click.command()
@click.argument("model", metavar="SPACE|MODEL", type=PATH)
@click.option(
    "--queries",
    metavar="FILE",
    type=PATH,
    help="A .jsonl of `_id` (else: 1, 2, ...) and `text`, - for stdin.",
)
@click.option(
    "--qrels",
    metavar="FILE",
    type=PATH,
    help="Query id, document id, judgment a line: BEIR's .tsv, or TREC's.",
)
@click.option("--text", metavar="SOURCE", help="Text that it hasn't learned from; whatever `learn` takes.")
@click.option(
    "--pairs",
    metavar="FILE",
    type=PATH,
    multiple=True,
    help="A .jsonl of `sentence_good` and `sentence_bad`, - for stdin; may be repeated.",
)
@click.option("--reconstruct", metavar="SOURCE", help="Text to cut into sentences and write again.")
@click.option(
    "--most",
    metavar="N",
    type=click.IntRange(1),
    help="Of --text: tokens, of a causal model in whole documents; of --reconstruct: sentences; drawn at random.  "
    "[default: all, but of a masked model 20,000 tokens, of --reconstruct 2,000]",
)
@json_option
def evaluate(
    model: Path,
    *,
    queries: Path | None,
    qrels: Path | None,
    text: str | None,
    pairs: tuple[Path, ...],
    reconstruct: str | None,
    most: int | None,
    json: bool,
) -> None:
    """Measure search on queries with known answers, or how well a model guesses and writes text.

    --queries with --qrels: rankings of a space in every mode, BM25 (lexical) beside the others.

    --text: of a causal model the bits per byte and the perplexity, of a masked one the pseudo-perplexity, each token
    hidden once. --pairs: how often the better sentence is the more probable one, a tie counting as wrong.
    --reconstruct: of a model learned by autoencoding, by length in tokens, the share of sentences that come back to
    the letter, and the cosine between the vectors of a sentence and of what was written.

    MODEL is a folder of `learn --no-space` or of transformers.

    \b
    Examples:
      tolman evaluate papers.space --queries queries.jsonl --qrels qrels.tsv
      tolman evaluate papers.model --text unseen.txt
      tolman evaluate papers.model --pairs agreement.jsonl.gz --pairs islands.jsonl.gz
    """
    searching = queries is not None or qrels is not None
    if [searching, text is not None, bool(pairs), reconstruct is not None].count(True) != 1:
        raise click.UsageError("expected one of --queries with --qrels, --text, --pairs and --reconstruct")
    if most is not None and (searching or pairs):
        raise click.UsageError("--most is for --text and --reconstruct")
    if searching:
        if queries is None or qrels is None:
            raise click.UsageError(f"--{'qrels' if queries else 'queries'} is missing: they go together")
        measure_search(model, queries, qrels, json=json)
    elif text is not None:
        measure_text(model, text, most, json=json)
    elif pairs:
        measure_pairs(model, pairs, json=json)
    elif reconstruct is not None:
        measure_reconstruction(model, reconstruct, most, json=json)


def measure_search(space: Path, queries: Path, qrels: Path, *, json: bool) -> None:
    """--queries --qrels."""
    from tolman.evaluation import evaluate as evaluate_space
    from tolman.space.space import open_space

    with progress_on_stderr() as progress, or_stdin(queries) as file:
        found = evaluate_space(open_space(space), file, qrels, progress)
    print_json(found.to_json()) if json else print_search(found)


def measure_text(model: Path, text: str, most: int | None, *, json: bool) -> None:
    """--text."""
    from tolman.language_evaluation import evaluate_text

    with progress_on_stderr() as progress:
        found = evaluate_text(model, text, most=most, progress=progress)
    print_json(_without_none(found.to_json())) if json else print_text(found)


def measure_pairs(model: Path, pairs: tuple[Path, ...], *, json: bool) -> None:
    """--pairs."""
    from tolman.language_evaluation import evaluate_pairs

    with progress_on_stderr() as progress:
        if pairs == (Path("-"),):
            with or_stdin(pairs[0]) as file:
                found = evaluate_pairs(model, [file], progress=progress)
        else:
            found = evaluate_pairs(model, pairs, progress=progress)
    print_json(found.to_json()) if json else print_pairs(found)


def measure_reconstruction(model: Path, text: str, most: int | None, *, json: bool) -> None:
    """--reconstruct."""
    from tolman.reconstruction import evaluate_reconstruction

    with progress_on_stderr() as progress:
        found = evaluate_reconstruction(model, text, most=most, progress=progress)
    print_json(found.to_json()) if json else print_reconstruction(found)


def print_search(found: "Evaluation") -> None:
    """A line a mode."""
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


def print_text(found: "TextEvaluation") -> None:
    """A line a kind of model."""
    if found.causal:
        one = found.causal
        click.echo(
            f"causal: {one.bits_per_byte:.4f} bits per byte, perplexity {one.perplexity:.2f} per token "
            f"({one.documents:,} of {counted(one.all_documents, 'document')}, {one.tokens:,} tokens, "
            f"{counted(one.bytes, 'byte')})"
        )
    if found.masked:
        other = found.masked
        click.echo(
            f"masked: pseudo-perplexity {other.pseudo_perplexity:.2f} per token ({other.tokens:,} of "
            f"{counted(other.all_tokens, 'token')})"
        )


def print_pairs(found: "PairEvaluation") -> None:
    """A line a file, and one for all."""
    rows = [["", "", "accuracy", "pairs", "ties"]]
    for kind, files in found.files.items():
        results = dict(files) if len(files) == 1 else {**files, "all": found.overall[kind]}
        for name, one in results.items():
            rows.append([kind, Path(name).name, _show(one.accuracy), f"{one.pairs:,}", f"{one.ties:,}"])
    print_columns(rows)
    click.echo("in brackets 95 % intervals; a tie counts as wrong")


def print_reconstruction(found: "ReconstructionEvaluation") -> None:
    """A line a length, and one for all."""
    rows = [["tokens", "exact", "cosine", "sentences"]]
    for name, one in {**found.lengths, "all": found.overall}.items():
        rows.append([name, _show(one.exact), f"{one.cosine:.3f}", f"{one.sentences:,}"])
    print_columns(rows)
    left = f"; {counted(found.left_out, 'longer sentence')} left out" if found.left_out else ""
    click.echo(f"from {found.numbers} numbers a sentence; in brackets 95 % intervals{left}")


def _show(estimate: "Estimate") -> str:
    return f"{estimate.mean:.3f} ({estimate.low:.3f}-{estimate.high:.3f})"


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
