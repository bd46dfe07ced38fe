"""What goes wrong is said where the answer would stand, and stays there until something else is asked for."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Page, serve, stop


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/?q=refund&where=foo+%3D+1", "names no column"),
        ("/?doc=nope", "no document with id 'nope'"),
        ("/?view=words&word=asdfqwer", "has the word 'asdfqwer'"),
    ],
)
def test_what_the_server_refuses_is_said(browser: Any, address: str, path: str, said: str) -> None:
    opened = Page(browser, address)
    page = opened.open(path)
    page.wait_for_timeout(300)  # whatever else is loaded doesn't wipe it away
    assert said in page.locator(".failure").first.inner_text()
    page.get_by_role("link", name="Topics").click()
    page.wait_for_selector(".topic.shown")
    assert page.locator(".failure").count() == 0
    opened.context.close()


def test_a_server_that_stopped_and_came_back(browser: Any, own_space: Path) -> None:
    server, address = serve(own_space)
    opened = Page(browser, address)
    page = opened.open()
    stop(server)
    page.fill("#query", "refund")
    page.wait_for_selector(".failure:has-text('Is it still running?')")
    server, _ = serve(own_space, "--port", address.rpartition(":")[2])
    page.fill("#query", "refund late")
    page.wait_for_selector(".list .item")
    assert page.locator(".failure").count() == 0
    stop(server)
    opened.context.close()


def test_a_space_that_was_deleted(browser: Any, own_address: str, own_space: Path) -> None:
    opened = Page(browser, own_address)
    page = opened.open()
    shutil.move(own_space, own_space.with_name("elsewhere.space"))
    page.fill("#query", "refund")
    page.wait_for_selector(".failure:has-text('moved or deleted')")
    page.reload()
    page.wait_for_selector(".failure button:has-text('Try again')")
    shutil.move(own_space.with_name("elsewhere.space"), own_space)
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(".labels button", state="attached")
    opened.context.close()
