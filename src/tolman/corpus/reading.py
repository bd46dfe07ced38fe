"""Read a corpus from whatever holds documents."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from tolman.corpus.builder import Batch, CorpusBuilder
from tolman.corpus.columns import ROLES, head_of, settle_roles, usual_role
from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.corpus.metadata import KEPT_FREE, OWN, free_name, typed
from tolman.corpus.readers.memory import collected, open_arrow, open_iterable
from tolman.corpus.readers.opening import open_path
from tolman.corpus.readers.python_code import PREFIX, open_python
from tolman.corpus.readers.source import CHUNK_ROWS, Column, Rows, Source
from tolman.errors import SourceError
from tolman.progress import Progress, Silent

Readable: TypeAlias = "str | Path | Corpus | Iterable[Any]"


def read_corpus(
    source: Readable,
    *,
    text: str | None = None,
    title: str | None = None,
    id: str | None = None,
    label: str | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Read documents, clean them, merge exact duplicates.

    Args:
        source: a .jsonl, .csv, .tsv, .parquet or .txt file (each also .gz); a folder of .txt, .md, .html, .pdf and
            .docx files, or one of these; "python:stdlib" or "python:PACKAGE" for the docstrings of installed code; or,
            in memory, texts, mappings, Documents, an Arrow table or array, a pandas or polars data frame; or a Corpus,
            which is given back as it is.
        text, title, id, label: columns that play these roles. Those not named are guessed, and the guesses are in
            `Corpus.report`. Without an id column a document's id is a digest of its title and text.
        progress: who watches.

    Returns:
        At least one document.

    Raises:
        SourceError: the source can't be read, lacks a named column, contradicts itself, or holds no text; or columns
            were named for a Corpus, where they are settled.
        MissingExtra: the source needs a package that isn't installed.
        StorageError: the disk refused; documents over 64 MB wait in the system's temporary folder.
    """
    named = {"text": text, "title": title, "id": id, "label": label}
    if isinstance(source, Corpus):
        role = next((role for role, column in named.items() if column is not None), None)
        if role:
            raise SourceError(f"a Corpus has its columns settled, got {role}={named[role]!r}: name it to read_corpus")
        return source
    corpus = _build(_opened(source), named, progress or Silent())
    if not len(corpus):
        report = corpus.report
        every = "its only document is" if report.read == 1 else f"all {report.read:,} documents read are"
        found = f"{every} empty" if report.read else "it holds no documents"
        raise SourceError(f"{report.source} has no text: {found}")
    return corpus


def read_documents(documents: Iterable[Document]) -> Corpus:
    """`Corpus.from_documents`: like `read_corpus`, but none at all are a corpus too."""
    return _build(open_iterable(documents), {}, Silent())


def _opened(source: Any) -> Source:
    if isinstance(source, str) and not source.strip():
        raise SourceError("expected a path, got an empty one: the folder you are in is called '.'")
    if isinstance(source, str) and source.startswith(PREFIX):
        return open_python(source)
    if isinstance(source, str | Path):
        return open_path(Path(source).expanduser())
    if isinstance(source, pa.Array | pa.ChunkedArray):
        return open_iterable(value.as_py() for value in source)
    if type(source).__module__.partition(".")[0] == "polars" and hasattr(source, "collect"):  # a lazy frame
        source = collected(source)
    if hasattr(source, "__arrow_c_stream__") and not hasattr(source, "to_list"):  # a column has a to_list, a table not
        return open_arrow(source)
    if isinstance(source, Mapping | bytes) or not isinstance(source, Iterable):
        raise SourceError(f"expected a path, texts, mappings, Documents or a table; got {type(source).__name__}")
    return open_iterable(source)


def _build(source: Source, named: Mapping[str, str | None], progress: Progress) -> Corpus:
    builder = CorpusBuilder(source.name, source.unit)
    progress.start("reading")
    try:
        head = head_of(source, named)
        roles, notes = settle_roles(source, head, named)
        names = _MetadataNames(roles, source.unit)
        for rows in chain(head, source.rows):
            builder.add(_batch(rows, roles, names, source.spelled))
            progress.advance(len(rows.places), documents=builder.read)
        notes += [*source.notes, *names.notes]
        corpus = builder.finish({role: column for role, column in roles.items() if role in ROLES}, notes)
    except BaseException:
        builder.discard()
        raise
    for note in corpus.report.notes:
        progress.say(note)
    return corpus


class _MetadataNames:
    """Column of the source -> name in the corpus, settled when a column first appears."""

    def __init__(self, roles: Mapping[str, str], unit: str) -> None:
        self._roles, self._unit = roles, unit
        self._names: dict[str, str] = {}
        self.notes: list[str] = []

    def of(self, rows: Rows) -> Iterator[tuple[str, Column]]:
        """(name, values) of the columns that play no role."""
        for column, values in rows.columns.items():
            if column in self._roles.values():
                continue
            if column not in self._names:
                self._settle(column, rows.places[0])
            yield self._names[column], values

    def _settle(self, column: str, place: int) -> None:
        self._names[column] = name = free_name(column, frozenset(self._names.values()))
        if name != column:
            self.notes.append(f"column {column!r} is called {name!r} here: {_why_renamed(column)}")
        role = usual_role(column)
        if role and role not in self._roles and place > CHUNK_ROWS:
            self.notes.append(
                f"column {column!r} first appears after {self._unit} {place}, too late to be guessed: "
                f"name it if it is the {role}"
            )


def _why_renamed(column: str) -> str:
    if column in OWN:
        return "Tolman has a column of that name"
    return "that name is reserved for later" if column in KEPT_FREE else "it can be searched by that name"


def _batch(rows: Rows, roles: Mapping[str, str], names: _MetadataNames, spelled: bool) -> Batch:
    def values(role: str) -> list[Any] | None:
        column = rows.columns.get(roles[role]) if role in roles else None
        return column.to_pylist() if isinstance(column, pa.Array) else None if column is None else list(column)

    return Batch(
        texts=values("text") or [None] * len(rows.places),
        places=rows.places,
        titles=values("title"),
        ids=values("id"),
        labels=values("label"),
        duplicate_ids=values("duplicate_ids"),
        metadata={name: typed(column, parse=spelled) for name, column in names.of(rows)},
    )
