"""A plain text file that holds many documents."""

from collections.abc import Iterator
from itertools import chain, groupby, islice
from pathlib import Path

from tolman.corpus.readers.lines import MOST_LINE_BYTES, read_lines
from tolman.corpus.readers.source import Source, by_column
from tolman.errors import SourceError

_HEAD_LINES = 2_000


def open_text(path: Path) -> Source:
    """One document a line; one document a paragraph if the text is wrapped.

    It is taken for wrapped if empty lines part it into paragraphs and these have two lines or more on average.
    """
    notes: list[str] = []
    lines = read_lines(path, notes)
    head = list(islice(lines, _HEAD_LINES))
    blocks = [len(list(block)) for blank, block in groupby(head, lambda line: line[1].isspace()) if not blank]
    wrapped = len(blocks) > 1 and sum(blocks) >= 2 * len(blocks)
    notes.append(f"{path.name}: one document a {'paragraph' if wrapped else 'line'}")
    every = chain(head, lines)
    documents = _paragraphs(path, every) if wrapped else every
    rows = ((number, {"text": text}, len(text)) for number, text in documents if not text.isspace())
    return Source(str(path), by_column(rows), "line", {"text": "text"}, notes=notes)


def _paragraphs(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    gathered: list[str] = []
    start = size = 0
    for number, line in chain(lines, [(0, "\n")]):
        if not line.isspace():
            start = start if gathered else number
            gathered.append(line)
            size += len(line)
        elif gathered:
            yield start, "".join(gathered)
            gathered, size = [], 0
        if size > MOST_LINE_BYTES:
            raise SourceError(
                f"{path} has a paragraph of more than {MOST_LINE_BYTES // 2**20} MiB at line {start}: "
                "expected an empty line between documents"
            )
