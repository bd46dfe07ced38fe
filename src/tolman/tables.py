"""Tables as files that other programs read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from tolman.errors import QueryError
from tolman.storage import folders_above, write_whole


def _parquet(table: pa.Table, file: BinaryIO) -> None:
    from pyarrow import parquet

    parquet.write_table(table, file)


def _csv(table: pa.Table, file: BinaryIO) -> None:
    from pyarrow import csv

    plain = [field.name for field in table.schema if not pa.types.is_nested(field.type)]
    csv.write_csv(table.select(plain), file)


def _jsonl(table: pa.Table, file: BinaryIO) -> None:
    for batch in table.to_batches(4_096):
        for row in batch.to_pylist():
            file.write(json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n")


def _arrow(table: pa.Table, file: BinaryIO) -> None:
    with pa.ipc.new_file(file, table.schema) as out:
        out.write_table(table)


WRITERS: dict[str, Callable[[pa.Table, BinaryIO], None]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".arrow": _arrow,
}


def require_table_file(file: Path) -> None:
    """Refuse a name that doesn't say which kind of table is meant.

    Raises:
        QueryError: its ending is none of those that can be written.
    """
    if file.suffix.lower() not in WRITERS:
        raise QueryError(f"expected a file that ends in {', '.join(WRITERS)}, got {file}")


def write_table(table: pa.Table, file: Path) -> None:
    """Write it in the format that the file's ending names, in one step: a file that was there stays whole until then.

    Lists don't go into CSV.

    Raises:
        QueryError: the ending is none of `WRITERS`.
        StorageError: the disk refused.
    """
    require_table_file(file)
    with folders_above(file):
        write_whole(file, lambda opened: WRITERS[file.suffix.lower()](table, opened))
