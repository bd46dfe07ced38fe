"""Colours of a map: few enough to be told apart whatever one's eyes, on a light and a dark ground.

The first are those of Okabe and Ito (jfly.uni-koeln.de/color, 2008), the others of Paul Tol's muted scheme, darker or
paler where the ground asks for it. Nobody needs the colour alone: the legend hides and shows each group by its name.
"""

from collections.abc import Sequence

GROUNDS = {"light": "#ffffff", "dark": "#14171b"}
INK = {"light": "#1b1f24", "dark": "#e8eaed"}
FAINT = {"light": "#5b6470", "dark": "#9aa4b0"}
OTHER = {"light": "#a9b0b9", "dark": "#5d6672"}
GROUPS = {
    "light": (
        *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"),
        *("#56b4e9", "#882255", "#999933", "#332288", "#b89b00"),
    ),
    "dark": (
        *("#4aa3df", "#ff8340", "#2bc59a", "#e59cc9", "#ffb733"),
        *("#9bd8ff", "#d9659a", "#c5c95a", "#9b8cf0", "#f0e442"),
    ),
}
MOST_GROUPS = len(GROUPS["light"])
_RAMP = {
    "light": ("#c9ced6", "#79b0d6", "#1d6fa8", "#0b3258"),
    "dark": ("#3d444e", "#3f6f96", "#5fb2ea", "#e4f4ff"),
}
SHADES = 32


def ramp(theme: str) -> list[str]:
    """From low to high, `SHADES` of them, ever farther from the ground."""
    stops = [_parts(color) for color in _RAMP[theme]]
    places = [step / (SHADES - 1) * (len(stops) - 1) for step in range(SHADES)]
    return [_between(stops, place) for place in places]


def _between(stops: Sequence[tuple[int, int, int]], place: float) -> str:
    before = min(int(place), len(stops) - 2)
    share = place - before
    mixed = (round(a + (b - a) * share) for a, b in zip(stops[before], stops[before + 1], strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _parts(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue
