"""The map in the folder of a space: `map/map.json`, and the rows that it names. `docs/format.md` describes both.

The rows are written under a new name, then map.json is put in place in one step, then the old rows go: whoever reads
meanwhile sees the one map or the other, and so does whoever comes after a kill.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tolman.digests import Digests
from tolman.errors import SpaceError
from tolman.models.encoder import Floats
from tolman.neighbours import Ints
from tolman.storage import storing, write_whole

FOLDER, FILE, FORMAT = "map", "map.json", 1
_ROWS = re.compile(r"rows-[0-9a-f]{16}\.arrow")


@dataclass(frozen=True, eq=False, slots=True)
class MapRows:
    """What is known of each document on a map.

    Attributes:
        ids: its name.
        digests_N: of its vector.
        places_N2: where it is.
        neighbours_NK: its nearest others in the latent space, by row.
        trust_N: the share of these that are among its nearest on the map.
        placed_N: whether it came after the map had been made.
    """

    ids: tuple[str, ...]
    digests_N: Digests
    places_N2: Floats
    neighbours_NK: Ints
    trust_N: Floats
    placed_N: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MapRecord:
    """The content of map.json.

    Attributes:
        encoder: fingerprint of the encoder whose space is mapped.
        seed: that the map was made with.
        version: of the documents.
        content: `DocumentStore.content_key` of that version.
        trustworthiness: when the map was made; None: too few documents.
        cpu_seconds: that it took to make.
        format: of the files.
        rows: name of the other file.
        sha256: of its content.
    """

    encoder: str
    seed: int
    version: int
    content: str
    trustworthiness: float | None
    cpu_seconds: float
    format: int = FORMAT
    rows: str = ""
    sha256: str = ""


def write_map(space: Path, record: MapRecord, rows: MapRows) -> None:
    """Keep a map in the folder `space`, in place of the one that is there.

    Raises:
        StorageError: the disk refused; the map that was there is untouched.
    """
    folder = space / FOLDER
    content = _as_arrow(rows)
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"rows-{sha256[:16]}.arrow"
    described = {**{key: getattr(record, key) for key in record.__slots__}, "rows": name, "sha256": sha256}
    with storing(f"can't write {folder}"):
        folder.mkdir(exist_ok=True)
    write_whole(folder / name, lambda file: file.write(content))
    write_whole(folder / FILE, lambda file: file.write((json.dumps(described, indent=1) + "\n").encode()))
    for other in folder.iterdir():
        if _ROWS.fullmatch(other.name) and other.name != name:
            with suppress(OSError):
                other.unlink()


def read_map(space: Path) -> tuple[MapRecord, MapRows] | None:
    """The map in the folder `space`; None: there is none.

    Raises:
        SpaceError: it is damaged, or of a newer format.
    """
    file = space / FOLDER / FILE
    for _ in range(2):  # whoever writes a new map may drop the rows between our two looks
        if not file.exists():
            return None
        record = _read_record(file)
        try:
            return record, _read_rows(file.with_name(record.rows), record)
        except FileNotFoundError:
            continue
    raise _damaged(file.with_name(record.rows), "it is missing")


def _read_record(file: Path) -> MapRecord:
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpaceError(f"can't read {file}: {error.strerror}") from error
    except (ValueError, RecursionError):
        raise _damaged(file, "it isn't whole JSON") from None
    version = stored.get("format") if isinstance(stored, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise SpaceError(f"{file} has format {version}, this Tolman reads up to {FORMAT}: pip install -U tolman")
    _require_types(file, stored)
    return MapRecord(**{key: stored[key] for key in MapRecord.__slots__})


def _require_types(file: Path, stored: Any) -> None:
    kinds: Mapping[str, type | tuple[type, ...]] = {
        **dict.fromkeys(("encoder", "content", "rows", "sha256"), str),
        **dict.fromkeys(("format", "seed", "version"), int),
        "cpu_seconds": (int, float),
        "trustworthiness": (int, float, type(None)),
    }
    for key, kind in kinds.items():
        if not isinstance(stored, dict) or key not in stored or not isinstance(stored[key], kind):
            raise _damaged(file, f"it has no usable {key!r}")
    if not _ROWS.fullmatch(stored["rows"]):
        raise _damaged(file, f"{stored['rows']!r} can't be a name of its rows")


def _read_rows(file: Path, record: MapRecord) -> MapRows:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SpaceError(f"can't read {file}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise _damaged(file, "it isn't the file that was written")
    table = pa.ipc.open_file(pa.BufferReader(content)).read_all().combine_chunks()
    neighbours = table.schema.field("neighbours").type.list_size

    def numbers(name: str) -> NDArray[Any]:
        return np.asarray(table[name].to_numpy())

    return MapRows(
        tuple(table["id"].to_pylist()),
        numbers("digest"),
        np.stack([numbers("x"), numbers("y")], axis=1),
        np.asarray(pa.concat_arrays(table["neighbours"].chunks).flatten())
        .reshape(len(table), neighbours)
        .astype(np.int64),
        numbers("trust"),
        numbers("placed"),
    )


def _as_arrow(rows: MapRows) -> bytes:
    neighbours = pa.array(rows.neighbours_NK.astype(np.int32).ravel())
    table = pa.table(
        {
            "id": pa.array(rows.ids, pa.string()),
            "digest": pa.array(rows.digests_N),
            "x": pa.array(np.ascontiguousarray(rows.places_N2[:, 0])),
            "y": pa.array(np.ascontiguousarray(rows.places_N2[:, 1])),
            "trust": pa.array(rows.trust_N),
            "placed": pa.array(rows.placed_N),
            "neighbours": pa.FixedSizeListArray.from_arrays(neighbours, rows.neighbours_NK.shape[1]),
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as out:
        out.write_table(table)
    return bytes(sink.getvalue())


def _damaged(file: Path, why: str) -> SpaceError:
    return SpaceError(f"{file} is damaged, {why}: `tolman map --again` makes the map anew")
