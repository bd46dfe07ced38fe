"""Types of metadata columns: found while reading, widened when a later value doesn't fit.

null ── bool
     ├─ int64 ── float64
     ├─ date32 ── timestamp          two that meet nowhere before become string
     └─ string
"""

import json
import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tolman.corpus.cleaning import drop_surrogates

# Names that Tolman gives to columns of its own, and those it will give (docs/format.md): a map's places, topics.
OWN = frozenset("id title text label duplicate_ids vector fulltext passage_spans passage_vectors".split())
KEPT_FREE = frozenset("topic x y".split())
_TRUTH = {"true": True, "false": False}


def free_name(name: str, taken: frozenset[str] = frozenset()) -> str:
    """`name` for a metadata column: an underscore behind what Tolman or another column uses, none in front, no dots."""
    name = drop_surrogates(str(name)).replace(".", "_").lstrip("_")
    name = name if name.strip() else "column"
    while name in OWN or name in KEPT_FREE or name in taken:
        name += "_"
    return name


def typed(values: Sequence[Any] | pa.Array, *, parse: bool = False) -> pa.Array:
    """`values` as an Arrow array of one of the types above.

    Args:
        values: of one column; anything that isn't a scalar becomes JSON.
        parse: the values are text that may spell numbers and truth values, as in CSV.
    """
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _from_arrow(values)
    present = [value for value in values if value is not None]
    if parse:
        return _parsed(values)
    if all(isinstance(value, str) for value in present):
        return pa.array([None if v is None else drop_surrogates(v) for v in values], pa.string())
    try:
        found = pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError):  # several types in one column, or one that Arrow doesn't have
        return pa.array([as_text(value) for value in values], pa.string())
    return _from_arrow(found) if _simple(found.type) else pa.array([as_text(value) for value in values], pa.string())


def as_text(value: Any) -> str | None:
    """A value as text: null for null, a number as it is written, JSON for lists and mappings."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return drop_surrogates(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    if isinstance(value, list | tuple | dict):
        return drop_surrogates(json.dumps(value, ensure_ascii=False, default=str))
    return drop_surrogates(str(value))


def common_type(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """The narrowest type that holds the values of both."""
    if left == right or pa.types.is_null(right):
        return left
    if pa.types.is_null(left):
        return right
    for narrow, wide in ((left, right), (right, left)):
        if pa.types.is_int64(narrow) and pa.types.is_float64(wide):
            return wide
        if pa.types.is_date32(narrow) and pa.types.is_timestamp(wide) and wide.tz is None:
            return wide
    return pa.string()


def common_schema(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """All columns of all schemas, in order of appearance, each in its common type."""
    types: dict[str, pa.DataType] = {}
    for column in (column for schema in schemas for column in schema):
        types[column.name] = common_type(types.get(column.name, pa.null()), column.type)
    return pa.schema([pa.field(name, kind) for name, kind in types.items()])


def settled(schema: pa.Schema) -> pa.Schema:
    """`schema` with text for columns that never held a value: it can hold whatever comes later."""
    return pa.schema([column.with_type(pa.string()) if pa.types.is_null(column.type) else column for column in schema])


def conform(batch: pa.Table, schema: pa.Schema) -> pa.Table:
    """`batch` in the columns and types of `schema`, null where it has no such column."""
    columns = [
        batch[column.name].cast(column.type, safe=False)
        if column.name in batch.schema.names
        else pa.nulls(len(batch), column.type)
        for column in schema
    ]
    return pa.table(columns, schema=schema)


def _simple(kind: pa.DataType) -> bool:
    simple = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null, pa.types.is_date)
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_timestamp)
    return any(test(kind) for test in (*simple, *text, pa.types.is_decimal))


def _from_arrow(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    kind = values.type
    if not _simple(kind):
        return pa.array([as_text(value) for value in values.to_pylist()], pa.string())
    try:
        cast = values.cast(_target(kind))
    except pa.ArrowInvalid:  # whole numbers over 64 bits, dates out of range
        return pa.array([as_text(value) for value in values.to_pylist()], pa.string())
    return pc.if_else(pc.is_nan(cast), None, cast) if pa.types.is_floating(cast.type) else cast


def _target(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if pa.types.is_date(kind):
        return pa.date32()
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    return kind if pa.types.is_boolean(kind) or pa.types.is_null(kind) else pa.string()


def _parsed(values: Sequence[str | None]) -> pa.Array:
    """Text that spells numbers or truth values, as these; as text if one cell doesn't, or is written oddly."""
    values = [value.strip() or None if value is not None else None for value in values]
    present = [value for value in values if value is not None]
    for parse in (_TRUTH.__getitem__, _whole, _number):
        try:
            found = {value: parse(value.lower() if parse == _TRUTH.__getitem__ else value) for value in present}
            return pa.array([None if value is None else found[value] for value in values])
        except (KeyError, ValueError, OverflowError):
            continue
    return pa.array([None if value is None else drop_surrogates(value) for value in values], pa.string())


def _whole(text: str) -> int:
    """An int64 that is written the usual way: 007 and +1 are names, not numbers."""
    number = int(text)
    if str(number) != text or not -(2**63) <= number < 2**63:
        raise ValueError(text)
    return number


def _number(text: str) -> float:
    if text.lstrip("-").startswith("0") and not text.lstrip("-").startswith("0."):
        _whole(text)
    if not text.lstrip("-")[:1].isdigit():
        raise ValueError(text)
    return float(text.replace("_", "x"))
