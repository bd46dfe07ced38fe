"""The line of Python that gives the same: what is found in the page can be found again in a script."""

from tolman.atlas.live import Snapshot

_USUAL = {"mode": "hybrid", "where": None, "k": 10}


def python_line(snapshot: Snapshot, method: str, *given: object, **named: object) -> str:
    """A call of a method of the space, without arguments that are as usual."""
    told = [repr(value) for value in given]
    told += [f"{name}={value!r}" for name, value in named.items() if _USUAL.get(name, ...) != value]
    return f"{opening(snapshot)}.{method}({', '.join(told)})"


def opening(snapshot: Snapshot) -> str:
    """`tolman.open_space("tickets.space")`; the folder of the space isn't told."""
    return f"tolman.open_space({snapshot.space.path.name!r})"
