"""What a space was made from is never written over."""

from pathlib import Path
from typing import TYPE_CHECKING

from tolman.errors import SpaceError

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace


def spare_source(space: "LatentSpace", output: Path) -> None:
    """Refuse to write to a file that may be the source of `space`: the file is there and has its name.

    Raises:
        SpaceError: so it is.
    """
    source = space.description.corpus.source
    if source and output.exists() and output.name == Path(source).name:
        raise SpaceError(f"{output} has the name of what {space.path} was made from ({source}): choose another name")
