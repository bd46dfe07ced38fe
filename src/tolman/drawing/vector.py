"""A map as SVG: plain text, for papers."""

from collections.abc import Iterator
from html import escape

import numpy as np

from tolman.drawing.colors import FAINT, GROUNDS, INK
from tolman.drawing.scene import Scene
from tolman.drawing.sheet import HALO, HEIGHT, THEME, WIDTH, Sheet, Text, lay_out_sheet
from tolman.models.encoder import Floats

_INKS = {"ink": INK[THEME], "faint": FAINT[THEME]}
_SWATCH = 5.5


def render_svg(scene: Scene) -> str:
    """The whole file. The dots of a colour are one path of lines without length, whose round ends are what shows."""
    return "\n".join(_lines(lay_out_sheet(scene), f"{scene.name}: {scene.told}")) + "\n"


def _lines(sheet: Sheet, told: str) -> Iterator[str]:
    named = escape(_printable(told))
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" width="{WIDTH:g}" '
        f'height="{HEIGHT:g}" role="img" aria-label="{named}" font-family="Helvetica, Arial, sans-serif">'
    )
    yield f'<rect width="100%" height="100%" fill="{GROUNDS[THEME]}"/>'
    yield f'<g fill="none" stroke-linecap="round" stroke-width="{2 * sheet.radius:.2f}" stroke-opacity="0.85">'
    for color, at_N2 in sheet.dots:
        yield f'<path stroke="{color}" d="{_dots(at_N2)}"/>'
    yield "</g>"
    for swatch in sheet.swatches:
        yield f'<circle cx="{swatch.x:g}" cy="{swatch.y:g}" r="{_SWATCH}" fill="{swatch.color}"/>'
    yield from map(_text, sheet.texts)
    yield "</svg>"


def _dots(at_N2: Floats) -> str:
    return "".join(f"M{x:g} {y:g}h0" for x, y in np.round(at_N2, 1).tolist())


def _text(text: Text) -> str:
    weight = ' font-weight="600"' if text.bold else ""
    anchor = ' text-anchor="middle"' if text.middle else ""
    around = f' paint-order="stroke" stroke="{GROUNDS[THEME]}" stroke-width="{HALO * text.size:g}"'
    look = f"{weight}{anchor}{around if text.halo else ''}"
    return (
        f'<text x="{text.x:.1f}" y="{text.y:.1f}" font-size="{text.size:g}" fill="{_INKS[text.color]}"{look}>'
        f"{escape(_printable(text.text))}</text>"
    )


def _printable(text: str) -> str:
    """Without what XML 1.0 forbids."""
    return "".join(sign if sign >= " " or sign in "\t\n\r" else "\ufffd" for sign in text)
