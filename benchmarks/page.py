"""How soon the page shows its map, how smoothly it moves, and how long a search takes until its hits are seen.

A real browser, headless Chromium without a GPU, on the machine of the server; documents, places and topics are made up
(`made_up.py`). `first picture`: from opening the page until points are on the canvas. Frames a second: pictures drawn
while the mouse drags, or the wheel turns. `search`: from the last key until the hits are painted; `typed`: key by key,
so that answers for half a query are on their way; `pasted`: all at once. No query comes twice.

    python benchmarks/page.py --space made.space --documents 200000
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from made_up import make_space
from playwright.sync_api import sync_playwright
from report import write_result

PORT = 8_766
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
KEY_MS = 80  # between two keys
MOVING_MS = 2_000
# Notes when a picture is put on the canvas, when a key comes, and when the line of Python under the hits names a query.
WATCH = """
window.pictures = [];
window.first = new Promise((done) => { window.drawn = done; });
const put = CanvasRenderingContext2D.prototype.putImageData;
CanvasRenderingContext2D.prototype.putImageData = function (...given) {
  put.apply(this, given);
  requestAnimationFrame(() => { window.pictures.push(performance.now()); window.drawn(performance.now()); });
};
addEventListener("input", () => { window.keyed = performance.now(); }, true);
window.seen = (query) => new Promise((done) => {
  const look = () => document.querySelector("footer .python code")?.textContent.includes(query);
  const watch = new MutationObserver(() => { if (look()) finish(); });
  const finish = () => {
    watch.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - window.keyed)));
  };
  watch.observe(document.body, { subtree: true, childList: true, characterData: true });
});
"""
MOVE = """
([kind, milliseconds]) => new Promise((done) => {
  const canvas = document.querySelector(".map canvas"), began = performance.now();
  let step = 0;
  window.pictures = [];
  const next = () => {
    if (performance.now() - began > milliseconds) { done(window.pictures); return; }
    const clientX = 800 + 150 * Math.sin(step / 30), clientY = 400 + 60 * Math.cos(step / 30);
    const told = { bubbles: true, cancelable: true, pointerId: 1, clientX, clientY, deltaY: step % 80 < 40 ? -30 : 30 };
    canvas.dispatchEvent(kind === "wheel" ? new WheelEvent(kind, told) : new PointerEvent(kind, told));
    step += 1;
    requestAnimationFrame(next);
  };
  next();
})
"""


def first_picture(browser: Any) -> float:
    """Milliseconds, in a browser that has kept nothing."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(f"http://127.0.0.1:{PORT}/")
    took: float = page.evaluate("window.first")
    context.close()
    return took


def frames(page: Any, kind: str) -> float:
    """Pictures a second while the mouse moves or the wheel turns at every frame.

    The events are made in the page: those of a driver come at half of the frames, since each waits for the one before.
    """
    page.mouse.move(800, 400)
    page.wait_for_timeout(400)
    if kind == "pointermove":
        page.mouse.down()
    times = np.array(page.evaluate(MOVE, [kind, MOVING_MS]))
    page.mouse.up()
    return float((len(times) - 1) / (times[-1] - times[0]) * 1e3)


def search(page: Any, query: str, *, typed: bool) -> float:
    """Milliseconds until the hits are painted."""
    page.fill("#query", "")
    page.wait_for_timeout(150)
    page.evaluate("(query) => { window.waited = window.seen(query); }", query)
    if typed:
        page.keyboard.type(query, delay=KEY_MS)
    else:
        page.fill("#query", query)
    took: float = page.evaluate("window.waited")
    return took


def queries_of(texts: list[str], count: int) -> list[str]:
    """Two to four words in a row, out of documents, without anything that is written otherwise in Python."""
    chance, found = random.Random(3), []
    while len(found) < count:
        words = [word for word in chance.choice(texts).split() if word.isalpha()]
        start = chance.randrange(max(1, len(words) - 4))
        query = " ".join(words[start : start + chance.randint(2, 4)])
        if len(query) > 8 and query not in found:
            found.append(query)
    return found


def measure(texts: list[str], times: int) -> dict[str, list[float]]:
    """Every measurement, several times."""
    queries = iter(queries_of(texts, 8 * times))
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        found = {"first picture, ms": [first_picture(browser) for _ in range(times)]}
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(WATCH)
        page.goto(f"http://127.0.0.1:{PORT}/")
        page.wait_for_selector(".labels button", state="attached")
        found["panning, frames a second"] = [frames(page, "pointermove") for _ in range(times)]
        found["zooming, frames a second"] = [frames(page, "wheel") for _ in range(times)]
        page.mouse.move(800, 400)
        page.get_by_role("button", name="All").click()
        for name, typed in (("search typed, ms", True), ("search pasted, ms", False)):
            found[name] = [search(page, next(queries), typed=typed) for _ in range(4 * times)]
        browser.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, default=Path("made.space"), help="made if it isn't there")
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    space = make_space(options.space, options.documents)
    texts = space.table(["text"])["text"].to_pylist()[:5_000]
    command = [sys.executable, "-m", "tolman", "serve", str(options.space), "--port", str(PORT)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        time.sleep(5)  # the first search is made ready meanwhile
        load = os.getloadavg()[0]
        found = measure(texts, options.times)
    finally:
        server.terminate()
        server.wait(20)
    rows = []
    for name, values in found.items():
        fast = "frames" in name
        worst = min(values) if fast else max(values)
        rows.append({"what": name, "median": float(np.median(values)), "worst": worst, "times": len(values)})
    notes = (
        f"{len(space):,} documents; headless Chromium, no GPU, 1280 x 800, pixel ratio 1; server and browser share the "
        f"machine's cores with other jobs, load average {load:.1f} before."
    )
    write_result("page", rows, notes)


if __name__ == "__main__":
    main()
