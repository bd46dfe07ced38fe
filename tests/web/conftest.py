"""A server of its own and a real browser, for the tests of the page; left out where either is missing."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def serve(space: Path, *more: str) -> tuple[subprocess.Popen[str], str]:
    """`tolman serve` in a process of its own, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tolman", "serve", str(space), "--port", str(port), *more]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    assert address, "the server didn't start"
    return server, address.rstrip("/")


def stop(server: subprocess.Popen[str]) -> None:
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium, or name one in CHROMIUM")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def _served(tickets_space: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = shutil.copytree(tickets_space, tmp_path_factory.mktemp("looked-at") / "tickets.space")
    server, address = serve(Path(path), "--write")
    yield address
    stop(server)


@pytest.fixture
def address(_served: str) -> str:
    """Of a server that many tests share: they look, and change nothing, though they could."""
    return _served


@pytest.fixture
def own_address(own_space: Path) -> Iterator[str]:
    """Of a server of one test's own, to change things."""
    server, address = serve(own_space, "--write")
    yield address
    stop(server)


@pytest.fixture
def reading(own_space: Path) -> Iterator[str]:
    """Of a server that only reads."""
    server, address = serve(own_space)
    yield address
    stop(server)


class Page:
    """A page that remembers what went wrong in it."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        self.page = self.context.new_page()
        self.address, self.errors = address, []  # type: ignore[var-annotated]
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, path: str = "/") -> Any:
        self.page.goto(self.address + path)
        self.page.wait_for_selector(".map canvas")
        self.page.wait_for_selector(".labels button", state="attached", timeout=20_000)
        return self.page


def drop_files(page: Any, files: dict[str, str]) -> None:
    """Drop files on the page, by name and content."""
    page.evaluate(
        """(files) => {
            const dataTransfer = new DataTransfer();
            for (const [name, text] of Object.entries(files)) dataTransfer.items.add(new File([text], name));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        files,
    )


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Page]:
    """A page in which nothing may go wrong."""
    page = Page(browser, address)
    yield page
    assert page.errors == []
    page.context.close()


@pytest.fixture
def changing(browser: Any, own_address: str) -> Iterator[Page]:
    """The same, of a space that may be changed."""
    page = Page(browser, own_address)
    yield page
    assert page.errors == []
    page.context.close()
