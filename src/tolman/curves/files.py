"""Where learning curves are kept: beside the card."""

from pathlib import Path

from tolman.curves.curve import LearningCurve
from tolman.curves.page import render_page
from tolman.curves.picture import draw_picture
from tolman.errors import MissingExtra
from tolman.progress import Progress
from tolman.storage import storing

PAGE, PICTURE = "learning.html", "learning.png"


def write_curves(folder: Path, curve: LearningCurve, progress: Progress) -> tuple[str, ...]:
    """Write the page, and the picture where Pillow is installed; names of what was written.

    Args:
        folder: that they stand in.
        curve: an empty one writes nothing.
        progress: told how to get the picture, where there is none.

    Raises:
        StorageError: the disk refuses.
    """
    if not curve:
        return ()
    with storing(f"can't write {folder / PAGE}"):
        (folder / PAGE).write_text(render_page(curve), encoding="utf-8")
    try:
        picture = draw_picture(curve)
    except MissingExtra as missing:
        progress.say(str(missing))
        return (PAGE,)
    with storing(f"can't write {folder / PICTURE}"):
        picture.save(folder / PICTURE, optimize=True)
    return PAGE, PICTURE
