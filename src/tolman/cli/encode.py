"""tolman encode"""

from pathlib import Path
from typing import Annotated

import typer

from tolman.cli.watching import progress_on_stderr


def encode(
    encoder: Annotated[
        str, typer.Argument(metavar="SPACE|ENCODER", help="A space, a model folder, minilm or a hub id.")
    ],
    texts: Annotated[
        Path, typer.Argument(metavar="FILE", help=".txt with one text a line, or .jsonl with `text` (and `title`).")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.npy", help="Where to write.")],
    query: Annotated[bool, typer.Option("--query", help="Encode as queries, not as documents.")] = False,
) -> None:
    """Write the vectors of many texts.

    Unit vectors, float32 (N, D), one row a text, in order. Memory doesn't grow with the file. A run that was
    killed goes on where it stopped.

    \b
    Example:
      tolman encode tickets.space questions.txt -o questions.npy --query
    """
    from tolman.encoding import encode_file
    from tolman.models import load_encoder
    from tolman.models.pretrained import resolve_base

    with progress_on_stderr() as progress:
        inside = Path(encoder) / "encoder"
        folder = inside if inside.is_dir() else resolve_base(encoder, progress)
        rows, dim = encode_file(load_encoder(folder), texts, output, "query" if query else "document", progress)
    typer.echo(f"{output}: {rows:,} x {dim} float32")
