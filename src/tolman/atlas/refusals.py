"""What is refused over HTTP, with the right status: one JSON object with one line that says why.

400  a query, filter or document that can't be used      404  no such document, topic or page
403  the server only reads, or another site asked        413  more than is taken in at once
415  a form where a file was expected
409  it belongs to another space, or has changed         429  too many changes in a short time
422  a parameter of the wrong type or out of range       501  an extra isn't installed
503  the space is gone or damaged                        507  the disk is full
"""

from tolman.errors import (
    BudgetError,
    MissingExtra,
    ModelError,
    QueryError,
    SourceError,
    SpaceError,
    SpaceMismatch,
    StorageError,
    TolmanError,
)


class Refusal(TolmanError):
    """Something that HTTP has a status of its own for."""

    status = 400


class NotThere(Refusal):
    """No document, topic or column of that name."""

    status = 404


class ReadOnly(Refusal):
    """The server was started without --write."""

    status = 403


class WrongKind(Refusal):
    """The body is of another kind than is taken in."""

    status = 415


class Gone(Refusal):
    """The space isn't where it was."""

    status = 503


class Busy(Refusal):
    """More is asked at once than can be answered soon."""

    status = 503


_STATUS: tuple[tuple[type[TolmanError], int], ...] = (
    (QueryError, 400),
    (SourceError, 400),
    (BudgetError, 400),
    (SpaceMismatch, 409),
    (SpaceError, 503),
    (ModelError, 503),
    (StorageError, 507),
    (MissingExtra, 501),
)


def status_of(error: TolmanError) -> int:
    """The HTTP status of an error of ours."""
    if isinstance(error, Refusal):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 400)
