"""A learning curve laid out on a plane: lines, dots and words at places, for any painter.

Colours are named by what they are for; each painter has its own for a light and a dark ground. Those of the series are
Okabe and Ito's (jfly.uni-koeln.de/color, 2008), which people tell apart whatever their eyes, darker on white where
names would be too pale to read; every line is named at its end as well, so that nobody needs the colour.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from tolman.curves.curve import LearningCurve

Place: TypeAlias = tuple[float, float]
Anchor: TypeAlias = Literal["start", "middle", "end"]

SERIES = ("series-1", "series-2", "series-3", "series-4", "series-5")
WIDTH = 940.0
LEFT, RIGHT = 64.0, 772.0
SIZES = {"title": 17.0, "label": 13.0, "small": 12.0}
_TOP, _PANEL, _GAP, _FOOT = 62.0, 240.0, 96.0, 54.0
_APART = 18.0  # between two names at the ends of lines


@dataclass(frozen=True, slots=True)
class Line:
    """Straight from place to place."""

    places: tuple[Place, ...]
    color: str
    width: float
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A disc, or a ring around the ground's colour."""

    place: Place
    color: str
    radius: float
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """A text whose base line stands at `place`."""

    place: Place
    text: str
    color: str
    size: float
    anchor: Anchor = "start"
    bold: bool = False


Shape: TypeAlias = Line | Dot | Words


@dataclass(frozen=True)
class Axis:
    """Values to places.

    Attributes:
        ticks: round values, in order; the first and last are the ends of the axis unless `end` is given.
        start, stop: places of the two ends.
        end: the last value, where it isn't a round one.
    """

    ticks: tuple[float, ...]
    start: float
    stop: float
    end: float | None = None

    def __call__(self, value: float) -> float:
        """The place of `value`."""
        low, high = self.ticks[0], self.ticks[-1] if self.end is None else self.end
        return self.start + (value - low) / ((high - low) or 1.0) * (self.stop - self.start)

    @property
    def labels(self) -> list[str]:
        """Of the ticks, all with the same number of digits after the point."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return [f"{tick:,.{digits}f}" for tick in self.ticks]


@dataclass(frozen=True)
class Series:
    """One line."""

    name: str
    color: str
    course: Sequence[Place]
    dots: bool = False


@dataclass(frozen=True)
class Chart:
    """What painters paint.

    Attributes:
        width, height: of the plane.
        shapes: from the back to the front.
        tops_and_bottoms: of the panels.
        across: places of the curve's moments, from left to right.
    """

    width: float
    height: float
    shapes: tuple[Shape, ...]
    tops_and_bottoms: tuple[Place, ...]
    across: tuple[float, ...]


def lay_out(curve: LearningCurve) -> Chart:
    """Losses above, quality below where it was measured, time from left to right."""
    losses = [Series(name, color, curve.loss(name)) for name, color in zip(curve.objectives, _colors(), strict=False)]
    quality = Series("nDCG@10", SERIES[-1], curve.quality, dots=True)
    stacked = [("Loss", "nats, smoothed; less is better; a ring marks the first", losses)] if losses else []
    if curve.quality:
        stacked.append(("Held-out quality", "nDCG@10 on questions cut out of the corpus; more is better", [quality]))
    unit, length = _time_unit(curve.moments[-1].seconds)
    end = max(curve.moments[-1].seconds / length, 1e-9)
    ticks = tuple(tick for tick in round_ticks(0, end, 8) if tick <= end * 1.001)
    time = Axis(ticks, LEFT, RIGHT, end)
    shapes: list[Shape] = []
    edges: list[Place] = []
    for number, (title, told, series) in enumerate(stacked):
        top = _TOP + number * (_PANEL + _GAP)
        edges.append((top, top + _PANEL))
        shapes += [Words((LEFT, top - 34), title, "ink", SIZES["title"], bold=True)]
        shapes += [Words((LEFT, top - 14), told, "faint", SIZES["small"])]
        scaled = [Series(s.name, s.color, [(x / length, y) for x, y in s.course], s.dots) for s in series]
        shapes += _panel(scaled, time, edges[-1])
    bottom = edges[-1][1]
    shapes += _time_axis(time, unit, edges)
    shapes += _resumptions([(seconds / length, step) for seconds, step in curve.resumptions], time, edges)
    across = tuple(time(moment.seconds / length) for moment in curve.moments)
    return Chart(WIDTH, bottom + _FOOT, tuple(shapes), tuple(edges), across)


def round_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """At most about `most` multiples of 1, 2 or 5 times a power of ten, from below `low` to above `high`."""
    if high - low < 1e-9:
        low, high = low - max(0.05, abs(low) * 0.05), high + max(0.05, abs(high) * 0.05)
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(number * step for number in range(first, last + 1))


def _colors() -> Iterable[str]:
    return SERIES[:-1]


def _time_unit(seconds: float) -> tuple[str, float]:
    if seconds < 120:
        return "seconds", 1.0
    return ("minutes", 60.0) if seconds < 7200 else ("hours", 3600.0)


def _panel(series: Sequence[Series], time: Axis, edges: Place) -> list[Shape]:
    """Grid, lines with a ring at their start, and what stands beside them."""
    values = [value for one in series for _, value in one.course]
    low, high = min(values), max(values)
    if 0 < low < high / 3:
        low = 0.0
    scale = Axis(round_ticks(low, high, 6), edges[1], edges[0])
    shapes: list[Shape] = []
    for tick, label in zip(scale.ticks, scale.labels, strict=True):
        shapes.append(Line(((LEFT, scale(tick)), (RIGHT, scale(tick))), "grid", 1))
        shapes.append(Words((LEFT - 10, scale(tick) + 4), label, "faint", SIZES["small"], "end"))
    for one in series:
        places = tuple((time(x), scale(y)) for x, y in one.course)
        shapes.append(Line(places, one.color, 2.25))
        shapes += [Dot(place, one.color, 3.5) for place in places[1:] if one.dots]
        shapes.append(Dot(places[0], one.color, 4.5, hollow=True))
    return shapes + _beside(series, time, scale)


def _beside(series: Sequence[Series], time: Axis, scale: Axis) -> list[Shape]:
    """Names at the ends of the lines; of one line also what its start was worth, all along."""
    ends = [(scale(one.course[-1][1]), one.name, one.color, one.course[-1][1]) for one in series]
    if len(series) > 1:
        return _names(ends, scale)
    x, y = series[0].course[0]
    return [
        Line(((time(x) + 6, scale(y)), (RIGHT, scale(y))), "axis", 1, dashed=True),
        *_names([*ends, (scale(y), "start", "faint", y)], scale),
    ]


def _names(ends: Sequence[tuple[float, str, str, float]], scale: Axis) -> list[Shape]:
    """(height, name, colour, value) each, right of the panel, moved apart where they are close together."""
    ordered = sorted(ends)
    heights = _spread([height for height, *_ in ordered], scale.stop, scale.start)
    shapes: list[Shape] = []
    for height, (_, name, color, value) in zip(heights, ordered, strict=True):
        shapes.append(Words((RIGHT + 12, height + 4.5), name, color, SIZES["label"], bold=True))
        shapes.append(Words((WIDTH - 8, height + 4.5), _short(value), "ink", SIZES["label"], "end"))
    return shapes


def _spread(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Heights in the order of those `wanted`, from `top` to `bottom`, none closer than _APART where there is room."""
    heights = list(wanted)
    for above, below in pairwise(range(len(heights))):
        heights[below] = max(heights[below], heights[above] + _APART)
    heights[-1] = min(heights[-1], bottom)
    for below, above in pairwise(reversed(range(len(heights)))):
        heights[above] = min(heights[above], heights[below] - _APART)
    return [max(height, top) for height in heights]


def _time_axis(time: Axis, unit: str, edges: Sequence[Place]) -> list[Shape]:
    shapes: list[Shape] = []
    for _, bottom in edges:
        shapes.append(Line(((LEFT, bottom), (RIGHT, bottom)), "axis", 1.25))
        for tick, label in zip(time.ticks, time.labels, strict=True):
            shapes.append(Line(((time(tick), bottom), (time(tick), bottom + 5)), "axis", 1.25))
            shapes.append(Words((time(tick), bottom + 20), label, "faint", SIZES["small"], "middle"))
    bottom = edges[-1][1]
    return [*shapes, Words(((LEFT + RIGHT) / 2, bottom + 42), f"{unit} of learning", "ink", SIZES["label"], "middle")]


def _resumptions(resumed: Sequence[tuple[float, int]], time: Axis, edges: Sequence[Place]) -> list[Shape]:
    shapes: list[Shape] = []
    for value, step in resumed:
        shapes += [Line(((time(value), top), (time(value), bottom)), "axis", 1, dashed=True) for top, bottom in edges]
        right = time(value) > (LEFT + RIGHT) / 2
        place = (time(value) + (-6 if right else 6), edges[0][0] + 12)
        anchor: Anchor = "end" if right else "start"
        shapes.append(Words(place, f"resumed at step {step:,}", "faint", SIZES["small"], anchor))
    return shapes


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"
