"""Topics of many documents are found in a process of its own.

Leiden holds the interpreter for tens of milliseconds at a time, and a search asks for it dozens of times: beside a
thread that finds topics it would take seconds.
"""

import os
import subprocess
import sys
from threading import Event

from tolman.atlas.refusals import Gone
from tolman.space.space import LatentSpace
from tolman.topics.record import FILE, FOLDER

MANY = 2_000  # documents; topics of fewer are found in less time than a process takes to start
_LOOK = 0.2  # seconds


def find_first(space: LatentSpace, stop: Event) -> None:
    """Find the topics of a space that has none, and keep them in it; nothing where there are few documents.

    Where that fails whoever looks for them next in this process is told why.
    """
    if len(space) > MANY and not (space.path / FOLDER / FILE).exists() and os.access(space.path, os.W_OK):
        _tolman_topics(space, stop)


def find_again(space: LatentSpace, stop: Event, *, bearable: float, from_nothing: bool) -> None:
    """Find topics anew; see `Topics.find_again`."""
    options = ["--from-nothing"] if from_nothing else ["--again", f"--bearable={bearable}"]
    if len(space) <= MANY or not _tolman_topics(space, stop, *options):
        space.topics().find_again(bearable=bearable, from_nothing=from_nothing)


def _tolman_topics(space: LatentSpace, stop: Event, *options: str) -> bool:
    """Run the command until it ends; whether it did what it was asked.

    Raises:
        Gone: `stop` was set before.
    """
    command = [sys.executable, "-m", "tolman", "topics", str(space.path.absolute()), "--json", *options]
    one_core = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=one_core) as running:
        while running.poll() is None:
            if stop.wait(_LOOK):
                running.terminate()
                raise Gone("the server ended before topics were found")
    return running.returncode == 0
