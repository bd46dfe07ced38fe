"""Which reader a path gets: by its extension."""

from collections.abc import Callable
from pathlib import Path

from tolman.corpus.readers.delimited import open_csv, open_tsv
from tolman.corpus.readers.jsonl import open_jsonl
from tolman.corpus.readers.source import Source
from tolman.errors import SourceError

# Extension -> reader of a file with many documents. Each is also read with .gz behind it.
READERS: dict[str, Callable[[Path], Source]] = {
    ".jsonl": open_jsonl,
    ".ndjson": open_jsonl,
    ".csv": open_csv,
    ".tsv": open_tsv,
}


def open_path(path: Path) -> Source:
    """The source at `path`, a file or a folder.

    Raises:
        SourceError: nothing is there, or nothing that a reader knows.
    """
    if not path.exists():
        raise SourceError(f"there is no file or folder {path}")
    extension = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    reader = READERS.get(extension.lower())
    if reader is None:
        raise SourceError(f"expected a file ending in {' '.join(READERS)} (each also .gz); got {path}")
    return reader(path)
