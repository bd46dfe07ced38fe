"""Imports go one way: a module may import only what stands above it in ORDER."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "tolman"

# Low to high. A name covers the file or the whole package; files of one package may import each other, without a ring.
ORDER = (
    "errors",
    "crew",
    "counting",
    "progress",
    "storage",
    "tables",
    "tracking",
    "cost",
    "prediction",
    "metrics",
    "ranking",
    "inner_products",
    "corpus",
    "tokenization",
    "models",
    "objectives",
    "ceiling",
    "muon",
    "optimization",
    "encoding",
    "lru",
    "digests",
    "neighbours",
    "leiden",
    "effort",
    "training",
    "judge",
    "confidence",
    "recipe",
    "recipe_file",
    "halving",
    "lesson",
    "scratch",
    "student",
    "curriculum",
    "transformer_learning",
    "space.description",
    "space.language",
    "space.filters",
    "space.fulltext",
    "space.postings",
    "space.inverted",
    "space.row_memory",
    "space.lance_errors",
    "space.store",
    "space.index",
    "space.derived",
    "space.succession",
    "tuning",
    "adapting",
    "causal_tuning",
    "windows",
    "snippets",
    "senses",
    "search",
    "projection.repulsion",
    "projection.layout",
    "projection.order",
    "projection.trust",
    "projection.placing",
    "projection.files",
    "projection.growing",
    "vocabulary",
    "words",
    "space",
    "topics",
    "projection",
    "drawing",
    "evaluation",
    "card",
    "curves",
    "plan",
    "learners",
    "making",
    "model_folder",
    "rehearsal",
    "learning",
    "distillation",
    "recipe_choice",
    "language_evaluation",
    "reconstruction",
    "atlas.refusals",
    "atlas",
    "mcp_server",
    "",  # tolman/__init__.py: the table of contents
    "cli",
    "__main__",
)

# Imports inside a function that may point upwards, each with its reason.
UPWARD = {
    ("space.space", "search"): "LatentSpace.search() is a convenience over search.py, which reads spaces",
    ("space.space", "topics.topics"): "LatentSpace.topics() likewise",
    ("space.space", "projection.map"): "LatentSpace.map() is a convenience over projection/map.py, which reads spaces",
}


def module_of(file: Path) -> str:
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(file): file for file in sorted(SOURCE.rglob("*.py"))}


def layer(module: str) -> int:
    """The place in ORDER of the longest name that covers `module`."""
    covering = [name for name in ORDER if name == module or (name and module.startswith(f"{name}."))]
    if not covering:
        pytest.fail(f"tolman.{module} has no place in ORDER: decide its layer")
    return ORDER.index(max(covering, key=len))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def import_nodes(node: ast.AST, deferred: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import under `node`, and whether it waits inside a function. Imports for type checkers don't count."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, deferred
        elif not is_type_checking(child):
            yield from import_nodes(child, deferred or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


def targets(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The modules of ours that `node` imports, without the leading `tolman.`."""
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: relative import; this house writes `from tolman.x import y`"
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        names = [alias.name for alias in node.names]
    for name in names:
        if name == "tolman" or name.startswith("tolman."):
            path = name.split(".")[1:]
            while path and ".".join(path) not in FILES:
                path = path[:-1]
            yield ".".join(path)


def imports(module: str) -> Iterator[tuple[str, bool, int]]:
    for node, deferred in import_nodes(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        for target in targets(node):
            yield target, deferred, node.lineno


@pytest.mark.parametrize("module", FILES)
def test_a_module_imports_only_lower_layers(module: str) -> None:
    own = layer(module)
    for target, deferred, line in imports(module):
        if deferred and (module, target) in UPWARD:
            continue
        assert layer(target) <= own, f"{FILES[module]}:{line} imports tolman.{target}, which stands above it"


def test_every_place_in_the_order_is_taken() -> None:
    empty = [name for name in ORDER if not any(m == name or m.startswith(f"{name}.") for m in FILES)]
    assert empty == []


def test_no_ring_of_imports() -> None:
    graph = {module: {t for t, deferred, _ in imports(module) if not deferred and t != module} for module in FILES}
    TopologicalSorter(graph).prepare()  # raises CycleError naming the ring


def test_every_upward_exception_is_still_needed() -> None:
    used = {(module, target) for module in FILES for target, deferred, _ in imports(module) if deferred}
    assert set(UPWARD) <= used
