"""Topics of many documents are found in a process of its own.

Leiden holds the interpreter for tens of milliseconds at a time, and a search asks for it dozens of times: beside a
thread that finds topics it would take seconds.
"""

import os
import subprocess
import sys
from threading import Event

from tolman.errors import TolmanError
from tolman.space.space import LatentSpace
from tolman.topics.record import FILE, FOLDER

MANY = 2_000  # documents; topics of fewer are found in less time than a process takes to start
_LOOK = 0.2  # seconds


def find_first(space: LatentSpace, stop: Event) -> None:
    """Find the topics of a space that has none, and keep them in it; nothing where there are few documents."""
    if len(space) > MANY and not (space.path / FOLDER / FILE).exists() and os.access(space.path, os.W_OK):
        _tolman_topics(space, stop)


def find_again(space: LatentSpace, stop: Event, *, bearable: float, from_nothing: bool) -> None:
    """Find topics anew; see `Topics.find_again`."""
    if len(space) > MANY:
        _tolman_topics(space, stop, *(["--from-nothing"] if from_nothing else ["--again", f"--bearable={bearable}"]))
    else:
        space.topics().find_again(bearable=bearable, from_nothing=from_nothing)


def _tolman_topics(space: LatentSpace, stop: Event, *options: str) -> None:
    """Run the command until it ends, or `stop` is set.

    Raises:
        TolmanError: what the command says.
    """
    command = [sys.executable, "-m", "tolman", "topics", str(space.path.absolute()), "--json", *options]
    one_core = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=one_core
    ) as running:
        while True:
            try:
                told = running.communicate(timeout=_LOOK)[1]
                break
            except subprocess.TimeoutExpired:
                if stop.is_set():
                    running.terminate()
    if running.returncode:
        last = next(iter(reversed(told.strip().splitlines())), "")
        raise TolmanError(last.removeprefix("error: ") or f"finding topics ended with status {running.returncode}")
