"""What Lance's errors mean."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tolman.errors import SpaceError, StorageError
from tolman.storage import disk_refusal

_RUST_SOURCE = re.compile(r",? ?\S*/\S+\.rs:\d+:\d+.*", re.DOTALL)
_LOST_FILE = re.compile(r"Not found: .*/([^/\s]+/[^/\s]+\.lance)\b")


@contextmanager
def lance_errors(doing: str) -> Iterator[None]:
    """Lance's errors as ours: the disk's as StorageError, damage and lost races as SpaceError."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        refusal, lost = disk_refusal(error), _LOST_FILE.search(str(error))
        if refusal:
            raise StorageError(f"{doing}: {refusal}") from error
        if lost:
            raise SpaceError(
                f"{doing}: {lost[1]} is gone; if the space was learned again or compacted since it was opened, open it "
                "again, else restore it from a backup"
            ) from error
        raise SpaceError(f"{doing}: {_first_line(error)}") from error


def is_about_the_filter(error: ValueError) -> bool:
    """Rather than about what was read, which Lance reports as a ValueError, too."""
    said = str(error)
    asked = ("applying filter expression", "Cannot access field")
    return said.startswith(("Invalid user input", "Not supported")) or any(part in said for part in asked)


def _first_line(error: Exception) -> str:
    """The gist of a message of Lance, without where in its own source it arose."""
    text = without_source(error)
    return text.splitlines()[0] if text else type(error).__name__


def without_source(error: Exception) -> str:
    """What an error of Lance says, without where in its own source it arose."""
    return _RUST_SOURCE.sub("", str(error)).replace("Invalid user input: ", "").strip()
