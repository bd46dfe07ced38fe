"""Senses that were found are kept in `derived/` of the space, one Arrow file a word, and may be deleted at any time.

A file is named by the word and by all that its senses depend on. One that is damaged is made anew; where the folder can't
be written, nothing is kept and nothing is said.
"""

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from tolman.senses.word_senses import Occurrence, WordSenses

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace

FOLDER = "senses"
_METHOD = 1  # counted up when the same space would give other senses
_SENSES = b"senses"
_OCCURRENCES = pa.schema(
    [
        ("id", pa.string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("sense", pa.int32()),
        ("confidence", pa.float64()),
    ]
)


def file_of(space: "LatentSpace", word: str, exact: bool) -> Path:
    """Where the senses of `word` in this version of `space` are kept."""
    meant = [_METHOD, word, exact, space.store.content_key, space.description.encoder.fingerprint]
    named = hashlib.sha256(json.dumps(meant).encode()).hexdigest()[:16]
    return space.path / "derived" / FOLDER / f"{_stem(word, exact)}-{named}.arrow"


def load(file: Path) -> WordSenses | None:
    """What `store` kept; None where there is nothing, or nothing whole."""
    try:
        with pa.memory_map(str(file)) as source:
            table = pa.ipc.open_file(source).read_all()
        described = json.loads(table.schema.metadata[_SENSES])
        return WordSenses.from_json(described, [Occurrence(**row) for row in table.to_pylist()])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def store(file: Path, senses: WordSenses) -> None:
    """Written beside and renamed; what was kept of the word for other versions goes."""
    schema = _OCCURRENCES.with_metadata({_SENSES: json.dumps(senses.to_json())})
    table = pa.Table.from_pylist([asdict(occurrence) for occurrence in senses.occurrences], schema=schema)
    beside = file.with_name(f"{file.name}.{os.getpid()}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(beside), "wb") as sink, pa.ipc.new_file(sink, schema) as out:
            out.write_table(table)
        beside.replace(file)
        for other in file.parent.glob(f"{file.name.rpartition('-')[0]}-*.arrow"):
            if other != file:
                other.unlink()
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _stem(word: str, exact: bool) -> str:
    """A name for a file that people recognise, whatever the word is written in."""
    return f"{hashlib.sha256(word.encode()).hexdigest()[:8]}-{'exact' if exact else 'forms'}"
