"""A learning curve as a picture: for cards, mails and repositories, where no page opens."""

from typing import TYPE_CHECKING

from tolman.curves.chart import Anchor, Dot, Line, Place, Shape, lay_out
from tolman.curves.curve import LearningCurve
from tolman.curves.page import LIGHT
from tolman.errors import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_SCALE = 2  # pixels a unit of the chart, so that it is sharp on today's screens
_FINER = 2  # drawn so much larger, then reduced: Pillow doesn't smooth lines itself
_HEAD = 34.0
_DASH = 4.0
_ANCHORS: dict[Anchor, str] = {"start": "ls", "middle": "ms", "end": "rs"}


def draw_picture(curve: LearningCurve) -> "Image":
    """The curve on a light ground.

    Raises:
        MissingExtra: Pillow isn't installed.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise MissingExtra("learning.png", extra="image") from error
    chart, scale = lay_out(curve), _SCALE * _FINER
    size = round(chart.width * scale), round((chart.height + _HEAD) * scale)
    image = Image.new("RGB", size, LIGHT["ground"])
    painter = _Painter(ImageDraw.Draw(image), scale)
    painter.write((64.0, 28.0), f"{curve.name}: how it learned", "ink", 20.0, "start", bold=True)
    painter.down = _HEAD
    for shape in chart.shapes:
        painter.paint(shape)
    return image.reduce(_FINER)


class _Painter:
    def __init__(self, draw: "ImageDraw", scale: int) -> None:
        self.draw, self.scale, self.down = draw, scale, 0.0

    def paint(self, shape: Shape) -> None:
        if isinstance(shape, Line):
            for part in _dashes(shape.places) if shape.dashed else [shape.places]:
                width = round(shape.width * self.scale)
                self.draw.line([self._at(place) for place in part], LIGHT[shape.color], width, joint="curve")
        elif isinstance(shape, Dot):
            fill = LIGHT["ground"] if shape.hollow else LIGHT[shape.color]
            self._disc(shape.place, shape.radius + 1, LIGHT[shape.color])
            self._disc(shape.place, shape.radius - 1, fill)
        else:
            self.write(shape.place, shape.text, shape.color, shape.size, shape.anchor, bold=shape.bold)

    def write(self, place: Place, text: str, color: str, size: float, anchor: Anchor, *, bold: bool) -> None:
        from PIL import ImageFont

        font = ImageFont.load_default(size * self.scale)
        stroke = 0.02 * size * self.scale if bold else 0.0  # the font that Pillow brings along has one weight
        self.draw.text(self._at(place), text, LIGHT[color], font, anchor=_ANCHORS[anchor], stroke_width=stroke)

    def _disc(self, place: Place, radius: float, color: str) -> None:
        x, y = self._at(place)
        r = radius * self.scale
        self.draw.ellipse((x - r, y - r, x + r, y + r), color)

    def _at(self, place: Place) -> Place:
        return place[0] * self.scale, (place[1] + self.down) * self.scale


def _dashes(places: tuple[Place, ...]) -> list[tuple[Place, Place]]:
    """Of a straight line."""
    (x0, y0), (x1, y1) = places
    length = max(abs(x1 - x0), abs(y1 - y0))
    parts = []
    for start in range(0, int(length), int(2 * _DASH)):
        first, last = start / length, min(1.0, (start + _DASH) / length)
        parts.append(((x0 + (x1 - x0) * first, y0 + (y1 - y0) * first), (x0 + (x1 - x0) * last, y0 + (y1 - y0) * last)))
    return parts
