"""Docstrings of installed Python code: a corpus that every machine has. Code is parsed, never imported or run."""

import ast
import importlib.util
import sys
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tolman.corpus.readers.source import Source, by_column
from tolman.counting import counted
from tolman.errors import SourceError

PREFIX = "python:"
STDLIB = "stdlib"
_LEFT_OUT = frozenset(
    ("test", "tests", "testing", "idle_test", "idlelib", "lib2to3", "turtledemo", "_vendor", "_bundled")
)
_LARGEST_FILE = 8 * 2**20

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class _Documented:
    """One thing with a docstring."""

    name: str
    kind: str
    text: str


def open_python(source: str) -> Source:
    """One document for each module, class, function and method with a docstring.

    The title is the qualified name, the text the signature and the docstring. The id is the qualified name too, with #2
    behind it for a second thing of that name. Tests and vendored packages are left out.

    Args:
        source: "python:stdlib" or "python:PACKAGE", a package or module installed here.

    Raises:
        SourceError: no such package, or none that is written in Python.
    """
    package = source.removeprefix(PREFIX)
    files = list(_stdlib_files() if package == STDLIB else _package_files(package))
    if not files:
        raise SourceError(f"{source} has no Python files to read: expected a package or module written in Python")
    notes: list[str] = []
    roles = {"text": "text", "title": "title", "id": "id"}
    return Source(source, by_column(_rows(files, notes)), "document", roles, notes=notes)


def _rows(files: Sequence[tuple[str, Path]], notes: list[str]) -> Iterator[tuple[int, dict[str, str], int]]:
    seen: dict[str, int] = {}
    number = unreadable = 0
    for module, file in files:
        tree = _parsed(file)
        unreadable += tree is None
        for found in _documented(module, tree) if tree else ():
            number += 1
            seen[found.name] = seen.get(found.name, 0) + 1
            again = f"#{seen[found.name]}" if seen[found.name] > 1 else ""
            row = {"id": found.name + again, "title": found.name, "text": found.text}
            yield number, row | {"kind": found.kind, "module": module}, len(found.text)
    if unreadable:
        notes.append(f"{unreadable:,} of {counted(len(files), 'file')} can't be parsed: left out")


def _stdlib_files() -> Iterator[tuple[str, Path]]:
    folder = Path(sysconfig.get_path("stdlib"))
    for name in sorted(sys.stdlib_module_names - _LEFT_OUT):
        if (folder / f"{name}.py").is_file():
            yield name, folder / f"{name}.py"
        elif (folder / name).is_dir():
            yield from _files_below(name, folder / name)


def _package_files(package: str) -> Iterator[tuple[str, Path]]:
    top, *inner = package.split(".")
    if not all(part.isidentifier() for part in (top, *inner)):
        raise SourceError(
            f"expected {PREFIX}{STDLIB} or {PREFIX} and the name that `import` uses (sklearn, not scikit-learn); "
            f"got {PREFIX}{package}"
        )
    try:
        spec = importlib.util.find_spec(top)  # of a top-level name: finds it, runs nothing of it
    except ValueError:  # __main__ and the like
        spec = None
    if spec is None:
        raise SourceError(f"no package {top!r} is installed here: expected the name that `import` uses")
    places = [Path(folder) for folder in spec.submodule_search_locations or ()]
    file = getattr(spec.loader_state, "filename", spec.origin)  # modules frozen into Python, like os, have theirs too
    if not places and not inner and file and file.endswith(".py"):
        yield top, Path(file)
    for place in (place.joinpath(*inner) for place in places):
        if place.is_dir():
            yield from _files_below(package, place)
        elif place.with_suffix(".py").is_file():
            yield package, place.with_suffix(".py")


def _files_below(module: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """(qualified module name, file) of a package, parents before children."""
    for entry in sorted(folder.iterdir(), key=lambda entry: (entry.name != "__init__.py", entry.name)):
        if entry.suffix == ".py" and not entry.stem.startswith("test_") and entry.stem not in _LEFT_OUT:
            yield (module if entry.stem == "__init__" else f"{module}.{entry.stem}"), entry
        elif entry.is_dir() and entry.name.isidentifier() and entry.name not in _LEFT_OUT:
            yield from _files_below(f"{module}.{entry.name}", entry)


def _parsed(file: Path) -> ast.Module | None:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # others' invalid escapes aren't news
            return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _documented(module: str, tree: ast.Module) -> Iterator[_Documented]:
    docstring = ast.get_docstring(tree)
    if docstring:
        yield _Documented(module, "module", docstring)
    yield from _members(module, tree.body, "function")


def _members(owner: str, body: Sequence[ast.stmt], kind: str) -> Iterator[_Documented]:
    """Definitions in a module or class, also those under an `if` or `try`."""
    for node in body:
        if isinstance(node, Definition):
            name = f"{owner}.{node.name}"
            is_class = isinstance(node, ast.ClassDef)
            docstring = ast.get_docstring(node)
            if docstring:
                yield _Documented(name, "class" if is_class else kind, f"{_signature(node)}\n\n{docstring}")
            if is_class:
                yield from _members(name, node.body, "method")
        else:
            for branch in ("body", "orelse", "finalbody", "handlers"):
                inner = getattr(node, branch, [])
                yield from _members(owner, inner, kind) if isinstance(inner, list) else ()


def _signature(node: Definition) -> str:
    """What stands behind the name: the title has the name itself."""
    if isinstance(node, ast.ClassDef):
        return f"({', '.join(map(ast.unparse, node.bases))})"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"({ast.unparse(node.args)}){returns}"
