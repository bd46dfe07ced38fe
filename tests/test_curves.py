import json
import math
import re
import sys
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tolman.curves.chart import LEFT, RIGHT, WIDTH, Words, lay_out, round_ticks
from tolman.curves.curve import LearningCurve, spell_seconds
from tolman.curves.files import PAGE, PICTURE, write_curves
from tolman.curves.page import DARK, LIGHT, render_page, render_svg
from tolman.progress import Silent


def points(count=60, objectives=("masked", "causal", "autoencoding", "contrastive"), second=5.0):
    for step in range(1, count + 1):
        losses = {name: 1.0 + math.exp(-step / 9) * (number + 1) for number, name in enumerate(objectives)}
        quality = 0.2 + step / 500 if step % 6 == 1 else None
        yield {"step": step, "seconds": step * second, "losses": losses, "quality": quality}


CURVE = LearningCurve.of("a & <b>.space", points(), resumed=(30,))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 7, (0, 2, 4, 6, 8)), (0.41, 0.44, (0.41, 0.42, 0.43, 0.44)), (2.0, 2.0, None), (0.0, 0.0, None)],
)
def test_ticks_are_round_and_enclose(low, high, ticks):
    found = round_ticks(low, high, 5)
    assert found[0] <= low + 1e-9
    assert high - 1e-9 <= found[-1]
    assert len(found) >= 2
    if ticks:
        assert found == pytest.approx(ticks)


def test_what_is_not_finite_is_not_drawn():
    odd = [{"step": 1, "seconds": 1.0, "losses": {"masked": math.nan}, "quality": None}]
    odd += [{"step": 2, "seconds": 2.0, "losses": {"masked": 3.0}, "quality": math.inf}]
    curve = LearningCurve.of("x", odd)
    assert curve.loss("masked") == [(2.0, 3.0)]
    assert not curve.quality
    assert "nan" not in render_page(curve)


def _box(words: Words) -> tuple[float, float, float, float]:
    width = 0.56 * words.size * len(words.text)  # of a usual sans-serif
    left = words.place[0] - {"start": 0, "middle": width / 2, "end": width}[words.anchor]
    return left, words.place[1] - 0.75 * words.size, left + width, words.place[1] + 0.2 * words.size


@pytest.mark.parametrize(
    "curve",
    [
        CURVE,
        LearningCurve.of("alike", points(objectives=("masked", "causal"), second=3000.0)),
        LearningCurve.of("one", points(objectives=("contrastive",), second=0.01)),
        LearningCurve.of("a single point", list(points(count=1))),
        LearningCurve.of("no quality", [point | {"quality": None} for point in points()]),
    ],
    ids=lambda curve: curve.name,
)
def test_no_words_overlap_and_all_are_on_the_plane(curve):
    chart = lay_out(curve)
    boxes = {words.text: _box(words) for words in chart.shapes if isinstance(words, Words)}
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, f"{one!r} over {other!r}"
    for left, top, right, bottom in boxes.values():
        assert min(left, top) >= 0
        assert right <= WIDTH
        assert bottom <= chart.height


def test_a_line_ends_at_its_last_moment_and_its_name_says_the_value():
    chart = lay_out(CURVE)
    assert chart.across[-1] == pytest.approx(RIGHT)
    assert all(LEFT <= before < after for before, after in pairwise(chart.across))
    words = [shape.text for shape in chart.shapes if isinstance(shape, Words)]
    assert {"masked", "causal", "autoencoding", "contrastive", "1.00", "start", "resumed at step 30"} <= set(words)
    assert "minutes of learning" in words


def test_the_page_needs_nothing_else_and_holds_every_number():
    page = render_page(CURVE)
    assert not re.search(r"https?:|\bsrc=|\bhref=|@import|url\(", page)
    assert "<b>" not in page.split("<style>", maxsplit=1)[0].replace("<!doctype", "")
    told = json.loads(re.search(r'id="moments">(.*?)</script>', page, re.DOTALL)[1])
    assert len(told) == 60
    assert told[6]["told"].splitlines() == [
        "step 7, 35 s",
        *(f"{name} {loss:.3f} nats" for name, loss in CURVE.moments[6].losses.items()),
        "nDCG@10 0.214",
    ]
    assert page.count("<tr>") == 61


def test_a_name_cannot_end_the_script():
    curve = LearningCurve.of("x", [p | {"losses": {"</script><script>alert(1)</script>": 1.0}} for p in points(3)])
    assert "<script>alert" not in render_page(curve)


def test_the_drawing_is_well_formed_and_has_a_colour_for_everything_on_both_grounds():
    svg = render_svg(lay_out(CURVE), CURVE.summary)
    assert ElementTree.fromstring(svg).get("role") == "img"
    used = set(re.findall(r"var\(--([\w-]+)\)", svg))
    assert used <= set(LIGHT)
    assert set(LIGHT) == set(DARK)


def test_words_can_be_read_on_both_grounds():
    for colors in (LIGHT, DARK):
        for name in set(colors) - {"ground", "grid", "axis"}:
            assert _contrast(colors[name], colors["ground"]) >= 4.5, name


def _contrast(one: str, other: str) -> float:
    """Of WCAG 2.1."""

    def luminance(color: str) -> float:
        parts = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_picture_shows_every_line(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    assert write_curves(tmp_path, CURVE, Silent()) == (PAGE, PICTURE)
    with image_module.open(tmp_path / PICTURE) as image:
        assert image.width == 2 * WIDTH
        pixels = {color for _, color in image.convert("RGB").getcolors(1 << 24)}
    for name in ("series-1", "series-2", "series-3", "series-4", "ink", "grid"):
        assert tuple(bytes.fromhex(LIGHT[name][1:])) in pixels, name


def test_without_pillow_the_page_is_there_and_the_way_to_the_picture_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    listener = Listening()
    assert write_curves(tmp_path, CURVE, listener) == (PAGE,)
    assert listener.said == ["learning.png needs an extra: pip install 'tolman[image]'"]
    assert [file.name for file in tmp_path.iterdir()] == [PAGE]


def test_nothing_learned_draws_nothing(tmp_path: Path):
    assert write_curves(tmp_path, LearningCurve.of("x", []), Silent()) == ()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("seconds", "spelt"), [(4.21, "4.21 s"), (119, "119 s"), (750, "12.5 min"), (11_160, "3.1 h")])
def test_time_in_units_that_people_use(seconds, spelt):
    assert spell_seconds(seconds) == spelt


class Listening(Silent):
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)
