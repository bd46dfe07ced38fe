"""Parquet files."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from tolman.corpus.readers.lines import ByteFile, refuse_bomb
from tolman.corpus.readers.memory import arrow_rows, known_roles, row_bytes
from tolman.corpus.readers.source import Source, refuse_repeated
from tolman.errors import SourceError, StorageError

# Read at a time: a value that a file holds once may stand in every row, and how long it is comes out only here.
_READ_ROWS = 32
_READ_BYTES = 2**20


def open_parquet(path: Path) -> Source:
    """A Parquet file; .gz ones are unpacked into a temporary file first, because Parquet is read from its end."""
    file = _unpacked(path) if path.suffix.lower() == ".gz" else _opened(path)
    try:
        parquet = pq.ParquetFile(file, buffer_size=_READ_BYTES)
    except (pa.ArrowException, OSError) as error:
        file.close()
        raise _damaged(path, error) from None
    refuse_repeated(str(path), parquet.schema_arrow.names)
    groups = map(parquet.metadata.row_group, range(parquet.num_row_groups))
    refuse_bomb(path, packed=path.stat().st_size, unpacked=sum(group.total_byte_size for group in groups))
    return Source(str(path), arrow_rows(_batches(path, parquet)), "row", known_roles(parquet.schema_arrow))


def _batches(path: Path, parquet: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    packed, unpacked = path.stat().st_size, 0
    try:
        for batch in parquet.iter_batches(_READ_ROWS):
            unpacked += int(row_bytes(batch).sum())
            refuse_bomb(path, packed=packed, unpacked=unpacked)
            yield batch
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None
    finally:
        parquet.close(force=True)


def _opened(path: Path) -> IO[bytes]:
    with ByteFile(path):  # says what is wrong with it
        return path.open("rb")


def _unpacked(path: Path) -> IO[bytes]:
    with ByteFile(path) as packed:
        try:
            unpacked = tempfile.TemporaryFile()  # noqa: SIM115  the reader closes it
            shutil.copyfileobj(packed, unpacked)
        except OSError as error:
            raise StorageError(f"can't unpack {path} into {tempfile.gettempdir()}: {error.strerror or error}") from None
    unpacked.seek(0)
    return unpacked


def _damaged(path: Path, error: Exception) -> SourceError:
    return SourceError(f"{path} isn't a whole Parquet file: {str(error).splitlines()[0]}")
