"""The documents of a new space: a corpus, encoded and stored batch by batch."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from tolman.errors import SpaceError
from tolman.models.encoder import Encoder
from tolman.progress import Progress
from tolman.space.rows import as_rows
from tolman.space.store import DocumentStore, document_schema

if TYPE_CHECKING:
    from tolman.corpus.corpus import Corpus


def column_schema(corpus: "Corpus", encoder: Encoder) -> pa.Schema:
    """The columns of a space made of `corpus` by `encoder`.

    Raises:
        SourceError: a metadata column has a name that Tolman uses itself.
    """
    return document_schema(
        encoder.dim, pa.schema([corpus.table.schema.field(name) for name in corpus.metadata_columns])
    )


def fill(path: Path, corpus: "Corpus", encoder: Encoder, progress: Progress, *, together: int) -> None:
    """Encode and store, from where an earlier attempt stopped.

    Args:
        path: of the documents; made if it isn't there.
        corpus, encoder: what, and by what.
        progress: who watches.
        together: documents at a time.
    """
    try:
        store = DocumentStore(path)
    except SpaceError:
        store = DocumentStore.create(path, column_schema(corpus, encoder))
    done = len(store)
    progress.start("encoding", len(corpus))
    progress.advance(done)
    for start, batch in _numbered(corpus.batches(together)):
        fresh = pa.Table.from_batches([batch]).slice(max(0, done - start))
        if len(fresh):
            store.append(as_rows(encoder, fresh, store.schema))
            progress.advance(len(fresh))


def _numbered(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Each batch with the place of its first row."""
    start = 0
    for batch in batches:
        yield start, batch
        start += len(batch)
