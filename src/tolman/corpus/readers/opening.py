"""Which reader a path gets: by its extension."""

from collections.abc import Callable
from pathlib import Path

from tolman.corpus.readers.columnar import open_parquet
from tolman.corpus.readers.delimited import open_csv, open_tsv
from tolman.corpus.readers.folder import PAGE_READERS, open_folder, open_page
from tolman.corpus.readers.jsonl import open_jsonl
from tolman.corpus.readers.source import Source
from tolman.corpus.readers.text import open_text
from tolman.errors import SourceError

# Extension -> reader of a file with many documents. Each is also read with .gz behind it.
READERS: dict[str, Callable[[Path], Source]] = {
    ".jsonl": open_jsonl,
    ".ndjson": open_jsonl,
    ".csv": open_csv,
    ".tsv": open_tsv,
    ".parquet": open_parquet,
    ".txt": open_text,
}


def open_path(path: Path) -> Source:
    """The source at `path`, a file or a folder.

    Raises:
        SourceError: nothing is there, or nothing that a reader knows.
    """
    try:
        if path.is_dir():
            return open_folder(path)
        if not path.exists() and path.name == "-":
            raise SourceError("stdin isn't read: write it to a file whose name says what it holds, like tickets.jsonl")
        if not path.exists():
            raise SourceError(f"there is no file or folder {path}")
    except OSError as error:  # a folder above it may not be entered
        raise SourceError(f"can't read {path}: {error.strerror or error}") from None
    packed = path.suffix.lower() == ".gz"
    extension = Path(path.stem).suffix.lower() if packed else path.suffix.lower()
    if extension in READERS:
        return READERS[extension](path)
    if extension in PAGE_READERS and not packed:
        return open_page(path)
    pages = " ".join(sorted(PAGE_READERS.keys() - READERS.keys()))
    raise SourceError(f"{path} has no known extension: expected {' '.join(READERS)} (each also .gz), or {pages}")
