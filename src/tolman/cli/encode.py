"""tolman encode"""

from pathlib import Path

import click

from tolman.cli.parameters import PATH
from tolman.cli.watching import progress_on_stderr


@click.command()
@click.argument("encoder", metavar="SPACE|ENCODER")
@click.argument("texts", metavar="FILE", type=PATH)
@click.option("-o", "--output", metavar="OUT.npy", type=PATH, required=True, help="Where to write.")
@click.option("--query", is_flag=True, help="Encode as queries, not as documents.")
def encode(encoder: str, texts: Path, *, output: Path, query: bool) -> None:
    """Write the vectors of many texts.

    Unit vectors, float32 (N, D), one row a text, in order. FILE is a .txt with one text a line, or a .jsonl with `text`
    (and `title`). ENCODER is a model folder, minilm or a hub id.

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
        rows, dim = encode_file(loaded, texts, output, "query" if query else "document", progress)
    click.echo(f"{output}: {rows:,} x {dim} float32")
