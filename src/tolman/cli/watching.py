"""Drawing progress on stderr: bars on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, TypeAlias

from tolman.cli.printing import shown
from tolman.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

Facts: TypeAlias = dict[str, float | str]


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
        self._drawn = _columns()
        self._task: TaskID | None = None
        self._facts: Facts = {}

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
        self._facts = {}
        self._task = self._drawn.add_task(stage, total=total, facts="")

    def advance(self, amount: float = 1.0, **facts: float | str) -> None:
        """Move the bar. A fact stays until there is a newer one of its name, or another stage."""
        if self._task is None:
            return
        self._facts |= facts
        self._drawn.update(self._task, advance=amount, facts=show_facts(self._facts))

    def say(self, message: str) -> None:
        """Write a line above the bars."""
        self._drawn.console.print(shown(message), markup=False, highlight=False)

    def _finish(self) -> None:
        if self._task is not None:
            drawn = self._drawn.tasks[self._task]
            whole = drawn.total or drawn.completed or 1
            self._drawn.update(self._task, total=whole, completed=whole)


def _columns() -> "RichProgress":
    """Bars whose facts give way where the terminal is narrow, and nothing else."""
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress
    from rich.table import Column
    from rich.text import Text

    class FactsColumn(TextColumn):
        def render(self, task: Task) -> Text:
            text = super().render(task)
            text.no_wrap, text.overflow = True, "ellipsis"
            return text

    return RichProgress(
        SpinnerColumn(finished_text="[green]✓", table_column=Column(no_wrap=True)),
        TextColumn("{task.description}"),
        BarColumn(bar_width=10, table_column=Column(no_wrap=True)),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("left"),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        FactsColumn("[dim]{task.fields[facts]}", table_column=Column(no_wrap=False)),
        console=Console(stderr=True),
    )


class Lines:
    """A `Progress` for logs: a line when a stage begins and ends, and one every `every_seconds` between."""

    def __init__(self, stream: TextIO, every_seconds: float = 10.0) -> None:
        self._stream, self._every = stream, every_seconds
        self._stage: str | None = None

    def start(self, stage: str, total: float | None = None) -> None:
        """Close the stage before and announce this one."""
        self.finish()
        self._stage, self._total, self._done = stage, total, 0.0
        self._facts: Facts = {}
        self._began = self._spoke = time.monotonic()
        self.say(f"{stage} ...")

    def advance(self, amount: float = 1.0, **facts: float | str) -> None:
        """Count, and say so if the last line is long ago."""
        self._done += amount
        self._facts |= facts
        now = time.monotonic()
        if now - self._spoke >= self._every:
            self._spoke = now
            share = f" {self._done / self._total:.0%}" if self._total else ""
            self.say(f"{self._stage}{share}{self._shown}")

    def say(self, message: str) -> None:
        """Write a line."""
        print(shown(message), file=self._stream, flush=True)

    def finish(self) -> None:
        """Close the stage that runs."""
        if self._stage is not None:
            self.say(f"{self._stage}: {time.monotonic() - self._began:.1f} s{self._shown}")
            self._stage = None

    @property
    def _shown(self) -> str:
        return f" ({show_facts(self._facts)})" if self._facts else ""


def show_facts(facts: Facts) -> str:
    """`loss 1.23, quality 0.456`: names with spaces, numbers with three digits.

    Numbers stand before words: they change, and a narrow terminal cuts off the end.
    """
    ordered = sorted(facts.items(), key=lambda fact: isinstance(fact[1], str))
    shown = ((name, f"{value:.3g}" if isinstance(value, float) else str(value)) for name, value in ordered)
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown)
