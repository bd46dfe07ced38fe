"""Parquet files."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from tolman.corpus.readers.lines import ByteFile
from tolman.corpus.readers.memory import arrow_rows, known_roles
from tolman.corpus.readers.source import CHUNK_ROWS, Source
from tolman.errors import SourceError, StorageError


def open_parquet(path: Path) -> Source:
    """A Parquet file; .gz ones are unpacked into a temporary file first, because Parquet is read from its end."""
    file = _unpacked(path) if path.suffix.lower() == ".gz" else _opened(path)
    try:
        parquet = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        file.close()
        raise _damaged(path, error) from None
    return Source(str(path), arrow_rows(_batches(path, parquet)), "row", known_roles(parquet.schema_arrow))


def _batches(path: Path, parquet: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    try:
        yield from parquet.iter_batches(CHUNK_ROWS)
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
