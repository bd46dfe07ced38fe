"""Is the encoder in a space the one that made it?

Its files are hashed, and it is asked for its fingerprint, before it is first used. Doing so at every start would cost
more than the search: what was verified is remembered in `derived/`, by the size and time of change of each file.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tolman.errors import SpaceError, SpaceMismatch
from tolman.models import load_encoder
from tolman.models.encoder import Encoder
from tolman.space.description import FILE, EncoderRecord

VERIFIED = "verified.json"


def digests(folder: Path) -> dict[str, str]:
    """sha256 (hex) of every file under `folder`, by its path in there."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): _digest(file) for file in files}


def verify(folder: Path, record: EncoderRecord, derived: Path) -> Encoder | None:
    """Check that the encoder in `folder` is the one of `record`.

    Args:
        folder: `encoder/` of a space.
        record: what its space.json says of it.
        derived: where it is remembered that this was verified.

    Returns:
        The encoder, if it had to be loaded for that.

    Raises:
        SpaceError: a file is missing or another, or the record names none, or another family or dimension.
        SpaceMismatch: the fingerprint is another.
        ModelError: it can't be loaded.
    """
    described = folder.with_name(FILE)
    if not record.files:
        raise SpaceError(f"{described} is damaged: it names no files of the encoder; restore it from a backup")
    stamps = {name: [digest, *_stamp(folder / name)] for name, digest in record.files.items()}
    seal = {"encoder": [record.family, record.fingerprint, record.dim], "files": stamps}
    if _remembered(derived) == seal:
        return None
    _check_files(folder, record.files)
    encoder = load_encoder(folder)
    _check_encoder(encoder, record, described)
    _remember(derived, seal)
    return encoder


def _check_files(folder: Path, expected: Mapping[str, str]) -> None:
    for name, digest in expected.items():
        got = _digest(folder / name)
        if got != digest:
            raise SpaceError(
                f"{folder / name} is not the file that made this space: expected sha256 {digest[:12]}, got {got[:12]}; "
                "restore it from a backup, or learn the space again"
            )


def _check_encoder(encoder: Encoder, record: EncoderRecord, described: Path) -> None:
    if encoder.fingerprint != record.fingerprint:
        raise SpaceMismatch(f"the encoder beside {described}", expected=record.fingerprint, got=encoder.fingerprint)
    for name, got in (("family", encoder.family), ("dim", encoder.dim)):
        if got != getattr(record, name):
            raise SpaceError(
                f"{described} is damaged: it says encoder.{name} {getattr(record, name)!r}, the encoder has {got!r}; "
                "restore it from a backup"
            )


def _stamp(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError as error:
        raise SpaceError(f"{file} can't be read ({error.strerror}): restore it from a backup") from error
    return status.st_size, status.st_mtime_ns


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _remembered(derived: Path) -> object:
    try:
        return json.loads((derived / VERIFIED).read_text())
    except (OSError, ValueError):
        return None


def _remember(derived: Path, seal: Mapping[str, Any]) -> None:
    """A folder that can't be written only costs the hashing anew."""
    beside = derived / f"{VERIFIED}.{os.getpid()}.partial"
    try:
        derived.mkdir(exist_ok=True)
        beside.write_text(json.dumps(seal))
        beside.replace(derived / VERIFIED)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
