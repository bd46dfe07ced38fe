"""What is in memory already: texts, mappings, documents, Arrow tables and whatever speaks Arrow (pandas, polars)."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import pyarrow as pa

from tolman.corpus.document import Document
from tolman.corpus.readers.source import CHUNK_ROWS, Rows, Source, by_column
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
        SourceError: it isn't a table.
    """
    name = f"the {type(table).__module__.partition('.')[0]} {type(table).__name__}"
    try:
        reader = _without_index(table) or pa.RecordBatchReader.from_stream(table)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{name} can't be read as an Arrow table: {reason}") from None
    if not isinstance(reader.schema, pa.Schema):
        raise SourceError(f"{name} has no columns: expected a table")
    return Source(name, arrow_rows(reader), "row", known_roles(reader.schema))


def arrow_rows(batches: Iterable[pa.RecordBatch], start: int = 1) -> Iterator[Rows]:
    """Record batches in pieces; columns stay Arrow arrays."""
    for batch in batches:
        for offset in range(0, len(batch), CHUNK_ROWS):
            piece = batch.slice(offset, CHUNK_ROWS)
            columns = dict(zip(piece.schema.names, piece.columns, strict=True))
            yield Rows(columns, range(start, start + len(piece)))
            start += len(piece)


def _without_index(table: Any) -> pa.RecordBatchReader | None:
    """Rows of a pandas frame; its index is no column, and values of several types in one column become text."""
    if type(table).__module__.partition(".")[0] != "pandas" or not hasattr(table, "columns"):
        return None
    try:
        return pa.Table.from_pandas(table, preserve_index=False).to_reader()
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        mixed = {
            name: pa.array([str(v) for v in table[name]])
            if str(table[name].dtype) == "object"
            else pa.array(table[name])
            for name in table.columns
        }
        return pa.table(mixed).to_reader()


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
    rows = ((number, row, _size(row)) for number, row in enumerate(items, 1))
    return Source("the list of mappings", by_column(rows), "item")


def _documents(items: Iterator[Document]) -> Source:
    def as_row(document: Document) -> dict[str, Any]:
        own = {role: getattr(document, role) for role in DOCUMENT_ROLES}
        return {**document.metadata, **own}

    rows = ((number, as_row(document), len(document.text)) for number, document in enumerate(items, 1))
    return Source("documents", by_column(rows), "document", DOCUMENT_ROLES)


def _size(row: Mapping[str, Any]) -> int:
    return sum(len(value) for value in row.values() if isinstance(value, str))
