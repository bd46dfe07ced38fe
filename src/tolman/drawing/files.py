"""A map written to a file, in the form that its name asks for."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from tolman.drawing.page import render_page
from tolman.drawing.picture import draw_picture
from tolman.drawing.scene import Label, Scene, scene_of
from tolman.drawing.vector import render_svg
from tolman.errors import SourceError, SpaceError
from tolman.progress import Progress, Silent
from tolman.space.source import spare_source
from tolman.storage import folders_above, write_whole
from tolman.tables import WRITERS, write_table

if TYPE_CHECKING:
    from tolman.projection.map import Map
    from tolman.space.space import LatentSpace


def draw_map(
    space: "LatentSpace",
    output: str | Path,
    *,
    color: str | None = None,
    labels: Sequence[Label] | None = None,
    drawn: "Map | None" = None,
    progress: Progress | None = None,
) -> None:
    """Write the map of `space`: .html a page to wander in, .png and .svg pictures, else a table (`tables.WRITERS`).

    Args:
        space: any of at least two documents; its map is made if there is none.
        output: where; a file that is there is replaced, in one step.
        color: a column, "label", "topic" or "trust"; None: the first of label, topic, trust that there is.
        labels: words over the map; None: the names of its topics, where these were found or are asked for.
        drawn: its map, if it is at hand.
        progress: who watches.

    Raises:
        SourceError: `output` has another ending than these.
        SpaceError: see `LatentSpace.map`; or `output` is a folder, or the source of the space.
        QueryError: no such column, or none that can be told in colours; no topics to colour by.
        MissingExtra: a picture without Pillow; topics to be found without igraph.
        StorageError: the disk refused; what was there is untouched.
    """
    output = Path(output)
    require_output(output)
    spare_source(space, output)
    drawn = drawn or space.map(progress=progress)
    watched = progress or Silent()
    if output.suffix.lower() in WRITERS:
        watched.start(f"writing {output.name}")
        write_table(_table(space, drawn), output)
        return
    scene = scene_of(space, drawn, color, labels, progress=watched)
    watched.start(f"writing {output.name}")
    write = _PAINTERS[output.suffix.lower()](scene)
    with folders_above(output):
        write_whole(output, write)


def require_output(output: Path) -> None:
    """Refuse what a map can't be written to.

    Raises:
        SourceError: of another ending.
        SpaceError: it is a folder.
    """
    known = (*_PAINTERS, *WRITERS)
    if output.suffix.lower() not in known:
        raise SourceError(f"can't write a map to {output}: expected a name that ends in {', '.join(known)}")
    if output.is_dir():
        raise SpaceError(f"can't write a map to {output}: it is a folder")


Writer = Callable[[BinaryIO], object]


def _page(scene: Scene) -> Writer:
    content = render_page(scene).encode("utf-8", "replace")
    return lambda file: file.write(content)


def _lines(scene: Scene) -> Writer:
    content = render_svg(scene).encode("utf-8", "replace")
    return lambda file: file.write(content)


def _picture(scene: Scene) -> Writer:
    image = draw_picture(scene)
    return lambda file: image.save(file, format="PNG", optimize=True)


_PAINTERS: dict[str, Callable[[Scene], Writer]] = {".html": _page, ".png": _picture, ".svg": _lines}


def _table(space: "LatentSpace", drawn: "Map") -> pa.Table:
    """A row a document, in the order of `LatentSpace.table`."""
    table = space.table(["id", "title", "label"])
    for name, values in (
        ("x", drawn.positions_N2[:, 0]),
        ("y", drawn.positions_N2[:, 1]),
        ("trust", drawn.trust_N),
    ):
        table = table.append_column(name, pa.array(values.copy()))
    return table
