"""`tolman/__init__.py` is a complete, sorted, documented and weightless table of contents."""

import ast
import inspect
import subprocess
import sys

import pytest

import tolman

HEAVY = ("torch", "transformers", "sklearn", "scipy", "lance", "pyarrow", "faiss", "numpy", "pandas", "rich")


def test_all_is_sorted_and_whole() -> None:
    assert tolman.__all__ == sorted(set(tolman.__all__))
    imported = {name for name, value in vars(tolman).items() if getattr(value, "__module__", "").startswith("tolman.")}
    assert imported | set(tolman._HOMES) | {"__version__"} == set(tolman.__all__)


def test_type_checkers_see_the_names_that_run() -> None:
    tree = ast.parse(inspect.getsource(tolman))
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    declared = {
        alias.name: node.module.removeprefix("tolman.")
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert declared == tolman._HOMES


@pytest.mark.parametrize("name", [name for name in tolman.__all__ if name != "__version__"])
def test_every_public_name_exists_and_is_documented(name: str) -> None:
    documentation = inspect.getdoc(getattr(tolman, name))
    assert documentation
    assert len(documentation) > 15


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lern'"):
        tolman.lern  # noqa: B018


@pytest.mark.parametrize("statement", ["import tolman", "import tolman.cli"])
def test_importing_is_weightless(statement: str) -> None:
    loaded = f"{statement}, sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    outcome = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert outcome.stdout.split() == []
