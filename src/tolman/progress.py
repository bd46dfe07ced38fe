"""How long-running work tells whoever is watching how far it is.

Work takes a `Progress` and knows nothing of terminals: the command line passes one that draws bars, the API a silent
one.
"""

from typing import Protocol


class Progress(Protocol):
    """One watcher of one run. A run has stages, one after the other."""

    def start(self, stage: str, total: float | None = None) -> None:
        """Begin a stage of `total` units (None: unknown length). Ends the stage before."""

    def advance(self, amount: float = 1.0, **facts: float | str) -> None:
        """`amount` more units of the current stage are done.

        `facts` (loss=..., quality=...) are shown beside it, each until it is given anew or the stage ends.
        """

    def say(self, message: str) -> None:
        """One line worth keeping on the screen: a guess that was made, a number that was derived."""


class Silent:
    """The `Progress` of a caller who doesn't watch."""

    def start(self, stage: str, total: float | None = None) -> None:
        """Nothing."""

    def advance(self, amount: float = 1.0, **facts: float | str) -> None:
        """Nothing."""

    def say(self, message: str) -> None:
        """Nothing."""
