"""What a public function raises for people stands in its docstring, or in that of its class."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tolman import errors

SOURCE = Path(__file__).parents[1] / "src" / "tolman"
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type)}


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Everything in a function's body but the functions and classes inside it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield child
            yield from own_nodes(child)


def raised(function: ast.FunctionDef) -> set[str]:
    """Names of our errors that `function` raises itself."""
    calls = [node.exc for node in own_nodes(function) if isinstance(node, ast.Raise)]
    return {call.func.id for call in calls if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)} & ERRORS


def public_functions(node: ast.AST, above: str = "") -> Iterator[tuple[ast.FunctionDef, str]]:
    """Each with its own docstring and that of the class around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from public_functions(child, ast.get_docstring(child) or "")
        elif isinstance(child, ast.FunctionDef) and (child.name == "__init__" or not child.name.startswith("_")):
            yield child, f"{above}\n{ast.get_docstring(child) or ''}"


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda file: str(file.relative_to(SOURCE)))
def test_errors_are_announced(file: Path) -> None:
    silent = {
        function.name: names
        for function, docstring in public_functions(ast.parse(file.read_text(encoding="utf-8")))
        if (names := {name for name in raised(function) if name not in docstring})
    }
    assert not silent
