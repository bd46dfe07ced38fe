"""Senses, topics over time, searches in a topic, files that are dropped, names on the map."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Page, drop_files, serve, stop
from PIL import Image


@pytest.fixture
def dated(browser: Any, dated_space: Path, tmp_path: Path) -> Iterator[Page]:
    server, address = serve(Path(shutil.copytree(dated_space, tmp_path / "dated.space")), "--write")
    opened = Page(browser, address)
    yield opened
    assert opened.errors == []
    opened.context.close()
    stop(server)


def test_a_sense_is_searched_and_told(opened: Page) -> None:
    page = opened.open("/?q=refund~1")
    page.wait_for_selector(".sensed:has-text('sense 1')")
    page.fill("#query", "refund~river")
    page.wait_for_selector(".sensed:has-text('was searched as words')")
    page.locator(".sensed").get_by_role("button", name="Its senses").click()
    page.wait_for_selector(".sense")
    page.locator(".sense .actions button").first.click()
    page.wait_for_selector(".list .item")
    assert page.input_value("#query").startswith("refund")


def test_a_topic_is_searched_alone(opened: Page) -> None:
    page = opened.open("/?view=topics")
    page.locator(".topic.shown").first.click()
    name = page.inner_text("article h2")
    page.get_by_role("button", name="Search in it").click()
    page.fill("#query", "card")
    page.wait_for_selector(f".within:has-text('{name}')")
    page.wait_for_selector(".python code:has-text('members(')")
    told = page.locator(".item .facts").all_inner_texts()
    assert told
    assert all(name in each for each in told)
    assert all(page.locator(".item .snippet").all_inner_texts())
    page.get_by_role("button", name="Search everywhere").click()
    page.wait_for_selector(".within", state="detached")
    assert page.input_value("#query") == "card"


def test_topics_over_time_as_chart_table_and_files(dated: Page) -> None:
    page = dated.open("/?view=topics&every=year")
    page.wait_for_selector(".chart rect", state="attached")
    assert page.input_value("#time") == "opened"
    page.get_by_text("As a table").click()
    years = page.locator(".counts tbody th").all_inner_texts()
    assert years == sorted(years)
    assert {len(year) for year in years} == {4}
    page.select_option("#every", "month")
    page.wait_for_selector(".counts tbody th:text-matches('^\\\\d{4}-\\\\d{2}$')")
    assert "every" not in page.url  # month is the usual one
    with page.expect_download() as download:
        page.locator("section[aria-label='Topics over time'] .export a", has_text="CSV").click()
    assert Path(download.value.path()).read_text(encoding="utf-8").startswith('"period"')
    with page.expect_download() as download:
        page.locator("section[aria-label='Topics over time']").get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename == "topics-over-time.png"
    with Image.open(download.value.path()) as drawn:
        assert drawn.width == 1_280
        assert len(drawn.convert("RGB").getcolors(1 << 20)) > len(years)  # bars, not a blank


def test_the_map_is_coloured_by_dates_that_are_text(dated: Page) -> None:
    page = dated.open("/?by=opened")
    page.wait_for_selector(".legend .ramp")
    assert len(page.locator(".ends span").first.inner_text()) == len("2026-11-28")


def test_topics_are_found_again(dated: Page) -> None:
    page = dated.open("/?view=topics")
    page.get_by_role("button", name="Find again").click()
    page.wait_for_selector(".unseen[aria-live]:has-text('Topics found again')", state="attached")
    assert page.locator(".topic.shown").count() > 1


def test_files_are_dropped_and_added(changing: Page) -> None:
    page = changing.open("/?q=refund")
    table = "id,subject,body\nn1,Violin,The glacier violin exploded at dawn\nn2,Late,My parcel is late\n"
    drop_files(page, {"two.csv": table, "one.txt": "My refund has still not arrived"})
    page.wait_for_selector(".dropped:nth-child(2) .topics li")
    assert "view=place" in page.url
    page.locator("circle.landed").nth(2).wait_for(state="attached")  # with the map, which may come later
    assert page.locator("circle.landed").count() == 3
    page.get_by_role("button", name="Add 3 to the space").click()
    page.wait_for_selector("canvas[aria-label*='301 documents']")
    assert page.locator(".dropped [role=status]").all_inner_texts() == ["2 added", "1 added"]
    page.goto(changing.address + "/?q=glacier+violin&mode=lexical")
    page.wait_for_selector(".item strong:has-text('Violin')")


def test_where_nothing_may_be_written_files_land_only(browser: Any, reading: str) -> None:
    opened = Page(browser, reading)
    page = opened.open()
    drop_files(page, {"one.txt": "My refund has still not arrived", "broken.jsonl": "not json"})
    page.wait_for_selector(".dropped .topics li")
    page.wait_for_selector(".dropped .failure:has-text('line 1')")
    page.locator("circle.landed").wait_for(state="attached")
    assert page.locator("circle.landed").count() == 1
    assert page.get_by_role("button", name="to the space").count() == 0
    page.wait_for_selector("text=This server only reads")
    page.get_by_role("button", name="Clear").click()
    page.wait_for_selector("circle.landed", state="detached")
    opened.context.close()


@pytest.mark.parametrize("zoom", [1, 3, 9, 30])
def test_there_are_names_at_every_zoom(opened: Page, zoom: int) -> None:
    page = opened.open()
    page.get_by_role("link", name="Topics").click()
    page.locator(".topic.shown").first.click()  # the map flies to where there are documents
    page.wait_for_timeout(700)
    at = page.evaluate("new URLSearchParams(location.search).get('at')").split("~")
    page.goto(f"{opened.address}/?at={at[0]}~{at[1]}~{zoom}")
    page.wait_for_selector(".labels button")
    tools = page.locator(".tools").bounding_box()
    for label in page.locator(".labels button").all():
        box = label.bounding_box()
        assert box["x"] >= 400
        assert box["x"] + box["width"] <= 1280
        assert box["y"] + box["height"] <= tools["y"] or box["x"] + box["width"] <= tools["x"] or box["x"] >= tools["x"]
