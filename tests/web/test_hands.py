"""Fingers, keys and ears: the page without a mouse."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from conftest import Page

FOCUSED = "document.activeElement.closest('.item, .topic, button, a, input, select, summary, canvas')?.outerHTML ?? ''"


def test_a_lasso_with_a_finger(browser: Any, address: str) -> None:
    opened = Page(browser, address, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = opened.open()
    page.get_by_role("button", name="Lasso").tap()
    page.wait_for_selector(".hint")
    box = page.locator(".map canvas").bounding_box()
    corners = [(12, 12), (box["width"] - 12, 12), (box["width"] - 12, box["height"] - 60), (12, box["height"] - 60)]
    touch = opened.context.new_cdp_session(page)
    for number, (x, y) in enumerate([*corners, corners[0]]):
        kind = "touchMove" if number else "touchStart"
        points = [{"x": box["x"] + x, "y": box["y"] + y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_selector(".shares")
    assert "lasso=" in page.url
    assert page.locator(".hint").count() == 0
    assert page.locator(".list .item").count() > 0
    assert opened.errors == []
    opened.context.close()


def test_two_fingers_zoom(browser: Any, address: str) -> None:
    opened = Page(browser, address, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = opened.open()
    pinch = {"x": 190, "y": 150, "scaleFactor": 2.5, "gestureSourceType": "touch"}
    opened.context.new_cdp_session(page).send("Input.synthesizePinchGesture", pinch)
    page.wait_for_url("**at=**")
    assert float(parse_qs(urlsplit(page.url).query)["at"][0].rpartition("~")[2]) > 1.5
    opened.context.close()


def test_from_the_search_to_a_document_and_back_by_keys(opened: Page) -> None:
    page = opened.open()
    page.keyboard.press("/")
    page.keyboard.type("refund")
    page.wait_for_selector(".python code:has-text('refund')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    second = page.locator(".list .item").nth(1).get_attribute("data-id")
    assert f'data-id="{second}"' in page.evaluate(FOCUSED)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("article .text")
    assert "Back" in page.evaluate(FOCUSED)
    page.keyboard.press("Escape")
    page.wait_for_selector(".list .item")
    page.wait_for_timeout(50)
    assert f'data-id="{second}"' in page.evaluate(FOCUSED)


def test_tab_reaches_everything_and_shows_where_it_is(opened: Page) -> None:
    page = opened.open()
    page.evaluate("document.body.focus()")
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        reached.append(
            page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.id ?? ''")
        )
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
        seen = page.evaluate(
            "[document.activeElement, document.activeElement.closest('label')]"
            ".some((each) => each && getComputedStyle(each).outlineStyle !== 'none')"
        )
        assert seen, reached[-2:]
    for wanted in ("Topics", "About", "query", "Filter", "Lasso", "In view", "by", "PNG"):
        assert wanted in reached
    assert any("Map of" in each for each in reached)


def test_ways_to_search_are_chosen_by_arrows(opened: Page) -> None:
    page = opened.open("/?q=refund")
    page.get_by_role("radio", name="Both").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**mode=dense**")
    page.wait_for_selector(".python code:has-text(\"mode='dense'\")")


def test_escape_leaves_a_name_as_it_was(opened: Page) -> None:
    page = opened.open("/?view=topics")
    page.locator(".topic.shown").first.click()
    before = page.inner_text("article h2")
    page.get_by_role("button", name="Rename").click()
    page.keyboard.type("Something else")
    page.keyboard.press("Escape")
    assert page.inner_text("article h2") == before
    page.keyboard.press("Escape")
    page.wait_for_selector("h2:has-text('topics')")


def test_what_was_found_is_said(opened: Page) -> None:
    page = opened.open("/?q=refund")
    page.wait_for_selector("[aria-live]:has-text('10 documents found')", state="attached")
    page.fill("#query", "zymurgy quasar")
    page.wait_for_selector("[aria-live]:has-text('Nothing relevant found')", state="attached")
