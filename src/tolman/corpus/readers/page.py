"""One document in one file: .txt and .md."""

import re
from pathlib import Path
from typing import NamedTuple

from tolman.corpus.readers.lines import ByteFile, read_lines
from tolman.errors import SourceError

LARGEST_PAGE = 64 * 2**20
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n(?:---|\.\.\.)\n", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_HEADING = re.compile(r"\A\s*(?:#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*(?:\n|\Z)|(\S.*)\n(?:=+|-+)[ \t]*(?:\n|\Z))")


class Page(NamedTuple):
    """What a file says; `title` is "" where it names none."""

    title: str
    text: str


def read_text_page(path: Path, notes: list[str]) -> Page:
    """A .txt file as one document.

    Raises:
        SourceError: it can't be read, isn't text, or is too large for one document.
    """
    pieces, size = [], 0
    for _, line in read_lines(path, notes):
        size += len(line)
        if size > LARGEST_PAGE:
            raise SourceError(f"{path} is over {LARGEST_PAGE // 2**20} MiB: too much for one document")
        pieces.append(line)
    return Page("", "".join(pieces))


def read_markdown(path: Path, notes: list[str]) -> Page:
    """A .md file. Its title is that of its front matter, or its first heading if it begins with one."""
    text = read_text_page(path, notes).text.replace("\r\n", "\n")
    title = ""
    front = _FRONT_MATTER.match(text)
    if front:
        named = _FRONT_TITLE.search(front[1])
        title = named[1].strip("\"'") if named else ""
        text = text[front.end() :]
    heading = _HEADING.match(text)
    if heading and not title:
        title = heading[1] or heading[2]
        text = text[heading.end() :] or title
    return Page(title, text)


def read_bytes(path: Path) -> bytes:
    """All of a file.

    Raises:
        SourceError: it can't be read, is empty, or is too large for one document.
    """
    with ByteFile(path) as file:
        content = file.read(LARGEST_PAGE + 1)
    if len(content) > LARGEST_PAGE:
        raise SourceError(f"{path} is over {LARGEST_PAGE // 2**20} MiB: too much for one document")
    return content
