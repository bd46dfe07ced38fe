"""Are the files of the encoder the ones that made the space?

Hashing weights at every start would cost more than the search. What was verified is remembered in `derived/`, by the
size and time of change of each file.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tolman.errors import SpaceError

VERIFIED = "verified.json"


def digests(folder: Path) -> dict[str, str]:
    """sha256 (hex) of every file under `folder`, by its path in there."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): _digest(file) for file in files}


def verify(folder: Path, expected: Mapping[str, str], derived: Path) -> None:
    """Check that `folder` holds the expected files.

    Raises:
        SpaceError: one is missing or differs.
    """
    stamps = {name: _stamp(folder / name) for name in expected}
    seal = {name: [expected[name], *stamp] for name, stamp in stamps.items()}
    if _remembered(derived) == seal:
        return
    for name, digest in expected.items():
        got = _digest(folder / name)
        if got != digest:
            raise SpaceError(
                f"{folder / name} is not the file that made this space: expected sha256 {digest[:12]}, got {got[:12]}; "
                "restore it from a backup, or learn the space again"
            )
    _remember(derived, seal)


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


def _remember(derived: Path, seal: Mapping[str, list[object]]) -> None:
    """A folder that can't be written only costs the hashing anew."""
    beside = derived / f"{VERIFIED}.{os.getpid()}.partial"
    with suppress(OSError):
        derived.mkdir(exist_ok=True)
        beside.write_text(json.dumps(seal))
        beside.replace(derived / VERIFIED)
