"""What a search in a process of its own leaves out so as to answer at once."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


def import_arrow_without_pandas() -> None:
    """Load the part of pyarrow that Lance needs, as if pandas weren't installed.

    Where it is installed pyarrow imports it at this point, for conversions that a search doesn't make, and half of the
    whole search would go into that. pyarrow then takes pandas for missing as long as this process lives: this is for
    the command line's own process only.
    """
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        import pyarrow.dataset  # noqa: F401
    finally:
        sys.meta_path.remove(finder)


class _NoPandas(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left out here", name=fullname)
        return None
