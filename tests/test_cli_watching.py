import io
import os
import re
import subprocess
import sys

import pytest

from tolman.cli.watching import Lines, progress_on_stderr, show_facts

SCRIPT = """
from tolman.cli.watching import progress_on_stderr
with progress_on_stderr() as progress:
    progress.start("learning", total=4)
    progress.say("vocabulary [of] 4,000")
    progress.advance(0, objective="contrastive")
    progress.advance(1, quality=0.25)
    for loss in (1.5, 1.25, 1.125):
        progress.advance(1, loss=loss)
    progress.start("counting")
    progress.advance(3)
"""


def test_facts_are_short() -> None:
    assert show_facts({"loss": 1.23456, "held_out_quality": 0.5, "step": 7, "objective": "contrastive"}) == (
        "loss 1.23, held out quality 0.5, step 7, objective contrastive"
    )


def test_a_log_says_when_stages_begin_and_end() -> None:
    stream = io.StringIO()
    lines = Lines(stream, every_seconds=1e9)
    lines.start("reading", total=10)
    lines.advance(4, documents=4)
    lines.start("learning")
    lines.advance(1, loss=0.5, quality=0.75)
    lines.advance(1, loss=0.25)
    lines.advance(1)
    lines.say("note")
    lines.finish()
    shown = stream.getvalue().splitlines()
    assert [line.split(":")[0] for line in shown] == ["reading ...", "reading", "learning ...", "note", "learning"]
    assert shown[1].endswith("s (documents 4)")
    assert shown[-1].endswith("s (loss 0.25, quality 0.75)")


def test_a_log_speaks_now_and_then() -> None:
    stream = io.StringIO()
    lines = Lines(stream, every_seconds=0)
    lines.start("reading", total=8)
    lines.advance(2, rows=2)
    assert stream.getvalue().splitlines()[-1] == "reading 25% (rows 2)"


def test_no_terminal_gives_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_on_stderr() as progress:
        progress.start("reading")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("reading ...\nreading: ")


@pytest.mark.parametrize(
    ("width", "facts"), [(140, "quality 0.25, loss 1.12, objective contrastive"), (80, "quality 0.25, loss 1.12")]
)
def test_a_terminal_gives_bars(width: int, facts: str) -> None:
    ours, theirs = os.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(width)}
    outcome = subprocess.run(
        [sys.executable, "-c", SCRIPT], stderr=theirs, stdout=subprocess.PIPE, env=environment, check=True
    )
    os.close(theirs)
    drawn = os.read(ours, 1 << 20).decode()
    os.close(ours)
    assert outcome.stdout == b""
    assert "vocabulary [of] 4,000" in drawn
    assert re.search(rf"0:00:00.*left.*0:00:00.*{facts}", drawn)
    assert "counting" in drawn
    assert "loss" not in drawn[drawn.rindex("counting") :]
    assert drawn.count("100 %") >= 2  # both stages end full, the one of unknown length too
