"""Arrow files in `derived/` of a space: what was worked out once and may be deleted at any time.

A file is named by all that it depends on, written beside and renamed. One that is damaged is passed over and made anew;
where the folder can't be written, nothing is kept and nothing is said.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

DERIVED = "derived"
_DESCRIBED = b"tolman"
_DIGITS = 16


def derived_file(folder: Path, stem: str, depends_on: Any) -> Path:
    """Where it is kept: `STEM-DIGEST.arrow`.

    Args:
        folder: to lie in.
        stem: what it is, the same for all versions of the space.
        depends_on: plain values; another file for other ones.
    """
    return folder / f"{stem}-{hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:_DIGITS]}.arrow"


def read_derived(file: Path) -> tuple[pa.Table, dict[str, Any]] | None:
    """The table, and what describes it; None where there is none, or none that can be read."""
    try:
        with pa.OSFile(str(file)) as source:
            table = pa.ipc.open_file(source).read_all()
        return table, json.loads(table.schema.metadata[_DESCRIBED])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_derived(file: Path, table: pa.Table, described: dict[str, Any]) -> None:
    """Keep `table` and `described`; what was kept under the same stem for other versions goes."""
    table = table.replace_schema_metadata({_DESCRIBED: json.dumps(described)})
    beside = file.with_name(f"{file.name}.{os.getpid()}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(beside), "wb") as sink, pa.ipc.new_file(sink, table.schema) as out:
            out.write_table(table)
        beside.replace(file)
        for other in file.parent.glob(f"{file.name.rpartition('-')[0]}-{'?' * _DIGITS}.arrow"):
            if other != file:
                other.unlink()
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
