"""Documents as rows of the store: their derived columns, and which of them a space already holds.

Exact duplicates share one row, which names the other ids. When one of them is changed or removed the row is taken apart
first, so that an id never means the text of another.

Legend for shapes:
    N  documents
    P  passages of long documents
    D  dimensions
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tolman.encoding import EncodedDocuments, encode_documents
from tolman.errors import SourceError
from tolman.models.encoder import Encoder
from tolman.space.fulltext import searchable
from tolman.space.store import FULLTEXT, PASSAGES, SPANS, VECTOR, DocumentStore

NAMES = ("id", "duplicate_ids")
DERIVED_COLUMNS = (FULLTEXT, VECTOR, SPANS, PASSAGES)


def as_rows(encoder: Encoder, documents: pa.Table, schema: pa.Schema) -> pa.Table:
    """`documents` with what is derived from their text, as `schema` wants them."""
    titles = pc.fill_null(documents["title"], "")
    titled = pc.binary_join_element_wise(titles, documents["text"], "\n")
    contents = pc.if_else(pc.equal(titles, ""), documents["text"], titled).to_pylist()
    encoded = encode_documents(encoder, contents)
    fulltext = pa.array([searchable(content) for content in contents], pa.string())
    derived = {FULLTEXT: fulltext, **_vector_columns(encoded, encoder.dim)}
    return pa.table([derived.get(f.name, _column(documents, f)) for f in schema], schema=schema)


def conform(documents: pa.Table, schema: pa.Schema) -> tuple[pa.Table, tuple[str, ...]]:
    """`documents` with the columns of the store, and the names of those it has no place for.

    Raises:
        SourceError: values that don't fit the type a column has in the store.
    """
    fields = [f for f in schema if f.name in documents.schema.names or f.name not in DERIVED_COLUMNS]
    ignored = tuple(name for name in documents.schema.names if name not in schema.names)
    return pa.table([_column(documents, f) for f in fields], schema=pa.schema(fields)), ignored


def _column(documents: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name not in documents.schema.names:
        return pa.nulls(len(documents), field.type)
    try:
        return documents[field.name].cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        got = documents.schema.field(field.name).type
        reason = str(error).splitlines()[0]
        raise SourceError(
            f"column {field.name!r} holds {field.type} in the space, the source has {got}: {reason}"
        ) from None


def _vector_columns(encoded: EncodedDocuments, dim: int) -> dict[str, pa.Array]:
    vectors = pa.array(np.ascontiguousarray(encoded.vectors_ND, np.float32).ravel())
    pieces_N = np.array([len(spans) for spans in encoded.passage_spans], np.int64)
    flat_spans = np.array([edge for spans in encoded.passage_spans for span in spans for edge in span], np.int32)
    flat_vectors = np.ascontiguousarray(encoded.passage_vectors_PD, np.float32).ravel()
    return {
        VECTOR: pa.FixedSizeListArray.from_arrays(vectors, dim),
        SPANS: _lists(flat_spans, pieces_N * 2),
        PASSAGES: _lists(flat_vectors, pieces_N * dim),
    }


def _lists(values: NDArray[Any], lengths_N: NDArray[np.int64]) -> pa.Array:
    """One list a document; null where its length is 0."""
    offsets = np.concatenate([[0], np.cumsum(lengths_N)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), mask=pa.array(lengths_N == 0))


class Holdings:
    """Which row of a store holds which id, as its own or as that of a duplicate."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        table = store.read(["id", "duplicate_ids"])
        own, duplicates = table["id"].combine_chunks(), table["duplicate_ids"].combine_chunks()
        self._own_count = len(own)
        self._names = pa.concat_arrays([own, pc.list_flatten(duplicates)])
        self._rows = np.concatenate([np.arange(len(own)), pc.list_parent_indices(duplicates).to_numpy()])

    def rows_of(self, ids: pa.Array | Sequence[str]) -> NDArray[np.int64]:
        """Position of the row that holds each id; -1 where none does."""
        places = pc.fill_null(pc.index_in(pa.array(ids, pa.string()), self._names), -1).to_numpy()
        return np.where(places < 0, -1, np.append(self._rows, -1)[places])

    def unchanged(self, wanted: pa.Table) -> NDArray[np.bool_]:
        """(N,) True for documents that are held just as they are wanted, with all their duplicates."""
        rows_N = self.rows_of(wanted["id"].combine_chunks())
        known = np.flatnonzero(rows_N >= 0)
        columns = [name for name in wanted.schema.names if name not in ("id", "duplicate_ids", *DERIVED_COLUMNS)]
        same_N = np.zeros(len(wanted), bool)
        if len(known):
            held = self._store.take(rows_N[known], columns)
            same_N[known] = np.logical_and.reduce([_equal(held[c], wanted[c].take(known)) for c in columns])
        duplicates = wanted["duplicate_ids"].combine_chunks()
        parents = pc.list_parent_indices(duplicates).to_numpy()
        apart = self.rows_of(pc.list_flatten(duplicates)) != rows_N[parents]
        same_N[parents[apart]] = False
        return same_N

    def split(self, wanted: pa.Table) -> pa.Table:
        """`wanted` with a row of its own for every duplicate that the store already holds."""
        duplicates = wanted["duplicate_ids"].combine_chunks()
        names, parents = pc.list_flatten(duplicates), pc.list_parent_indices(duplicates).to_numpy()
        held = self.rows_of(names) >= 0
        return _apart(wanted, names.filter(pa.array(held)), parents[held])

    def taken_apart(self, ids: pa.Array | Sequence[str]) -> pa.Table:
        """Rows, complete, for the documents that share a row with one of `ids` and aren't among them."""
        asked = pa.array(ids, pa.string())
        rows = self.rows_of(asked)
        shared = np.unique(rows[rows >= 0])
        shared = shared[np.isin(shared, self._rows[self._own_count :])]
        held = self._store.take(shared, self._store.schema.names)
        duplicates = held["duplicate_ids"].combine_chunks()
        apart = _apart(held, pc.list_flatten(duplicates), pc.list_parent_indices(duplicates).to_numpy())
        return apart.filter(pc.invert(pc.is_in(apart["id"], asked)))


def _apart(table: pa.Table, names: pa.Array, parents: NDArray[np.int64]) -> pa.Table:
    """`table`, then a copy of row `parents[i]` under each of `names`; these are no longer called duplicates."""
    if not len(names):
        return table
    copies = _replaced(table.take(parents), "id", names)
    copies = _replaced(copies, "duplicate_ids", pa.nulls(len(names), pa.list_(pa.string())))
    gone = set(names.to_pylist())
    left = [[name for name in ids or () if name not in gone] for ids in table["duplicate_ids"].to_pylist()]
    return pa.concat_tables([_replaced(table, "duplicate_ids", pa.array(left, pa.list_(pa.string()))), copies])


def _replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), values)


def _equal(left: pa.ChunkedArray, right: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Equal values, or both missing."""
    missing = pc.and_(pc.is_null(left), pc.is_null(right))
    return np.asarray(pc.or_(pc.fill_null(pc.equal(left, right), False), missing).to_numpy(), bool)
