"""stdin as a file: readers look at a file's size and beginning, and say where in it something is wrong."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tolman.errors import SourceError, StorageError

STDIN = Path("-")


@contextmanager
def or_stdin(path: Path) -> Iterator[Path]:
    """`path`, or for `-` a file of what comes from stdin, kept as long as the block runs.

    Raises:
        SourceError: what is wrong with the file, which is called stdin then.
        StorageError: the disk refused.
    """
    if path != STDIN:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="tolman-") as folder:
        file = Path(folder, "stdin")
        try:
            with file.open("wb") as kept:
                shutil.copyfileobj(sys.stdin.buffer, kept)
        except OSError as error:
            raise StorageError(f"can't keep stdin in {folder}: {error.strerror or error}") from error
        try:
            yield file
        except SourceError as error:
            raise SourceError(str(error).replace(str(file), "stdin")) from None
