"""Drawing progress on stderr: bars on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from tolman.progress import Progress

if TYPE_CHECKING:
    from rich.progress import TaskID


@contextmanager
def progress_on_stderr() -> Iterator[Progress]:
    """A `Progress` that draws until the block ends."""
    if not sys.stderr.isatty():
        lines = Lines(sys.stderr)
        yield lines
        lines.finish()
        return
    with Bars() as bars:
        yield bars


class Bars:
    """A `Progress` that draws one bar a stage, with the facts of the moment and the time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._drawn = RichProgress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[facts]}"),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "Bars":
        self._drawn.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:  # a bar that was interrupted stays where it is
            self._finish()
        self._drawn.stop()

    def start(self, stage: str, total: float | None = None) -> None:
        """Finish the bar before and draw a new one."""
        self._finish()
        self._task = self._drawn.add_task(stage, total=total, facts="")

    def advance(self, amount: float = 1.0, **facts: float | str) -> None:
        """Move the bar."""
        if self._task is None:
            return
        self._drawn.advance(self._task, amount)
        if facts:
            self._drawn.update(self._task, facts=show_facts(facts))

    def say(self, message: str) -> None:
        """Write a line above the bars."""
        self._drawn.console.print(message, markup=False, highlight=False)

    def _finish(self) -> None:
        if self._task is not None:
            drawn = self._drawn.tasks[self._task]
            whole = drawn.total or drawn.completed or 1
            self._drawn.update(self._task, total=whole, completed=whole)


class Lines:
    """A `Progress` for logs: a line when a stage begins and ends, and one every `every_seconds` between."""

    def __init__(self, stream: TextIO, every_seconds: float = 10.0) -> None:
        self._stream, self._every = stream, every_seconds
        self._stage: str | None = None

    def start(self, stage: str, total: float | None = None) -> None:
        """Close the stage before and announce this one."""
        self.finish()
        self._stage, self._total, self._done, self._facts = stage, total, 0.0, ""
        self._began = self._spoke = time.monotonic()
        self.say(f"{stage} ...")

    def advance(self, amount: float = 1.0, **facts: float | str) -> None:
        """Count, and say so if the last line is long ago."""
        self._done += amount
        self._facts = show_facts(facts) or self._facts
        now = time.monotonic()
        if now - self._spoke >= self._every:
            self._spoke = now
            share = f" {self._done / self._total:.0%}" if self._total else ""
            self.say(f"{self._stage}{share}{f' ({self._facts})' if self._facts else ''}")

    def say(self, message: str) -> None:
        """Write a line."""
        print(message, file=self._stream, flush=True)

    def finish(self) -> None:
        """Close the stage that runs."""
        if self._stage is not None:
            facts = f" ({self._facts})" if self._facts else ""
            self.say(f"{self._stage}: {time.monotonic() - self._began:.1f} s{facts}")
            self._stage = None


def show_facts(facts: dict[str, float | str]) -> str:
    """`loss 1.23, quality 0.456`: names with spaces, numbers with three digits."""
    shown = (f"{value:.3g}" if isinstance(value, float) else str(value) for value in facts.values())
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in zip(facts, shown, strict=True))
