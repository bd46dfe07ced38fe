"""Columns that tell when: dates, years as whole numbers, and dates that are written as text."""

import pyarrow as pa
import pyarrow.compute as pc

from tolman.space.space import LatentSpace

_ISO = r"^\d{4}-\d{2}-\d{2}([T ].*)?$"
_YEARS = (1000, 2999)


def date_columns(space: LatentSpace) -> list[str]:
    """Names of the metadata columns by which documents can be put in order of time."""
    names = list(space.store.metadata_columns)
    table = space.table(names) if names else None
    return [name for name in names if table is not None and tells_when(table[name].combine_chunks())]


def tells_when(column: pa.Array) -> bool:
    """Whether every value that is there is a date, a time or a year."""
    if column.null_count == len(column):
        return False
    if pa.types.is_integer(column.type):
        found = pc.min_max(column).as_py()
        return bool(_YEARS[0] <= found["min"] and found["max"] <= _YEARS[1])
    return pa.types.is_date(column.type) or pa.types.is_timestamp(column.type) or days_of(column) is not None


def days_of(column: pa.Array) -> pa.Array | None:
    """Dates that are written as text ("2026-11-28", with or without a time), as dates; None: some aren't."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return None
    if not pc.all(pc.match_substring_regex(column, _ISO)).as_py():  # null where there is nothing but nulls
        return None
    try:
        return pc.utf8_slice_codeunits(column, 0, 10).cast(pa.date32())
    except pa.ArrowInvalid:  # the 30th of February
        return None
