"""Every error Tolman raises for its users.

    TolmanError
    ├── SourceError        a source can't be read, or holds nothing usable
    ├── ModelError         weights can't be found, read or verified
    ├── SpaceError         an artifact is missing, damaged, or from a newer format
    │   └── SpaceMismatch  two things made in different latent spaces were mixed
    ├── QueryError         a query, filter or count that can't be answered
    ├── BudgetError        a budget that can't be kept
    ├── StorageError       the disk said no
    └── MissingExtra       an optional dependency isn't installed

A message is one line: what was expected, what came, what to do next. The command line prints it and exits 1.
`raise` these for users; `assert` is for ourselves.
"""


class TolmanError(Exception):
    """Base of every error meant for the person using Tolman."""


class SourceError(TolmanError):
    """A source of documents can't be read, or holds nothing usable."""


class ModelError(TolmanError):
    """Model weights can't be found, read or verified."""


class SpaceError(TolmanError):
    """A space on disk is missing, damaged, or written by a newer Tolman."""


class SpaceMismatch(SpaceError):
    """Two things made in different latent spaces were mixed."""

    def __init__(self, what: str, *, expected: str, got: str) -> None:
        super().__init__(f"{what} belongs to another latent space: expected encoder {expected[:12]}, got {got[:12]}")
        self.expected, self.got = expected, got


class QueryError(TolmanError):
    """A query, filter or count that can't be answered."""


class BudgetError(TolmanError):
    """A budget that can't be read or kept."""


class StorageError(TolmanError):
    """The disk refused: full, read-only, or not permitted."""


class MissingExtra(TolmanError):
    """An optional dependency isn't installed."""

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(f"{what} needs an extra: pip install 'tolman[{extra}]'")
        self.extra = extra
