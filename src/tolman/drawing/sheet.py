"""A map on a sheet, for papers: dots, a title and a legend at their places, whoever paints them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tolman.drawing.colors import GROUPS, OTHER, ramp
from tolman.drawing.scene import Coloring, Scene
from tolman.models.encoder import Floats

THEME = "light"
WIDTH, HEIGHT = 1200.0, 900.0
_MARGIN, _TOP, _LEGEND = 28.0, 76.0, 250.0
_ROW = 24.0
_CHARACTERS = 28  # of a name in the legend
TITLE, SMALL = 22.0, 14.0
HALO = 0.25  # width of the line around a letter, in sizes
_LETTER, _LINE = 0.55, 1.3  # width of a letter and height of a line, roughly, in sizes


@dataclass(frozen=True, slots=True)
class Text:
    """Words whose base line begins at `x`, `y`, or has its middle there.

    Those over dots have a halo, so that they can be read.
    """

    x: float
    y: float
    text: str
    size: float
    color: str
    bold: bool = False
    middle: bool = False
    halo: bool = False


@dataclass(frozen=True, slots=True)
class Swatch:
    """A dot of the legend."""

    x: float
    y: float
    color: str


@dataclass(frozen=True, eq=False, slots=True)
class Sheet:
    """What painters paint, from the back to the front.

    Attributes:
        dots: colour, and places (N, 2) of its dots; the largest group first.
        radius: of a dot.
        swatches, texts: around them.
    """

    dots: tuple[tuple[str, Floats], ...]
    radius: float
    swatches: tuple[Swatch, ...]
    texts: tuple[Text, ...]


def lay_out_sheet(scene: Scene) -> Sheet:
    """The first colouring of `scene`."""
    coloring = scene.colorings[0]
    at_N2, scale, low_2 = _fitted(scene.places_N2)
    colors = _colors(coloring)
    dots = tuple(
        (color, at_N2[coloring.index_N == number])
        for number, color in enumerate(colors)
        if (coloring.index_N == number).any()
    )
    radius = float(np.clip(0.3 * np.sqrt(WIDTH * HEIGHT / len(at_N2)) * 0.35, 0.7, 4.0))
    swatches, entries = _legend(coloring, colors)
    head = (
        Text(_MARGIN, 40, scene.name, TITLE, "ink", bold=True),
        Text(_MARGIN, 62, f"{scene.told}. Coloured by {coloring.name}.", SMALL, "faint"),
    )
    placed = [(label, *_at(label.x, label.y, scale, low_2)) for label in scene.labels]
    labels = [
        Text(_inside(x, label.text), y, label.text, SMALL, "ink", bold=True, middle=True, halo=True)
        for label, x, y in sorted(placed, key=lambda each: -each[0].weight)
    ]
    return Sheet(dots, radius, swatches, (*head, *entries, *_apart(labels)))


def _inside(x: float, text: str) -> float:
    """The middle of a label, moved so that all of it is on the sheet."""
    half = _LETTER * SMALL * len(text) / 2
    return max(half, min(WIDTH - half, x))


def _apart(texts: Sequence[Text]) -> list[Text]:
    """Those that lie over none of the ones before them."""
    free: list[Text] = []
    for text in texts:
        if all(
            abs(text.x - other.x) > _LETTER * text.size * (len(text.text) + len(other.text)) / 2
            or abs(text.y - other.y) > _LINE * text.size
            for other in free
        ):
            free.append(text)
    return free


def _fitted(places_N2: Floats) -> tuple[Floats, float, Floats]:
    """Places on the sheet, y downwards."""
    low_2, high_2 = places_N2.min(axis=0), places_N2.max(axis=0)
    free = np.array([WIDTH - 2 * _MARGIN - _LEGEND, HEIGHT - _TOP - _MARGIN])
    scale = float((free / np.maximum(high_2 - low_2, 1e-9)).min())
    corner_2 = np.array([low_2[0], high_2[1]]) + np.array([-1, 1]) * (free / scale - (high_2 - low_2)) / 2
    at_N2 = np.stack(
        [_MARGIN + (places_N2[:, 0] - corner_2[0]) * scale, _TOP + (corner_2[1] - places_N2[:, 1]) * scale], 1
    )
    return at_N2, scale, corner_2


def _at(x: float, y: float, scale: float, corner_2: Floats) -> tuple[float, float]:
    return float(_MARGIN + (x - corner_2[0]) * scale), float(_TOP + (corner_2[1] - y) * scale)


def _colors(coloring: Coloring) -> list[str]:
    if not coloring.groups:
        return ramp(THEME)
    return [
        OTHER[THEME] if number == coloring.rest else GROUPS[THEME][number] for number in range(len(coloring.groups))
    ]


def _legend(coloring: Coloring, colors: list[str]) -> tuple[tuple[Swatch, ...], tuple[Text, ...]]:
    left, top = WIDTH - _LEGEND + 12, _TOP + 10
    if coloring.groups:
        rows = [
            (color, f"{_short(name)} ({size:,})")
            for color, name, size in zip(colors, coloring.groups, coloring.counts, strict=True)
        ]
    else:
        steps = np.linspace(0, len(colors) - 1, 6).astype(int)
        names = [coloring.ends[0], "", "", "", "", coloring.ends[1]]
        rows = [(colors[step], name) for step, name in zip(steps, names, strict=True)]
    places = [top + _ROW * number for number in range(len(rows))]
    swatches = tuple(Swatch(left, y, color) for y, (color, _) in zip(places, rows, strict=True))
    texts = (Text(left + 16, y + 5, name, SMALL, "ink") for y, (_, name) in zip(places, rows, strict=True) if name)
    return swatches, tuple(texts)


def _short(name: str) -> str:
    return name if len(name) <= _CHARACTERS else name[: _CHARACTERS - 1] + "…"
