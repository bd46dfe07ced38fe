"""A corpus: cleaned documents, exact duplicates merged, in a fixed order, with a fingerprint of its content."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tolman.corpus.document import Document
from tolman.counting import counted

TEXT_FIELDS = (
    pa.field("id", pa.string()),
    pa.field("title", pa.string()),
    pa.field("text", pa.string()),
    pa.field("label", pa.string()),
    pa.field("duplicate_ids", pa.list_(pa.string())),
)


SLICE_BYTES = 32 * 2**20
"""Text that is worked on at a time."""


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """What reading a source found.

    Attributes:
        source: what was read.
        read: documents in the source.
        empty: how many of them had no text and were dropped.
        duplicates: how many had exactly the title and text of an earlier one, and were merged into it.
        columns: which column of the source plays which role ("text", "title", "id", "label").
        notes: what was guessed, changed or left out, one line each.
    """

    source: str
    read: int
    empty: int = 0
    duplicates: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Corpus:
    """Documents that can be read again and again, in order or by position. `read_corpus` makes one.

    A large one lies on disk, mapped into memory, in a temporary folder that goes when the corpus does.

    Attributes:
        table: Arrow table with the columns id, title ("" where there is none), text, label (null where there is none),
            duplicate_ids, and then the metadata columns.
        fingerprint: sha256 (hex) over ids, titles and texts, in order.
        report: what reading found.
    """

    def __init__(self, table: pa.Table, fingerprint: str, report: CorpusReport, keeper: object = None) -> None:
        """Args: keeper: whatever must live as long as the corpus, like the folder under a mapped `table`."""
        self.table, self.fingerprint, self.report = table, fingerprint, report
        self._keeper = keeper

    @classmethod
    def from_documents(cls, documents: Iterable[Document]) -> "Corpus":
        """Clean and merge `documents`; unlike `read_corpus` it accepts none at all.

        Raises:
            SourceError: an id is repeated with another text.
            StorageError: the disk refused a large one.
        """
        from tolman.corpus.reading import read_documents

        return read_documents(documents)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        held = counted(len(self), "document")
        return f"Corpus({held} from {self.report.source}, fingerprint {self.fingerprint[:12]})"

    def __getitem__(self, row: int) -> Document:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of a corpus of {len(self)} documents")
        return next(_documents(self.table.slice(row % len(self), 1)))

    def __iter__(self) -> Iterator[Document]:
        for batch in self.batches():
            yield from _documents(batch)

    def batches(self, rows: int = 4_096) -> Iterator[pa.RecordBatch]:
        """The table in order, `rows` at a time, fewer where texts are long."""
        for part in slices(self.table, rows):
            yield part.combine_chunks().to_batches()[0]

    def titles(self) -> list[str]:
        """All titles, "" where there is none."""
        titles: list[str] = self.table["title"].to_pylist()
        return titles

    def contents(self, rows: Sequence[int] | None = None) -> list[str]:
        """What is encoded and searched, title and text, of all documents or of those at `rows`."""
        chosen = self.table.select(["title", "text"])
        if rows is not None:
            chosen = chosen.take(pa.array(rows, pa.int64()))
        titled = pc.binary_join_element_wise(chosen["title"], chosen["text"], "\n")
        contents: list[str] = pc.if_else(pc.equal(chosen["title"], ""), chosen["text"], titled).to_pylist()
        return contents

    @property
    def metadata_columns(self) -> tuple[str, ...]:
        """Names of the columns that came with the documents beside id, title, text and label."""
        return tuple(self.table.schema.names[len(TEXT_FIELDS) :])


def slices(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    """A table of documents in order, at most `rows` at a time, and not much text unless a single document has more."""
    until_N = np.cumsum(pc.fill_null(pc.binary_length(table["text"]), 0).to_numpy())
    start, before = 0, 0
    while start < len(table):
        full = int(np.searchsorted(until_N, before + SLICE_BYTES, "right"))
        end = min(start + rows, max(start + 1, full))
        yield table.slice(start, end - start)
        start, before = end, int(until_N[end - 1])


def _documents(rows: pa.Table | pa.RecordBatch) -> Iterator[Document]:
    metadata = rows.schema.names[len(TEXT_FIELDS) :]
    row: dict[str, Any]
    for row in rows.to_pylist():
        yield Document(
            *(row["id"], row["text"], row["title"], row["label"]),
            metadata={name: row[name] for name in metadata},
            duplicate_ids=tuple(row["duplicate_ids"]),
        )
