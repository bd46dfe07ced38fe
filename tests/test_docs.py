"""What the pages show is what happens: their Python runs, their commands print what stands under them.

```python blocks of a page run one after the other in one namespace; in ```console blocks every `$ ` line runs, and what
follows it must be its output (`...` stands for anything, as in doctest). ```sh blocks are for reading only. Each page
gets an empty folder with examples/tickets.csv in it.
"""

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GENERATED = {ROOT / "docs/cli.md", ROOT / "docs/api.md"}
PAGES = [ROOT / "README.md", *sorted(set((ROOT / "docs").glob("*.md")) - GENERATED)]
BESIDE = {".to_pandas()": "pandas", "sentence_transformers": "sentence-transformers"}  # use -> package
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """(language, content) of the fenced blocks that run."""
    for match in re.finditer(r"^```(python|console)\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        yield match[1], match[2]


def commands(block: str) -> Iterator[tuple[str, str]]:
    """(command, what it should print) of a console block."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


def run_command(command: str, expected: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "COLUMNS": "100"}
    outcome = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, check=False)
    assert outcome.returncode == 0, f"$ {command}\n{outcome.stderr}"
    matches = not expected.strip() or doctest.OutputChecker().check_output(expected, outcome.stdout, FLAGS)
    assert matches, f"$ {command}\nthe page shows:\n{expected}\nit prints:\n{outcome.stdout}"


@pytest.mark.parametrize("page", [page for page in PAGES if any(blocks(page))], ids=lambda page: page.name)
def test_a_page_does_what_it_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "examples/tickets.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": page.stem}
    for language, block in blocks(page):
        if language == "python":
            exec(compile(block, str(page), "exec"), namespace)
        else:
            for command, expected in commands(block):
                run_command(command, expected)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_says_how_to_install_what_tolman_does_not_bring_along(page: Path) -> None:
    code = "".join(block for language, block in blocks(page) if language == "python")
    needed = [package for use, package in BESIDE.items() if use in code]
    text = page.read_text(encoding="utf-8")
    assert [package for package in needed if f"pip install {package}" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_reachable_from_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if f"({page})" not in index and page != "index.md"] == []


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda script: script.name)
def test_an_example_runs(script: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(ROOT / "examples", tmp_path / "examples")
    command = [sys.executable, copied / script.name]
    outcome = subprocess.run(command, capture_output=True, text=True, cwd=copied, check=False)
    assert outcome.returncode == 0, outcome.stderr


def test_the_tickets_are_what_their_script_makes(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples/make_tickets.py", tmp_path)
    subprocess.run([sys.executable, tmp_path / "make_tickets.py"], check=True)
    assert (tmp_path / "tickets.csv").read_bytes() == (ROOT / "examples/tickets.csv").read_bytes()
