"""From raw rows to a corpus, in one pass: clean, drop what is empty, merge what is equal, refuse contradictions.

Of every document only digests stay in memory, everything else goes to the spool.

Legend for shapes:
    N  rows with text, in the order read
    K  rows kept: the first of each group of equal ones
"""

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tolman.corpus.cleaning import clean_line, clean_text
from tolman.corpus.corpus import TEXT_FIELDS, Corpus, CorpusReport
from tolman.corpus.metadata import as_text
from tolman.corpus.spool import Spool
from tolman.counting import counted
from tolman.errors import SourceError

DIGEST_BYTES = 16
_ID_BYTES = 10  # of a digest, where a document brings no id: two of a billion meet with probability 4e-7
_MOST_COLUMNS = 1_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows of a source, by role. All lists are equally long; a role without a column is None.

    Attributes:
        texts: null, or anything with a text form.
        places: where each row stands in the source: its line, row or number, for messages.
        titles, ids, labels: likewise.
        duplicate_ids: ids already known to be merged into each row.
        metadata: further columns, typed.
    """

    texts: Sequence[Any]
    places: Sequence[int]
    titles: Sequence[Any] | None = None
    ids: Sequence[Any] | None = None
    labels: Sequence[Any] | None = None
    duplicate_ids: Sequence[Sequence[str]] | None = None
    metadata: Mapping[str, pa.Array] = field(default_factory=dict)


class CorpusBuilder:
    """Takes batches of raw rows, gives a `Corpus`.

    Args:
        source: what is being read, for messages and the report.
        unit: what `Batch.places` count: "line", "row", "document".
    """

    def __init__(self, source: str, unit: str = "document", spool: Spool | None = None) -> None:
        self.source, self.unit = source, unit
        self.read = self.empty = self.without_id = 0
        self._spool = spool or Spool()
        self._text_digests, self._id_digests = bytearray(), bytearray()
        self._places = array("q")
        self._known_duplicates: dict[int, list[str]] = {}

    def add(self, batch: Batch) -> None:
        """Clean and keep the rows of `batch` that have text.

        Raises:
            SourceError: more columns than a table can be searched by.
            StorageError: the disk refused.
        """
        if len(batch.metadata) > _MOST_COLUMNS:
            raise SourceError(
                f"{self.source} has {len(batch.metadata):,} columns, at most {_MOST_COLUMNS:,} can be kept: "
                "put those that nobody filters by into one"
            )
        texts = [clean_text(joined(text, "\n\n")) for text in batch.texts]
        kept = [row for row, text in enumerate(texts) if text]
        self.read += len(texts)
        self.empty += len(texts) - len(kept)
        if not kept:
            return
        texts = [texts[row] for row in kept]
        titles = [clean_line(joined(batch.titles[row], " ")) for row in kept] if batch.titles else [""] * len(kept)
        labels = [clean_line(joined(batch.labels[row], ", ")) or None for row in kept] if batch.labels else None
        ids = self._remember(batch, kept, titles, texts)
        columns = [ids, titles, texts, labels or [None] * len(kept)]
        table = pa.table(columns, schema=pa.schema(TEXT_FIELDS[:4]))
        whole = len(kept) == len(batch.texts)
        for name, values in batch.metadata.items():
            table = table.append_column(name, values if whole else values.take(pa.array(kept)))
        self._spool.write(table)

    def _remember(self, batch: Batch, kept: list[int], titles: list[str], texts: list[str]) -> list[str]:
        """Digests, places and merged ids of the rows at `kept`; their ids."""
        ids = []
        for row, title, text in zip(kept, titles, texts, strict=True):
            digest = _digest(title, text)
            given = clean_line(as_text(batch.ids[row]) or "") if batch.ids else ""
            self.without_id += not given
            ids.append(given or digest[:_ID_BYTES].hex())
            if batch.duplicate_ids and batch.duplicate_ids[row]:
                self._known_duplicates[len(self._places)] = list(batch.duplicate_ids[row])
            self._text_digests += digest
            self._id_digests += _digest(ids[-1])
            self._places.append(batch.places[row])
        return ids

    def finish(self, columns: Mapping[str, str] | None = None, notes: Sequence[str] = ()) -> Corpus:
        """The corpus.

        Args:
            columns: of the source, by role.
            notes: what its reader had to say; what became of the rows is put behind.

        Raises:
            SourceError: an id is repeated with another title or text.
            StorageError: the disk refused.
        """
        texts_N, ids_N = _keys(self._text_digests), _keys(self._id_digests)
        self._refuse_contradictions(ids_N, texts_N)
        first_N = _first_of_equals(texts_N)
        kept_N = first_N == np.arange(len(first_N))
        merged = self._merged_ids(first_N, kept_N)
        table = self._spool.finish(kept_N)
        table = table if table.num_columns else pa.schema(TEXT_FIELDS[:4]).empty_table()
        table = table.add_column(4, TEXT_FIELDS[4], _lists(merged, np.flatnonzero(kept_N)))
        fingerprint = hashlib.sha256(np.stack([ids_N, texts_N], 1)[kept_N].tobytes()).hexdigest()
        duplicates, columns = int((~kept_N).sum()), dict(columns or {})
        notes = (*notes, *self._notes(columns, duplicates))
        report = CorpusReport(self.source, self.read, self.empty, duplicates, columns, notes)
        return Corpus(table, fingerprint, report, self._spool)

    def _notes(self, columns: Mapping[str, str], duplicates: int) -> list[str]:
        """What became of the rows, as far as it is worth a line."""
        read, notes = f"of {counted(self.read, 'document')}", []
        if self.empty:
            notes.append(f"{self.empty:,} {read} {'has' if self.empty == 1 else 'have'} no text: left out")
        if "id" in columns and self.without_id:
            whose = counted(self.without_id, "document has", "documents have")
            notes.append(f"{whose} no id: a digest of title and text stands for it")
        if duplicates:
            what = "is an exact duplicate" if duplicates == 1 else "are exact duplicates"
            notes.append(f"{duplicates:,} {read} {what}: merged")
        return notes

    def discard(self) -> None:
        """Give back the disk that a failed run used."""
        self._spool.remove()

    def _refuse_contradictions(self, ids_N: NDArray[Any], texts_N: NDArray[Any]) -> None:
        first_N = _first_of_equals(ids_N)
        clashes = np.flatnonzero(texts_N != texts_N[first_N])
        if len(clashes):
            row = int(clashes[0])
            name = self._ids_of(np.array([row]))[0]
            raise SourceError(
                f"{self.source} has id {name!r} twice with different texts, at {self.unit} "
                f"{self._places[int(first_N[row])]} and {self._places[row]}: make ids unique, or name another id column"
            )

    def _merged_ids(self, first_N: NDArray[np.int64], kept_N: NDArray[np.bool_]) -> dict[int, list[str]]:
        """Row kept -> ids of the rows merged into it, in order, each once, its own left out."""
        copies = np.flatnonzero(~kept_N)
        merged: dict[int, list[str]] = {}
        for row, names in self._known_duplicates.items():
            merged.setdefault(int(first_N[row]), []).extend(names)
        for row, name in zip(copies.tolist(), self._ids_of(copies), strict=True):
            merged.setdefault(int(first_N[row]), []).append(name)
        owners = np.array(list(merged), np.int64)
        own = dict(zip(owners.tolist(), self._ids_of(np.sort(owners), owners), strict=True))
        return {row: [name for name in dict.fromkeys(names) if name != own[row]] for row, names in merged.items()}

    def _ids_of(self, sorted_rows: NDArray[np.int64], order: NDArray[np.int64] | None = None) -> list[str]:
        """Ids at `sorted_rows`, given back in the order of `order`, a permutation of them."""
        names: list[str] = []
        start = 0
        for table in self._spool.rows():
            low, high = np.searchsorted(sorted_rows, [start, start + len(table)])
            names += table["id"].take(pa.array(sorted_rows[low:high] - start)).to_pylist()
            start += len(table)
        return names if order is None else [names[place] for place in np.searchsorted(sorted_rows, order)]


def joined(value: Any, between: str) -> str:
    """A cell as text; a list of texts is joined, null and NaN are empty."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return between.join(value)
    return as_text(value) or ""


def _digest(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=DIGEST_BYTES).digest()


def _keys(digests: bytearray) -> NDArray[Any]:
    """(N,) digests as values that numpy compares."""
    return np.frombuffer(bytes(digests), dtype=f"S{DIGEST_BYTES}")


def _first_of_equals(keys_N: NDArray[Any]) -> NDArray[np.int64]:
    """(N,) for each row, the first row with the same key."""
    _, first_U, group_N = np.unique(keys_N, return_index=True, return_inverse=True)
    return first_U[group_N].astype(np.int64)


def _lists(merged: Mapping[int, Sequence[str]], kept_K: NDArray[np.int64]) -> pa.Array:
    lengths_K = np.zeros(len(kept_K), np.int64)
    rows = sorted(merged)
    lengths_K[np.searchsorted(kept_K, rows)] = [len(merged[row]) for row in rows]
    offsets = np.concatenate([[0], np.cumsum(lengths_K)]).astype(np.int32)
    names = pa.array([name for row in rows for name in merged[row]], pa.string())
    return pa.ListArray.from_arrays(pa.array(offsets), names)
