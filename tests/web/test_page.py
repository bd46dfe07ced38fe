"""The page in a real browser: every view opened, searched, lassoed, renamed, exported, and by anybody."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import Page

VIEWS = (
    "/",
    "/?q=refund",
    "/?q=refund~1",
    "/?q=zymurgy+quasar",
    "/?view=topics",
    "/?view=topics&topic=1",
    "/?doc=tk-1",
)
MORE_VIEWS = ("/?view=place", "/?view=words&word=refund", "/?view=about", "/?lasso=-99~-99_99~-99_99~99_-99~99")
WEB = Path(__file__).parents[2] / "web"
AXE = WEB / "node_modules/axe-core/axe.min.js"


def test_search_as_one_types_then_open_then_back(opened: Page) -> None:
    page = opened.open()
    page.keyboard.press("/")
    page.keyboard.type("refund never arrived", delay=15)
    page.wait_for_selector(".list .item")
    assert page.locator(".confidence").count() > 0
    page.wait_for_url("**q=refund+never+arrived")
    page.wait_for_selector(".python code:has-text('refund never arrived')")
    page.locator(".list .item").first.click()
    page.wait_for_selector("article .text")
    page.wait_for_selector("section[aria-label='Nearest documents'] .item")
    assert "doc=" in page.url
    page.locator(".why summary").first.click()
    page.go_back()
    page.wait_for_selector("#query")
    assert page.input_value("#query") == "refund never arrived"
    page.reload()
    page.wait_for_selector(".list .item")


def test_nothing_relevant_is_said(opened: Page) -> None:
    page = opened.open("/?q=zymurgy+quasar")
    page.wait_for_selector(".nothing")
    assert "Nothing relevant" in page.inner_text(".nothing")


def test_lasso_by_mouse_and_by_keyboard(opened: Page) -> None:
    page = opened.open()
    box = page.locator(".map canvas").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.keyboard.down("Shift")
    page.mouse.move(middle[0] - 200, middle[1] - 200)
    page.mouse.down()
    for dx, dy in ((200, -200), (200, 200), (-200, 200), (-200, -200)):
        page.mouse.move(middle[0] + dx, middle[1] + dy, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.wait_for_selector(".shares")
    assert "lasso=" in page.url
    assert page.locator(".list .item").count() > 0
    page.keyboard.press("Escape")
    page.wait_for_selector("#query")
    page.locator(".map canvas").focus()
    page.keyboard.press("+")
    page.keyboard.press("v")
    page.wait_for_selector(".shares")
    with page.expect_download() as download:
        page.locator(".export a", has_text="JSON").last.click()
    rows = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert json.loads(rows[0])["id"]


def test_topics_are_renamed_pinned_and_merged(changing: Page) -> None:
    page = changing.open("/?view=topics")
    page.locator(".topic.shown").first.click()
    page.get_by_role("button", name="Rename").click()
    page.fill("#name", "Money back")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("h2:has-text('Money back')")
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_role("button", name="Unpin").wait_for()
    page.get_by_role("button", name="← All topics").click()
    before = page.locator(".topic.shown").count()
    page.get_by_role("button", name="Merge…").click()
    page.locator(".topic.shown").nth(0).click()
    page.locator(".topic.shown").nth(1).click()
    page.get_by_role("button", name="Merge 2").click()
    page.wait_for_selector("h2:has-text('Money back')")
    page.get_by_role("button", name="← All topics").click()
    assert page.locator(".topic.shown").count() == before - 1
    page.reload()
    page.wait_for_selector(".topic:has-text('Money back')")


def test_a_text_lands_and_is_added(changing: Page) -> None:
    page = changing.open("/?view=place")
    page.fill("#text", "My refund has still not arrived, and nobody answers")
    page.get_by_role("button", name="Place it").click()
    page.wait_for_selector(".landed", state="attached")
    assert page.locator(".list .item").count() == 10
    page.get_by_role("button", name="Add it to the space").click()
    page.wait_for_selector("canvas[aria-label*='299 documents']")


def test_words_and_about_and_the_api(opened: Page) -> None:
    page = opened.open("/?view=words&word=refund")
    page.wait_for_selector(".sense")
    page.get_by_role("link", name="About").click()
    page.wait_for_selector(".markdown h3")
    page.goto(opened.address + "/api/docs")
    page.wait_for_selector(".docs section")
    assert page.locator(".docs section").count() > 20


@pytest.mark.parametrize("by", ["trust", "year", "label", "score"])
def test_colours(opened: Page, by: str) -> None:
    page = opened.open(f"/?by={by}&q=refund")
    page.wait_for_selector(".legend")
    assert page.input_value("#by") == by
    page.wait_for_selector(".legend .ramp, .legend li", state="attached")


def test_the_picture_is_saved(opened: Page) -> None:
    page = opened.open()
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()
    assert Path(download.value.path()).read_bytes()[:4] == b"\x89PNG"


def test_scripts_in_documents_stay_text(changing: Page) -> None:
    page = changing.open()
    script = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    changing.context.request.post(
        f"{changing.address}/api/add", data={"documents": [{"id": "bad", "text": f"walrus {script}", "title": script}]}
    )
    page.goto(f"{changing.address}/?q=walrus&mode=lexical")
    page.locator(".item strong", has_text="<script>").first.click()
    page.wait_for_selector("article .text")
    assert "<img src=x" in page.inner_text("article .text")
    assert "taken" not in page.title()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core isn't installed: npm ci in web/")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", VIEWS + MORE_VIEWS)
def test_axe_finds_no_serious_fault(browser: Any, address: str, theme: str, path: str) -> None:
    opened = Page(browser, address, color_scheme=theme)
    page = opened.open(path)
    page.wait_for_timeout(700)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { rules: { region: { enabled: false } } })")
    grave = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    serious = [(each["id"], [node["html"][:140] for node in each["nodes"][:3]]) for each in grave]
    assert serious == []
    assert opened.errors == []
    opened.context.close()


def test_on_a_phone(browser: Any, address: str) -> None:
    opened = Page(browser, address, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = opened.open("/?q=refund")
    page.wait_for_selector(".list .item")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".list .item").first.tap()
    page.wait_for_selector("article .text")
    assert opened.errors == []
    opened.context.close()


@pytest.mark.skipif(not AXE.exists(), reason="the tools of the page aren't installed: npm ci in web/")
def test_the_committed_page_is_that_of_the_source(tmp_path: Path) -> None:
    built = tmp_path / "static"
    subprocess.run(["npx", "vite", "build", "--outDir", str(built), "--logLevel", "error"], cwd=WEB, check=True)
    committed = Path(__file__).parents[2] / "src/tolman/atlas/static"

    def files(folder: Path) -> dict[str, bytes]:
        return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}

    assert files(built) == files(committed), "make web, and commit what it writes"
