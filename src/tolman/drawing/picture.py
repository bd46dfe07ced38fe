"""A map as PNG."""

from typing import TYPE_CHECKING

import numpy as np

from tolman.drawing.colors import FAINT, GROUNDS, INK
from tolman.drawing.scene import Scene
from tolman.drawing.sheet import HALO, HEIGHT, THEME, WIDTH, lay_out_sheet
from tolman.errors import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image

_SCALE, _FINER = 2, 2  # pixels a unit; drawn so much larger, then reduced, for Pillow doesn't smooth
_INKS = {"ink": INK[THEME], "faint": FAINT[THEME]}
_SWATCH = 5.5


def draw_picture(scene: Scene) -> "Image":
    """On a light ground.

    Raises:
        MissingExtra: Pillow isn't installed.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise MissingExtra("a map as .png", extra="image") from error
    sheet, scale = lay_out_sheet(scene), _SCALE * _FINER
    image = Image.new("RGB", (round(WIDTH * scale), round(HEIGHT * scale)), GROUNDS[THEME])
    draw = ImageDraw.Draw(image)
    colors = np.concatenate([np.full(len(at_N2), number) for number, (_, at_N2) in enumerate(sheet.dots)])
    at_N2 = np.concatenate([at_N2 for _, at_N2 in sheet.dots]) * scale
    radius = sheet.radius * scale
    for row in np.random.default_rng(0).permutation(len(at_N2)):  # so that no group lies over all others
        x, y = at_N2[row]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), sheet.dots[colors[row]][0])
    for swatch in sheet.swatches:
        x, y, r = swatch.x * scale, swatch.y * scale, _SWATCH * scale
        draw.ellipse((x - r, y - r, x + r, y + r), swatch.color)
    for text in sheet.texts:
        font = ImageFont.load_default(text.size * scale)
        stroke = 0.02 * text.size * scale if text.bold else 0.0  # the font that Pillow brings along has one weight
        where = text.x * scale, text.y * scale
        anchor = "ms" if text.middle else "ls"
        if text.halo:
            ground, around = GROUNDS[THEME], HALO / 2 * text.size * scale
            draw.text(where, text.text, ground, font, anchor=anchor, stroke_width=around, stroke_fill=ground)
        draw.text(where, text.text, _INKS[text.color], font, anchor=anchor, stroke_width=stroke)
    return image.reduce(_FINER)
