"""Docstrings of installed code, read without running it."""

import sys
from pathlib import Path

import pytest

from tolman.corpus.reading import read_corpus
from tolman.errors import SourceError

MODULE = '''"""About the module."""
raise RuntimeError("imported!")
class Shape(Base, metaclass=M):
    """A shape."""
    @property
    def area(self) -> float:
        """Its area."""
    @area.setter
    def area(self, value): "Set it."
    def silent(self): ...
if True:
    def scale(shape, *, by: float = 2.0) -> "Shape":
        """Scale it.

        Indented more.
        """
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "shapes_for_tolman"
    (folder / "tests").mkdir(parents=True)
    (folder / "__init__.py").write_text(MODULE)
    (folder / "inner.py").write_text('def f():\n    "Inner."\n')
    (folder / "broken.py").write_text("def (")
    (folder / "tests/test_it.py").write_text('"""No."""')
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder.name


def test_everything_with_a_docstring_and_nothing_is_imported(package: str) -> None:
    corpus = read_corpus(f"python:{package}")
    assert {d.id.removeprefix(package): (d.text, d.metadata["kind"]) for d in corpus} == {
        "": ("About the module.", "module"),
        ".Shape": ("(Base)\n\nA shape.", "class"),
        ".Shape.area": ("(self) -> float\n\nIts area.", "method"),
        ".Shape.area#2": ("(self, value)\n\nSet it.", "method"),
        ".scale": ("(shape, *, by: float=2.0) -> 'Shape'\n\nScale it.\n\nIndented more.", "function"),
        ".inner.f": ("()\n\nInner.", "function"),
    }
    assert corpus[3].title == f"{package}.Shape.area"
    assert package not in sys.modules
    assert "1 of 3 files can't be parsed: left out" in corpus.report.notes


def test_a_part_of_a_package(package: str) -> None:
    assert [d.title for d in read_corpus(f"python:{package}.inner")] == [f"{package}.inner.f"]


def test_one_module_of_the_standard_library() -> None:
    titles = read_corpus("python:json").titles()
    assert {"json", "json.dumps", "json.decoder.JSONDecoder.decode"} <= set(titles)


@pytest.mark.parametrize("module", ["os", "abc", "textwrap"])
def test_a_module_in_one_file_frozen_or_not(module: str) -> None:
    corpus = read_corpus(f"python:{module}")
    assert {document.metadata["module"] for document in corpus} == {module}


@pytest.mark.parametrize("name", ["no_such_package_anywhere", "scikit-learn", "", "json.nothing", "sys"])
def test_what_is_not_installed(name: str) -> None:
    with pytest.raises(SourceError):
        read_corpus(f"python:{name}")
