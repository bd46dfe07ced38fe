"""tolman encode"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tolman.cli.parameters import PATH
from tolman.cli.watching import progress_on_stderr

if TYPE_CHECKING:
    from tolman.models.encoder import Role


@click.command()
@click.argument("encoder", metavar="SPACE|ENCODER")
@click.argument("texts", metavar="FILE", type=PATH)
@click.option("-o", "--output", metavar="OUT.npy", type=PATH, required=True, help="Where to write.")
@click.option("--text", metavar="COLUMN", help="Where the text is.  [default: guessed]")
@click.option("--title", metavar="COLUMN", help="Where the title is.  [default: guessed]")
@click.option("--query", is_flag=True, help="Encode as queries, not as documents.")
def encode(encoder: str, texts: Path, *, output: Path, text: str | None, title: str | None, query: bool) -> None:
    """Write the vectors of many texts.

    Unit vectors, float32 (N, D), one row a text, in order. FILE is a .txt with one text a line, a .jsonl, or a .csv,
    .tsv or .parquet (each also .gz); no row is left out: one without a text gets the vector of the empty text. ENCODER
    is a model folder, minilm or a hub id. An OUT.npy that is there is replaced; any other file is refused.

    Memory doesn't grow with the file. A run that was killed goes on where it stopped.

    \b
    Example:
      tolman encode tickets.space questions.txt -o questions.npy --query
    """
    from tolman.encoding import encode_file
    from tolman.models import load_encoder
    from tolman.models.pretrained import resolve_base
    from tolman.space.description import is_space
    from tolman.space.space import open_space

    with progress_on_stderr() as progress:
        inside = is_space(Path(encoder))
        loaded = open_space(encoder).encoder if inside else load_encoder(resolve_base(encoder, progress))
        role: Role = "query" if query else "document"
        rows, dim = encode_file(loaded, texts, output, role, progress, text=text, title=title)
    click.echo(f"{output}: {rows:,} x {dim} float32")
