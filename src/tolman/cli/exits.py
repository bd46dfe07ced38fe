"""How a verb ends: 0 done, 1 a clear line, 2 a wrong command line (click's own), 130 interrupted, 141 nobody reads on.

A count of 0 hits, an empty query or a budget that can't be read are a clear line, as they are to the API.
"""

import errno
import faulthandler
import os
import signal
import sys
import threading
from types import TracebackType

import click

from tolman.cli.printing import shown
from tolman.errors import TolmanError

DISK_ERRORS = {
    errno.ENOSPC: "no space left",
    errno.EDQUOT: "quota exceeded",
    errno.EROFS: "read-only",
    errno.EACCES: "not permitted",
}
_PARTING = 0.5  # seconds that a thread has to end by itself


class Verbs(click.Group):
    """The group of all verbs, in the order they were added. Turns what they raise into one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names for --help."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What was typed, which must be text: a space holds its names in UTF-8, and so does whoever reads them."""
        for argument in args:
            try:
                argument.encode()
            except UnicodeEncodeError:
                raise click.UsageError(f"expected text in UTF-8, got {argument!a}") from None
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the chosen verb; under TOLMAN_DEBUG=1 let errors through with their tracebacks."""
        if debugging():
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _complain("interrupted; what was committed is kept")
            ctx.exit(130)
        except TolmanError as error:
            _complain(str(error))
            ctx.exit(1)
        except BrokenPipeError:
            # What is still buffered must not complain when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(128 + signal.SIGPIPE)
        except OSError as error:
            if error.errno not in DISK_ERRORS:
                raise
            _complain(f"the disk said {DISK_ERRORS[error.errno]}{f': {error.filename}' if error.filename else ''}")
            ctx.exit(1)


def debugging() -> bool:
    """Whether the person wants tracebacks."""
    return os.environ.get("TOLMAN_DEBUG") == "1"


def quieten_libraries() -> None:
    """Keep what native libraries write to stderr by themselves out of it: warnings, and where in Rust a panic arose.

    What went wrong comes as an error of ours, on one line. A crash of the whole process is still told.
    """
    os.environ.setdefault("LANCE_LOG", "error")
    if sys.stderr is None:
        return
    ours = os.dup(2)
    sys.stderr = open(ours, "w", buffering=1, encoding=sys.stderr.encoding, errors=sys.stderr.errors)  # noqa: SIM115
    faulthandler.enable(ours)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)


def leave(code: object) -> None:
    """End a process that learned with others, at once, where Python would end it step by step.

    On its way out of a process group PyTorch sometimes aborts, after all is done ("terminate called without an active
    exception"), and torchrun then calls the whole run a failure.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        _end(code if isinstance(code, int) else int(code is not None))


def leave_threads_behind(code: int) -> None:
    """End the process now if threads still compute what nobody waits for any more; Python would wait for them."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(_PARTING)
            if thread.is_alive():
                _end(code)


def _end(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def report_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error nobody foresaw, in one line; a `sys.excepthook`, after which Python exits 1."""
    _complain(f"{kind.__name__}: {error} (not foreseen; TOLMAN_DEBUG=1 shows where)")


def _complain(message: str) -> None:
    print(f"error: {shown(' '.join(message.split()))}", file=sys.stderr)
