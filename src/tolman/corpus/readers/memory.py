"""What is in memory already: texts, mappings, documents, Arrow tables and whatever speaks Arrow (pandas, polars).

Legend for shapes:
    N  rows
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tolman.corpus.document import Document
from tolman.corpus.readers.source import CHUNK_CHARACTERS, CHUNK_ROWS, Rows, Source, by_column, refuse_repeated
from tolman.errors import SourceError

DOCUMENT_ROLES = {"text": "text", "title": "title", "id": "id", "label": "label", "duplicate_ids": "duplicate_ids"}


def open_iterable(items: Iterable[Any]) -> Source:
    """Texts, mappings or Documents; all of one kind.

    Raises:
        SourceError: the first is none of these.
    """
    iterator = iter(items)
    missing: list[Any] = []
    first = None
    for first in iterator:
        if not _is_missing(first):
            break
        missing.append(None)
    else:
        return _texts(iter(missing))
    kinds: dict[type, Callable[[Iterator[Any]], Source]] = {str: _texts, Mapping: _mappings, Document: _documents}
    kind = next((kind for kind in kinds if isinstance(first, kind)), None)
    if kind is None:
        raise SourceError(f"expected texts, mappings, Documents or a table; got an iterable of {type(first).__name__}")
    return kinds[kind](_all_of(kind, chain(missing, [first], iterator)))


def open_arrow(table: Any) -> Source:
    """Anything with `__arrow_c_stream__`: Arrow tables and readers, pandas and polars data frames.

    Raises:
        SourceError: it isn't a table, or two of its columns have one name.
    """
    name = f"the {type(table).__module__.partition('.')[0]} {type(table).__name__}"
    is_pandas = type(table).__module__.partition(".")[0] == "pandas" and hasattr(table, "columns")
    if is_pandas:
        refuse_repeated(name, [str(column) for column in table.columns])
    try:
        reader = _without_index(table) if is_pandas else pa.RecordBatchReader.from_stream(table)
    except (pa.ArrowException, TypeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{name} can't be read as an Arrow table: {reason}") from None
    if not isinstance(reader.schema, pa.Schema):
        raise SourceError(f"{name} has no columns: expected a table")
    refuse_repeated(name, reader.schema.names)
    return Source(name, arrow_rows(reader), "row", known_roles(reader.schema))


def collected(lazy: Any) -> Any:
    """The data frame that a lazy frame of polars stands for.

    Raises:
        SourceError: it can't be computed.
    """
    try:
        return lazy.collect()
    except Exception as error:  # whatever its plan stumbles over
        raise SourceError(f"the {type(lazy).__name__} can't be computed: {str(error).splitlines()[0]}") from error


def arrow_rows(batches: Iterable[pa.RecordBatch], start: int = 1) -> Iterator[Rows]:
    """Record batches in chunks that are small in rows and in bytes; columns stay Arrow arrays."""
    gathered: list[pa.RecordBatch] = []
    rows = size = 0
    end: list[tuple[pa.RecordBatch | None, int]] = [(None, 0)]
    for piece, piece_size in chain(_pieces(batches), end):
        if gathered and (piece is None or rows + len(piece) > CHUNK_ROWS or size + piece_size > CHUNK_CHARACTERS):
            table = pa.Table.from_batches(gathered).combine_chunks() if len(gathered) > 1 else gathered[0]
            columns = (c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c for c in table.columns)
            yield Rows(dict(zip(table.schema.names, columns, strict=True)), range(start, start + rows))
            start += rows
            gathered, rows, size = [], 0, 0
        if piece is not None:
            gathered.append(piece)
            rows, size = rows + len(piece), size + piece_size


def row_bytes(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """(N,) How much the values of each row take, those of a dictionary counted wherever they stand."""
    sizes_N = np.zeros(len(batch), np.int64)
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and _is_text(column.dictionary.type):
            sizes_N += _counts(_lengths(column.dictionary).take(column.indices))
        elif _is_text(column.type):
            sizes_N += _counts(_lengths(column))
        else:
            sizes_N += column.nbytes // max(len(column), 1)
    return sizes_N


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_string_view(kind) or types.is_binary_view(kind) or _has_length(kind))


def _has_length(kind: pa.DataType) -> bool:
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in known)


def _lengths(values: pa.Array) -> pa.Array:
    return pc.binary_length(values if _has_length(values.type) else values.cast(pa.large_binary()))


def _counts(lengths: pa.Array) -> NDArray[np.int64]:
    return np.asarray(pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False), np.int64)


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Parts of batches with their bytes: over the size of a chunk only where a single row is."""
    for batch in batches:
        for offset in range(0, len(batch), CHUNK_ROWS):
            piece = batch.slice(offset, CHUNK_ROWS)
            until_N = np.cumsum(row_bytes(piece))
            start, before = 0, 0
            while start < len(piece):
                end = max(start + 1, int(np.searchsorted(until_N, before + CHUNK_CHARACTERS, "right")))
                yield piece.slice(start, end - start), int(until_N[end - 1]) - before
                start, before = end, int(until_N[end - 1])


def _without_index(frame: Any) -> pa.RecordBatchReader:
    """Rows of a pandas frame; its index is no column, and what Arrow has no type for, or several, becomes text."""
    try:
        return pa.Table.from_pandas(frame, preserve_index=False).to_reader()
    except pa.ArrowException:
        return pa.table({str(name): _pandas_column(frame[name]) for name in frame.columns}).to_reader()


def _pandas_column(series: Any) -> pa.Array:
    try:
        return pa.array(series, from_pandas=True)
    except pa.ArrowException:
        missing = series.isna()
        return pa.array([None if gone else str(value) for value, gone in zip(series, missing, strict=True)])


def known_roles(schema: pa.Schema) -> dict[str, str]:
    """Roles of the columns, if the table is one that a corpus or a space gave."""
    names = schema.names
    ours = {"id", "title", "text", "label", "duplicate_ids"} <= set(names)
    return dict(DOCUMENT_ROLES) if ours and pa.types.is_list(schema.field("duplicate_ids").type) else {}


def _all_of(kind: type, items: Iterable[Any]) -> Iterator[Any]:
    for number, item in enumerate(items, 1):
        if kind is str and _is_missing(item):
            yield None
        elif not isinstance(item, kind):
            raise SourceError(
                f"item {number} is of type {type(item).__name__}, the first is {kind.__name__}: mix no kinds"
            )
        else:
            yield item


def _is_missing(item: Any) -> bool:
    return item is None or (isinstance(item, float) and math.isnan(item))


def _texts(items: Iterator[str | None]) -> Source:
    rows = ((number, {"text": text}, len(text or "")) for number, text in enumerate(items, 1))
    return Source("the list of texts", by_column(rows), "item", {"text": "text"})


def _mappings(items: Iterator[Mapping[str, Any]]) -> Source:
    named = ({str(key): value for key, value in row.items()} for row in items)
    rows = ((number, row, _size(row)) for number, row in enumerate(named, 1))
    return Source("the list of mappings", by_column(rows), "item", ragged=True)


def _documents(items: Iterator[Document]) -> Source:
    def as_row(document: Document) -> dict[str, Any]:
        own = {role: getattr(document, role) for role in DOCUMENT_ROLES}
        return {**document.metadata, **own}

    rows = ((number, as_row(document), len(document.text)) for number, document in enumerate(items, 1))
    return Source("documents", by_column(rows), "document", DOCUMENT_ROLES)


def _size(row: Mapping[str, Any]) -> int:
    return sum(len(value) for value in row.values() if isinstance(value, str))
