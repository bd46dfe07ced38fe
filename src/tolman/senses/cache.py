"""Senses that were found, kept in `derived/` of the space: one file a word (see `tolman.space.derived`)."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from tolman.senses.word_senses import Occurrence, WordSenses
from tolman.space.derived import derived_file, read_derived, write_derived

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace

_METHOD = 1  # counted up when the same space would give other senses
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
    stem = f"senses-{hashlib.sha256(word.encode()).hexdigest()[:12]}{'-exact' if exact else ''}"
    made_of = [_METHOD, space.store.content_key, space.description.encoder.fingerprint]
    return derived_file(space.path / "derived", stem, made_of)


def load(file: Path) -> WordSenses | None:
    """What `store` kept; None where there is nothing, or nothing whole."""
    kept = read_derived(file)
    if kept is None:
        return None
    try:
        return WordSenses.from_json(kept[1], [Occurrence(**row) for row in kept[0].to_pylist()])
    except (KeyError, TypeError, ValueError):
        return None


def store(file: Path, senses: WordSenses) -> None:
    """Keep them, if that is possible."""
    rows = [asdict(occurrence) for occurrence in senses.occurrences]
    write_derived(file, pa.Table.from_pylist(rows, schema=_OCCURRENCES), senses.to_json())
