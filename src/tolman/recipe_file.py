"""A recipe in a file: what `tolman tune` found, and `tolman learn --recipe` takes."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from tolman.errors import StorageError, TolmanError
from tolman.recipe import ScratchRecipe
from tolman.storage import storing

VERSION = 1
_SHARES = ("heads_share", "query_dropout", "document_dropout")
_LARGEST = 1_000_000  # of whole numbers


def require_recipe_place(path: Path) -> None:
    """Refuse to put a recipe where something else is, or where nothing can be written.

    Raises:
        TolmanError: `path` is there and no recipe.
        StorageError: the folder, or the nearest one above it, can't be written.
    """
    if path.exists() and not _is_recipe(path):
        raise TolmanError(f"{path} exists and is no recipe: choose another name, or move it away")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise StorageError(f"can't write {path}: {above} is no folder that can be written")


def _is_recipe(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "tolman recipe" in content


def write_recipe(path: Path, recipe: ScratchRecipe, report: Mapping[str, Any]) -> None:
    """Write `recipe` to `path`, with the report on how it was chosen; one that is there is replaced as a whole.

    Raises:
        TolmanError: something else is there.
        StorageError: the disk refuses.
    """
    require_recipe_place(path)
    beside = path.with_name(f"{path.name}.partial")
    content = {"tolman recipe": VERSION, "recipe": asdict(recipe), "report": dict(report)}
    with storing(f"can't write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def read_recipe(path: Path) -> ScratchRecipe:
    """The recipe that `write_recipe` wrote.

    Raises:
        TolmanError: no such file, no recipe in it, one of another version, or numbers that nothing can be learned with.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TolmanError(f"expected usual, auto or the file of a recipe, got {path}: no such file") from None
    except (OSError, ValueError) as error:
        raise TolmanError(f"{path} holds no readable recipe ({error}): make it with tolman tune") from None
    if not isinstance(content, dict) or "tolman recipe" not in content:
        raise TolmanError(f"{path} holds no recipe of ours: make one with tolman tune")
    if content["tolman recipe"] != VERSION:
        raise TolmanError(
            f"{path} is a recipe of version {content['tolman recipe']!r}, this Tolman reads version {VERSION}: "
            f"make it again with tolman tune"
        )
    return _checked(content.get("recipe"), path)


def _checked(numbers: Any, path: Path) -> ScratchRecipe:
    wanted = {field.name: field.type for field in fields(ScratchRecipe)}
    if not isinstance(numbers, dict) or set(numbers) != set(wanted):
        raise TolmanError(f"{path} is damaged: expected a recipe of {', '.join(wanted)}")
    for name, kind in wanted.items():
        value = numbers[name]
        right = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
        if not right or not _in_bounds(name, value):
            raise TolmanError(f"{path} is damaged: {name} can't be {value!r}")
    return ScratchRecipe(**numbers)


def _in_bounds(name: str, value: float) -> bool:
    if name in _SHARES:
        return 0 <= value <= 1 if name == "heads_share" else 0 <= value < 1
    fewest = 2 if name == "batch" else 1 if name in ("vocabulary", "dim", "steps") else 0
    return fewest <= value <= _LARGEST and math.isfinite(value) and value > 0
