"""Rows on their way into a corpus: in memory while there are few, in a temporary folder of Arrow files beyond that."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from numpy.typing import NDArray

from tolman.corpus.metadata import common_schema, conform, settled
from tolman.errors import StorageError

PART_BYTES = 64 * 2**20


class Spool:
    """Tables one after the other, in a part on disk whenever there is enough for one.

    Schemas may differ from table to table; `finish` brings them together. Memory is bounded by a part.
    """

    def __init__(self, part_bytes: int = PART_BYTES) -> None:
        self._part_bytes = part_bytes
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        self._parts: list[Path] = []
        self._schemas: list[pa.Schema] = []
        self._folder: Path | None = None

    def write(self, table: pa.Table) -> None:
        """Append the rows of `table`.

        Raises:
            StorageError: the disk refused.
        """
        self._waiting.append(table)
        self._waiting_bytes += table.nbytes
        if self._waiting_bytes >= self._part_bytes:
            self._flush()

    def finish(self, kept_N: NDArray) -> pa.Table:  # type: ignore[type-arg]
        """All rows for which `kept_N` (N,) is true, in one schema; mapped from disk if they are there.

        Raises:
            StorageError: the disk refused.
        """
        if self._parts and self._waiting:
            self._flush()
        schema = settled(common_schema([*self._schemas, *(table.schema for table in self._waiting)]))
        if not self._parts:
            table = _together(self._waiting, schema)
            return table if kept_N.all() else table.filter(pa.array(kept_N))
        start = 0
        for part, written in zip(self._parts, self._schemas, strict=True):
            rows = _open(part)
            kept = kept_N[start : start + len(rows)]
            start += len(rows)
            if written != schema or not kept.all():
                rewritten = (conform(_table(b), schema).filter(pa.array(k)) for b, k in _aligned(rows, kept))
                self._replace(part, rewritten, schema)
        return pa.concat_tables([_open(part) for part in self._parts])

    def rows(self) -> Iterator[pa.Table]:
        """What was written so far, in order."""
        yield from (_open(part) for part in self._parts)
        yield from self._waiting

    def remove(self) -> None:
        """Give the disk back."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _flush(self) -> None:
        schema = common_schema([table.schema for table in self._waiting])
        part = self._home() / f"{len(self._parts):06}.arrow"
        self._write(part, (conform(table, schema) for table in self._waiting), schema)
        self._parts.append(part)
        self._schemas.append(schema)
        self._waiting, self._waiting_bytes = [], 0

    def _home(self) -> Path:
        if self._folder is None:
            try:
                self._folder = Path(tempfile.mkdtemp(prefix="tolman-corpus-"))
            except OSError as error:
                raise StorageError(_refusal(Path(tempfile.gettempdir()), error)) from None
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    def _replace(self, part: Path, tables: Iterator[pa.Table], schema: pa.Schema) -> None:
        beside = part.with_suffix(".new")
        self._write(beside, tables, schema)
        os.replace(beside, part)

    def _write(self, part: Path, tables: Iterator[pa.Table], schema: pa.Schema) -> None:
        try:
            with pa.OSFile(os.fspath(part), "wb") as file, pa.ipc.new_file(file, schema) as out:
                for table in tables:
                    out.write_table(table)
        except OSError as error:
            self.remove()
            raise StorageError(_refusal(part.parent, error)) from None


def _refusal(folder: Path, error: OSError) -> str:
    reason = error.strerror or str(error).splitlines()[0]
    return f"can't keep the documents in {folder}: {reason}; make room, or name another folder in TMPDIR"


def _open(part: Path) -> pa.Table:
    with pa.memory_map(os.fspath(part)) as file:
        return pa.ipc.open_file(file).read_all()


def _table(batch: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([batch])


def _together(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([conform(table, schema) for table in tables]) if tables else schema.empty_table()


def _aligned(rows: pa.Table, kept_N: NDArray) -> Iterator[tuple[pa.RecordBatch, NDArray]]:  # type: ignore[type-arg]
    start = 0
    for batch in rows.to_batches():
        yield batch, kept_N[start : start + len(batch)]
        start += len(batch)
