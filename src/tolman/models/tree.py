"""A model made of frozen dataclasses, seen as a tree whose leaves are tensors.

What a forward pass is written over stays plain data; that its tensors are learned, cast or moved is decided outside.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from torch import Tensor

PartT = TypeVar("PartT")


def named_tensors(part: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of every leaf; names are the fields on the way, joined by points."""
    if isinstance(part, Tensor):
        yield prefix, part
    else:
        for name, child in _children(part):
            yield from named_tensors(child, f"{prefix}.{name}" if prefix else name)


def map_tensors(part: PartT, change: Callable[[Any, str, Tensor], Tensor], prefix: str = "") -> PartT:
    """The same tree with `change(owner, name, tensor)` in the place of every leaf; `owner` holds it."""
    if isinstance(part, tuple):
        grown = [map_tensors(child, change, f"{prefix}{i}.") for i, child in enumerate(part)]
        return type(part)(grown)
    if not is_dataclass(part):
        return part
    changed = {
        name: change(part, f"{prefix}{name}", child)
        if isinstance(child, Tensor)
        else map_tensors(child, change, f"{prefix}{name}.")
        for name, child in _children(part)
    }
    return replace(part, **changed)  # type: ignore[type-var]


def _children(part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, tuple):
        yield from ((str(i), child) for i, child in enumerate(part))
    elif is_dataclass(part):
        yield from ((field.name, getattr(part, field.name)) for field in fields(part))
