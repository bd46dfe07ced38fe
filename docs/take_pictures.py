"""Takes the pictures of docs/serve.md from a real page, in a real browser without a screen.

    python docs/take_pictures.py --news NEWS.space --tickets TICKETS.space [--into docs/pictures]

NEWS is a space of some thousand documents, TICKETS one with a column `opened` of dates. Chromium is the one on the
path, or that in CHROMIUM.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SEARCH = "/?q=space+shuttle+launch"
SETTLED = 1_500  # milliseconds: nothing moves any more


@contextmanager
def served(space: Path) -> Iterator[str]:
    """A server of `space`; its address."""
    command = [sys.executable, "-m", "tolman", "serve", str(space), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1].rstrip("/")
    finally:
        server.terminate()
        server.wait(20)


@contextmanager
def opened(browser: Browser, address: str, size: dict[str, int] = DESK, scheme: str = "light") -> Iterator[Page]:
    """A page, once its map is there."""
    page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(address)
    page.wait_for_selector(".legend", timeout=180_000)  # topics are found when they are first looked at
    page.wait_for_timeout(SETTLED)
    yield page
    page.close()


def lasso(page: Page) -> None:
    """Around what lies up on the right of the middle."""
    box = page.locator("canvas").first.bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.35
    page.get_by_role("button", name="Lasso").click()
    page.mouse.move(middle[0] + 75, middle[1])
    page.mouse.down()
    for step in range(1, 33):
        turn = complex(75, 0) * (complex(0.9808, 0.1951) ** step)  # a thirty-second of a circle
        page.mouse.move(middle[0] + turn.real, middle[1] + turn.imag)
    page.mouse.up()
    page.get_by_text("What sets it apart").wait_for(timeout=60_000)
    page.wait_for_timeout(SETTLED)


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--news", type=Path, required=True)
    parser.add_argument("--tickets", type=Path, required=True)
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "pictures")
    options = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        with served(options.news) as address:
            with opened(browser, address + SEARCH) as page:
                page.screenshot(path=options.into / "atlas-light.png")
            with opened(browser, address + SEARCH, PHONE) as page:
                page.screenshot(path=options.into / "atlas-phone.png")
            with opened(browser, address + "/?view=words&word=space", scheme="dark") as page:
                page.get_by_text("occurrences").wait_for(timeout=180_000)
                page.wait_for_timeout(SETTLED)
                page.screenshot(path=options.into / "atlas-dark.png")
            with opened(browser, address) as page:
                lasso(page)
                page.screenshot(path=options.into / "atlas-selection.png")
        with (
            served(options.tickets) as address,
            opened(browser, address + "/?view=topics&time=opened&every=year") as page,
        ):
            page.get_by_role("heading", name="Over time").scroll_into_view_if_needed()
            page.get_by_text("As a table").scroll_into_view_if_needed()
            page.wait_for_timeout(SETTLED)
            page.screenshot(path=options.into / "atlas-topics.png")
        browser.close()


if __name__ == "__main__":
    main()
