import io
import json
import re
import shutil
import sys
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import tree

from tolman import Label, MissingExtra, QueryError, SourceError, SpaceError, StorageError, draw_map, open_space
from tolman.drawing.colors import FAINT, GROUNDS, GROUPS, INK, MOST_GROUPS, OTHER, SHADES, ramp
from tolman.drawing.page import render_page
from tolman.drawing.picture import draw_picture
from tolman.drawing.scene import Coloring, Scene, coloring_of, scene_of
from tolman.drawing.sheet import HEIGHT, SMALL, WIDTH, lay_out_sheet
from tolman.drawing.vector import render_svg

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)> {{cut}} {{name}} <!-- \u2028"


@pytest.fixture(scope="module")
def space(tickets_space, tmp_path_factory):
    path = shutil.copytree(tickets_space, tmp_path_factory.mktemp("drawn") / "tickets.space")
    opened = open_space(path)
    opened.map()
    return opened


def scene(count=40, **changes) -> Scene:
    chance = np.random.default_rng(0)
    index_N = (np.arange(count) % 3).astype(np.uint8)
    kept_N = (np.arange(count) % 16).astype(np.uint8)
    usual = {
        "name": "tickets",
        "told": f"{count} documents",
        "places_N2": chance.normal(size=(count, 2)).astype(np.float32),
        "kept_N": kept_N,
        "neighbours": 15,
        "titles": tuple(f"title {row}" for row in range(count)),
        "snippets": tuple(f"snippet {row}" for row in range(count)),
        "colorings": (
            Coloring("label", index_N, ("refund", "delivery", "2 more"), (14, 13, 13), 2),
            Coloring("trust", (kept_N * 2).astype(np.uint8), ends=("none kept", "all kept")),
        ),
    }
    return Scene(**(usual | changes))


def data_of(page: str):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


# ---- the page


def test_the_page_asks_no_network_and_holds_every_document():
    page = render_page(scene())
    assert not re.search(r"https?:|\bsrc=|@import|url\(", page)
    assert re.findall(r'\bhref="([^"]*)"', page) == ["data:,"]
    assert "default-src &#x27;none&#x27;" in page
    told = data_of(page)
    assert sorted(told["titles"]) == sorted(scene().titles)
    assert [one["name"] for one in told["colorings"]] == ["label", "trust"]
    assert "{{" not in page


def test_points_titles_and_groups_stay_together_when_shuffled():
    drawn = scene()
    told = data_of(render_page(drawn))
    unpacked = {
        key: np.frombuffer(pa_bytes(told[key]), kind) for key, kind in (("x", "<u2"), ("y", "<u2"), ("kept", "u1"))
    }
    index = np.frombuffer(pa_bytes(told["colorings"][0]["index"]), "u1")
    low_2, span = drawn.places_N2.min(axis=0), np.ptp(drawn.places_N2, axis=0).max()
    for place, title in enumerate(told["titles"]):
        row = drawn.titles.index(title)
        assert told["snippets"][place] == drawn.snippets[row]
        assert (unpacked["kept"][place], index[place]) == (drawn.kept_N[row], drawn.colorings[0].index_N[row])
        wanted = (drawn.places_N2[row] - low_2) / span * 65_535
        assert [unpacked["x"][place], unpacked["y"][place]] == pytest.approx(wanted, abs=1)


def pa_bytes(text: str) -> bytes:
    from base64 import b64decode

    return b64decode(text)


def test_what_documents_say_is_never_a_part_of_the_page():
    groups = Coloring("label", np.zeros(1, np.uint8), (EVIL,), (1,))
    evil = scene(
        1, name=EVIL, told=EVIL, titles=(EVIL,), snippets=(EVIL,), colorings=(groups,), labels=(Label(0, 0, EVIL),)
    )
    page, plain = render_page(evil), render_page(scene(1))
    for tag in ("script", "img", "svg", "button", "!--"):
        assert page.count(f"<{tag}") == plain.count(f"<{tag}")
    assert page.count("</script>") == plain.count("</script>")
    told = data_of(page)
    assert told["titles"] == told["snippets"] == [EVIL]
    assert (told["name"], told["labels"][0]["text"], told["colorings"][0]["groups"]) == (EVIL, EVIL, [EVIL])
    script = page.rsplit("<script>", 1)[1]
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|outerHTML|\beval\(", script)


def test_everything_that_is_pressed_or_typed_into_has_a_name():
    page = render_page(scene())
    for tag in re.findall(r"<(?:button|input|select|canvas)\b[^>]*>", page.split("<script")[0]):
        assert re.search(r'aria-label="[^"]+"|aria-describedby', tag), tag
    assert 'role="status"' in page


def test_a_map_of_documents_at_one_place_is_a_page():
    assert data_of(render_page(scene(places_N2=np.zeros((40, 2), np.float32))))["titles"]


# ---- pictures


def test_the_vector_picture_is_well_formed_and_holds_every_dot():
    drawn = scene(labels=(Label(0.0, 0.0, "A topic & more"),))
    svg = render_svg(drawn)
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    dots = [path.get("d").count("M") for path in root.iter("{http://www.w3.org/2000/svg}path")]
    assert dots == [14, 13, 13]
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"tickets", "refund (14)", "2 more (13)", "A topic & more"} <= set(texts)
    places = np.array(re.findall(r"M([\d.-]+) ([\d.-]+)h0", svg), float)
    assert (places >= 0).all()
    assert (places <= [WIDTH, HEIGHT]).all()


def test_control_characters_leave_the_vector_picture_well_formed():
    ElementTree.fromstring(render_svg(scene(name="a\x00\x1b<b>&", told="\x07")))


def test_the_picture_shows_every_group():
    image = draw_picture(scene())
    assert image.size == (2 * WIDTH, 2 * HEIGHT)
    shown = {color for _, color in image.convert("RGB").getcolors(1 << 24)}
    for color in (*GROUPS["light"][:2], OTHER["light"], GROUNDS["light"]):
        assert tuple(bytes.fromhex(color[1:])) in shown
    assert draw_picture(scene(colorings=scene().colorings[1:])).size == image.size


def test_without_pillow_the_way_to_a_picture_is_said(space, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtra, match=r"a map as .png needs an extra: pip install 'tolman\[image\]'"):
        draw_map(space, tmp_path / "m.png")
    assert list(tmp_path.iterdir()) == []


# ---- colours


def _contrast(one: str, other: str) -> float:
    """Of WCAG 2.1."""

    def luminance(color: str) -> float:
        parts = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_can_be_read_and_dots_seen(theme):
    ground = GROUNDS[theme]
    assert min(_contrast(INK[theme], ground), _contrast(FAINT[theme], ground)) >= 4.5
    assert all(_contrast(color, ground) >= 1.9 for color in (*GROUPS[theme], OTHER[theme]))
    shades = ramp(theme)
    assert len(shades) == SHADES
    assert [_contrast(shade, ground) for shade in shades] == sorted(_contrast(shade, ground) for shade in shades)
    assert _contrast(shades[0], ground) > 1.4


def test_the_largest_groups_have_colours_and_the_rest_share_one():
    column = pa.array([f"g{group}" for group in range(MOST_GROUPS + 4) for _ in range(40 - group)] + [None])
    coloring = coloring_of("kind", column)
    assert coloring.groups == (*(f"g{group}" for group in range(MOST_GROUPS)), "5 more")
    assert coloring.rest == MOST_GROUPS
    assert sum(coloring.counts) == len(column)
    assert np.bincount(coloring.index_N).tolist() == list(coloring.counts)


def test_few_numbers_are_groups_and_many_are_shades():
    assert coloring_of("year", pa.array([2020, 2021, 2021])).groups == ("2021", "2020")
    shaded = coloring_of("length", pa.array([*range(50), 10**9, None]))
    assert (shaded.groups, shaded.ends) == ((), ("0", "1000000000"))
    assert shaded.index_N[25] == pytest.approx(SHADES / 2, abs=1)
    dated = coloring_of("day", pa.array(np.arange(40).astype("datetime64[D]")))
    assert dated.ends == ("1970-01-01", "1970-02-09")


def test_a_column_of_lists_has_no_colours():
    with pytest.raises(QueryError, match="column 'tags' is of type list"):
        coloring_of("tags", pa.array([["a"]]))


# ---- files


def test_a_scene_of_a_space_begins_with_its_labels(space):
    drawn = scene_of(space, space.map())
    assert [one.name for one in drawn.colorings] == ["label", "trust"]
    assert drawn.told.startswith("298 documents; of the 15 nearest of each")
    assert [one.name for one in scene_of(space, space.map(), "year").colorings] == ["year", "label", "trust"]
    assert all(0 < len(title) <= 90 for title in drawn.titles)


def test_topics_stand_over_the_map_once_they_were_found(own_space):
    space = open_space(own_space)
    assert scene_of(space, space.map()).labels == ()
    drawn = scene_of(space, space.map(), "topic")
    topics = space.topics()
    assert {label.text for label in drawn.labels} == {topic.name for topic in topics.shown}
    assert [one.name for one in drawn.colorings] == ["topic", "label", "trust"]
    assert dict(zip(drawn.colorings[0].groups, drawn.colorings[0].counts, strict=True)).items() >= {
        (topic.name, topic.size) for topic in topics.shown[:3]
    }
    assert [one.name for one in scene_of(space, space.map()).colorings] == ["label", "topic", "trust"]
    assert len(scene_of(space, space.map()).labels) == len(topics.shown)


def test_labels_lie_on_the_sheet_and_over_no_heavier_one():
    labels = (Label(0, 0, "light", 1), Label(0, 0.001, "heavy", 2), Label(-9, 5, "far to the left of all dots", 1))
    texts = {text.text: text for text in lay_out_sheet(scene(labels=labels)).texts if text.halo}
    assert set(texts) == {"heavy", "far to the left of all dots"}
    assert all(text.x >= 0.5 * SMALL * len(name) / 2 for name, text in texts.items())


@pytest.mark.parametrize("suffix", [".html", ".png", ".svg", ".jsonl", ".parquet"])
def test_a_map_is_written_in_every_form_twice_alike(space, tmp_path, suffix):
    file = tmp_path / "deep" / f"map{suffix}"
    draw_map(space, file)
    content = file.read_bytes()
    draw_map(space, file)
    assert file.read_bytes() == content
    assert [other.name for other in file.parent.iterdir()] == [file.name]


def test_tables_hold_the_map(space, tmp_path):
    draw_map(space, tmp_path / "m.jsonl")
    draw_map(space, tmp_path / "m.parquet")
    drawn = space.map()
    rows = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == list(drawn.ids)
    assert np.array([[row["x"], row["y"]] for row in rows], np.float32).tobytes() == drawn.positions_N2.tobytes()
    assert pq.read_table(tmp_path / "m.parquet")["trust"].to_numpy().tobytes() == drawn.trust_N.tobytes()
    assert set(rows[0]) == {"id", "title", "label", "x", "y", "trust"}


@pytest.mark.parametrize(
    ("name", "color", "error", "said"),
    [
        ("m.gif", None, SourceError, r"expected a name that ends in .html, .png, .svg, .parquet, .csv, .jsonl, .arrow"),
        ("m", None, SourceError, "expected a name that ends in"),
        (
            "m.html",
            "nothere",
            QueryError,
            "'nothere' is no column of this space: expected one of label, topic, trust, year",
        ),
        ("m.html", "text", QueryError, "'text' can't be told in colours"),
        ("folder.html", None, SpaceError, "it is a folder"),
    ],
)
def test_what_cannot_be_drawn_is_refused(space, tmp_path, name, color, error, said):
    (tmp_path / "folder.html").mkdir()
    before = tree(tmp_path)
    with pytest.raises(error, match=said):
        draw_map(space, tmp_path / name, color=color)
    assert tree(tmp_path) == before


def test_a_full_disk_leaves_the_file_that_was_there(space, tmp_path, monkeypatch):
    file = tmp_path / "m.html"
    file.write_text("old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match=r"can't write .*m\.html: No space left"):
        draw_map(space, file)
    assert [other.name for other in tmp_path.iterdir()] == ["m.html"]
    assert file.read_text() == "old"


def test_pages_of_many_documents_say_less_of_each(space, monkeypatch):
    monkeypatch.setattr("tolman.drawing.scene._TEXT_BYTES", 298 * 50)
    drawn = scene_of(space, space.map())
    assert all(len(title) + len(more) <= 50 for title, more in zip(drawn.titles, drawn.snippets, strict=True))
    assert len(io.StringIO(render_page(drawn)).read()) < 100_000
