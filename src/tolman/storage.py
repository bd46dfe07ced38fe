"""What the disk refuses, as one error, whichever library was writing.

Libraries written in Rust report a full disk in their own exceptions: safetensors as SafetensorError, tokenizers as a
bare Exception. Only the text says what happened.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tolman.errors import StorageError

_REFUSALS = re.compile(
    r"(no space left(?: on device)?|permission denied|read-only file system|file too large|(?:disk )?quota exceeded)"
    r"|os error (?:13|27|28|30|122)\b",
    re.IGNORECASE,
)


@contextmanager
def folders_above(path: Path) -> Iterator[None]:
    """Make the folders that `path` is to lie in. Those that had to be made go again after an error.

    Raises:
        StorageError: they can't be made.
    """
    above = path.absolute().parent
    made = [folder for folder in path.absolute().parents if not folder.exists()]
    try:
        with storing(f"can't make {above}"):
            above.mkdir(parents=True, exist_ok=True)
        yield
    except Exception:
        with suppress(OSError):  # never made, or somebody put something there
            for folder in made:
                folder.rmdir()
        raise


def readable_like_its_folder(file: Path) -> None:
    """Let whoever may read the folder read `file`: safetensors lets its owner alone."""
    file.chmod(file.parent.stat().st_mode & 0o666)


def disk_refusal(error: Exception) -> str | None:
    """Why the disk refused, if that is what `error` says; None: it is about something else."""
    found = _REFUSALS.search(str(error))
    return found[0] if found else None


@contextmanager
def storing(doing: str) -> Iterator[None]:
    """Turn what the disk refuses inside the block into a StorageError.

    Args:
        doing: what the message begins with, like "can't write FILE".

    Raises:
        StorageError: the disk refused. Every other error goes through as it is.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"{doing}: {error.strerror or disk_refusal(error) or error}") from error
    except Exception as error:
        refusal = disk_refusal(error)
        if refusal is None:
            raise
        raise StorageError(f"{doing}: {refusal}") from error


def write_whole(file: Path, write: Callable[[BinaryIO], object]) -> None:
    """Put a file in its place in one step: whoever reads sees the one that was there or the new one, after a kill too.

    Args:
        file: where; what is there is replaced.
        write: is given the open file.

    Raises:
        StorageError: the disk refused; what was there is untouched.
    """
    beside = file.with_name(f"{file.name}.{os.getpid()}.partial")
    with storing(f"can't write {file}"):
        try:
            with beside.open("wb") as opened:
                write(opened)
                opened.flush()
                os.fsync(opened.fileno())
            beside.replace(file)
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
