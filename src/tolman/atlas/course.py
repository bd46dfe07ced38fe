"""How the space learned, read back from the table on the page of its learning curves."""

from html.parser import HTMLParser
from pathlib import Path

from pydantic import BaseModel

from tolman.curves.curve import LearningCurve
from tolman.curves.files import PAGE

_LARGEST = 16 * 2**20


class CourseAnswer(BaseModel):
    """Losses and held-out quality over time, each as (seconds, value)."""

    losses: dict[str, list[tuple[float, float]]]
    quality: list[tuple[float, float]]
    summary: str


def read_course(folder: Path) -> CourseAnswer | None:
    """What `write_curves` wrote into the folder of a space; None: nothing that can be read."""
    try:
        with (folder / PAGE).open(encoding="utf-8", errors="replace") as file:
            table = _Table()
            table.feed(file.read(_LARGEST))
    except OSError:
        return None
    if len(table.rows) < 2:
        return None
    heads, *rows = table.rows
    curve = LearningCurve.of(folder.name, filter(None, (_point(heads, row) for row in rows)))
    if not curve:
        return None
    losses = {objective: curve.loss(objective) for objective in curve.objectives}
    return CourseAnswer(losses=losses, quality=curve.quality, summary=curve.summary)


def _point(heads: list[str], cells: list[str]) -> dict[str, object] | None:
    told = {head: cell.replace(",", "") for head, cell in zip(heads, cells, strict=False) if cell}
    try:
        losses = {head.removesuffix(" nats").rstrip(","): float(v) for head, v in told.items() if head.endswith("nats")}
        quality = float(told["nDCG@10"]) if "nDCG@10" in told else None
        return {"step": told["step"], "seconds": told["seconds"], "losses": losses, "quality": quality}
    except (KeyError, ValueError):
        return None


class _Table(HTMLParser):
    """The cells of the first table of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """A row or a cell begins."""
        if tag == "tr":
            self.rows.append([])
        self._inside = tag in ("td", "th")
        if self._inside and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """A cell ends."""
        if tag in ("td", "th"):
            self._inside = False

    def handle_data(self, data: str) -> None:
        """What stands in it."""
        if self._inside and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data
