"""A folder of files, one document each; or one such file."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tolman.corpus.readers.page import Page, read_markdown, read_text_page
from tolman.corpus.readers.rich_page import read_docx, read_html, read_pdf
from tolman.corpus.readers.source import Source, by_column
from tolman.counting import counted
from tolman.errors import SourceError

# Extension -> reader of a file that is one document.
PAGE_READERS: dict[str, Callable[[Path, list[str]], Page]] = {
    ".txt": read_text_page,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".pdf": read_pdf,
    ".docx": read_docx,
}
_ROLES = {"text": "text", "title": "title", "id": "id"}
_FILES_NAMED, _KINDS_NAMED = 5, 5
# A folder with one of these is a latent space, or one in the making: its model cards and word lists are no documents.
SPACE_FILES = frozenset(("space.json", "staging.json", "staging.lock"))


def open_folder(folder: Path) -> Source:
    """Every file below `folder` with a known extension, in the order of their paths; hidden ones are left out.

    The id is the path from `folder`, the title what the file names as such, else its name. Latent spaces below it, and
    files that can't be read, are left out with a note.

    Raises:
        SourceError: the folder can't be read, is a latent space, or holds no file that can be read.
    """
    if any((folder / name).is_file() for name in SPACE_FILES):
        raise SourceError(f"{folder} is a latent space, not a folder of texts: name what it was learned from")
    notes: list[str] = []
    files = list(_files_below(folder, notes))
    known = [file for file in files if file.suffix.lower() in PAGE_READERS]
    others = Counter(file.suffix.lower() or "no extension" for file in files if file.suffix.lower() not in PAGE_READERS)
    kinds = ", ".join(f"{kind} ({count})" for kind, count in others.most_common(_KINDS_NAMED))
    if not known:
        found = f"it holds {kinds}; name a single file to read that" if kinds else "it is empty"
        raise SourceError(f"{folder} has no {' '.join(PAGE_READERS)} files: {found}")
    if others:
        notes.append(f"left out {counted(others.total(), 'file')} of other kinds: {kinds}")
    return Source(str(folder), by_column(_rows(folder, known, notes)), "file", _ROLES, notes=notes)


def open_page(path: Path) -> Source:
    """A single file as a corpus of one document, for adding it to a space."""
    notes: list[str] = []
    rows = (_row(path.parent, number, path, notes) for number, path in enumerate([path], 1))
    return Source(str(path), by_column(rows), "file", _ROLES, notes=notes)


def _files_below(folder: Path, notes: list[str]) -> Iterator[Path]:
    def refused(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise SourceError(f"can't read the folder {folder}: {error.strerror}")
        notes.append(f"left out a folder that can't be read: {error.filename}")

    for here, inner, names in os.walk(folder, onerror=refused):
        if not SPACE_FILES.isdisjoint(names):
            notes.append(f"left out a latent space: {here}")
            inner.clear()
            continue
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        yield from (Path(here, name) for name in sorted(names) if not name.startswith("."))


def _rows(folder: Path, files: Sequence[Path], notes: list[str]) -> Iterator[tuple[int, dict[str, str], int]]:
    refused: list[SourceError] = []
    said: list[str] = []
    for number, file in enumerate(files, 1):
        try:
            yield _row(folder, number, file, said)
        except SourceError as error:
            refused.append(error)
    if len(refused) == len(files):
        raise SourceError(f"none of {counted(len(files), 'file')} in {folder} can be read; the first: {refused[0]}")
    notes += [f"left out: {error}" for error in refused[:_FILES_NAMED]]
    if len(refused) > _FILES_NAMED:
        notes.append(f"left out {counted(len(refused) - _FILES_NAMED, 'more file')} that can't be read")
    notes += said[:_FILES_NAMED]
    if len(said) > _FILES_NAMED:
        notes.append(f"the like was noted of {counted(len(said) - _FILES_NAMED, 'more file')}")


def _row(folder: Path, number: int, file: Path, notes: list[str]) -> tuple[int, dict[str, str], int]:
    page = PAGE_READERS[file.suffix.lower()](file, notes)
    row = {"id": file.relative_to(folder).as_posix(), "title": page.title.strip() or file.stem, "text": page.text}
    return number, row, len(page.text)
