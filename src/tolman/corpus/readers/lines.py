"""Bytes of a file to lines of text: decompressed, decoded, bounded.

Encodings: UTF-8 with or without a byte order mark, UTF-16 and UTF-32 with one; a file that is none of these but text in
a western language is read as Windows-1252, and a note says so. A file in another encoding, one that mixes two, or no
text at all is refused, with the line where there is one.
"""

import codecs
import gzip
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tolman.corpus.readers.western import WESTERN, WesternText
from tolman.errors import SourceError

# A line longer than this is no line of documents.
MOST_LINE_BYTES = 32 * 2**20
# Text compresses 3 to 30 times. What grows more than this, beyond the first bytes, is there to fill a disk.
MOST_RATIO, RATIO_FREE_BYTES = 250, 64 * 2**20
_CHUNK = 2**20
_HEAD = 64 * 2**10
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ENOUGH_SPECIAL = 200  # bytes above ASCII to judge by before a file's end


class ByteFile:
    """A file read in chunks, decompressed on the way if its name ends in .gz.

    Raises:
        SourceError: on opening or reading: not there, not permitted, a pipe or a device, empty, damaged, or a
            decompression bomb.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._total = 0
        try:
            held = path.stat()
            if stat.S_ISDIR(held.st_mode):
                raise SourceError(f"{path} is a folder: expected a file")
            if not stat.S_ISREG(held.st_mode):  # before it is opened: that of a pipe waits for who writes into it
                raise SourceError(f"{path} is no regular file but a pipe, a device or the like: write it to a file")
            self._raw: IO[bytes] = path.open("rb")
            if not held.st_size:
                raise SourceError(f"{path} is empty: expected documents")
            self._content: IO[bytes] = gzip.GzipFile(fileobj=self._raw) if path.suffix.lower() == ".gz" else self._raw  # type: ignore[assignment]
        except OSError as error:
            raise SourceError(f"can't read {path}: {error.strerror or error}") from None

    def __enter__(self) -> "ByteFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._content.close()
        self._raw.close()

    def read(self, size: int = _CHUNK) -> bytes:
        """The next `size` bytes, fewer at the end."""
        try:
            chunk = self._content.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SourceError(f"{self.path} is a damaged or truncated gzip file: {error}") from None
        except OSError as error:
            raise SourceError(f"can't read {self.path}: {error.strerror or error}") from None
        self._total += len(chunk)
        refuse_bomb(self.path, packed=self._raw.tell(), unpacked=self._total)
        return chunk


def refuse_bomb(path: Path, *, packed: int, unpacked: int) -> None:
    """Raise SourceError if so many bytes of a file can't honestly have become so many."""
    if unpacked > RATIO_FREE_BYTES and unpacked > MOST_RATIO * max(packed, 1):
        raise SourceError(
            f"{path} grows more than {MOST_RATIO} times when decompressed: if it isn't a bomb, decompress it first"
        )


def read_lines(path: Path, notes: list[str]) -> Iterator[tuple[int, str]]:
    """(line number from 1, line with its line break) of a text file.

    Raises:
        SourceError: the file can't be read, isn't text, mixes encodings, or has a line over 32 MiB.
    """
    with ByteFile(path) as file:
        head = file.read(_HEAD)
        bom, encoding = next(((bom, name) for bom, name in _BOMS if head.startswith(bom)), (b"", "utf-8"))
        refuse_binary(path, head, encoding)
        newline = "\n" if b"\n" in head or b"\r" not in head else "\r"
        decoder = Decoder(path, encoding, notes)
        pieces = _split(file, head[len(bom) :], newline.encode(encoding))
        for number, line in enumerate(pieces, 1):
            yield number, decoder.decode(line, number)
        decoder.finish()


def refuse_binary(path: Path, head: bytes, encoding: str) -> None:
    """Raise SourceError if `head` begins a file that is no text in `encoding`."""
    if encoding != "utf-8":
        return
    if head.startswith(b"\x1f\x8b"):
        raise SourceError(f"{path} is compressed: let its name end in .gz")
    controls = len(head) - len(head.translate(None, bytes(range(9)) + bytes(range(14, 27)) + bytes(range(28, 32))))
    if b"\0" in head or controls > len(head) / 50:
        raise SourceError(f"{path} is binary data: expected text")


class Decoder:
    """Decodes the lines of one file, all in one encoding."""

    def __init__(self, path: Path, encoding: str, notes: list[str]) -> None:
        self._path, self._encoding, self._notes = path, encoding, notes
        self._multibyte_line = 0
        self._western = WesternText()

    def decode(self, line: bytes, number: int) -> str:
        """`line` as text.

        Raises:
            SourceError: it isn't in the encoding of the lines before it.
        """
        if line.isascii():
            if b"\0" in line and not self._encoding.startswith(("utf-16", "utf-32")):
                raise SourceError(f"{self._path} holds binary data in line {number}: expected text")
            if not self._encoding.startswith(("utf-16", "utf-32")):
                return line.decode("ascii")
        try:
            text = line.decode("utf-8" if self._encoding == WESTERN else self._encoding)
        except UnicodeDecodeError:
            return self._single_byte(line, number)
        if self._encoding == WESTERN:
            raise self._mixed(number)
        self._multibyte_line = number
        return text

    def finish(self) -> None:
        """Say which encoding it was, if it wasn't a Unicode one.

        Raises:
            SourceError: taken as a whole it isn't western text.
        """
        if self._encoding == WESTERN:
            self._refuse_foreign()
            self._notes.append(f"{self._path.name} isn't UTF-8: read as Windows-1252")

    def _single_byte(self, line: bytes, number: int) -> str:
        if self._encoding not in ("utf-8", WESTERN):
            raise SourceError(f"{self._path} line {number} isn't {self._encoding.upper()}, as the file's start says")
        if self._multibyte_line:
            raise self._mixed(number)
        self._encoding = WESTERN
        self._western.add(line)
        if self._western.special > _ENOUGH_SPECIAL:
            self._refuse_foreign()
        try:
            return line.decode(WESTERN)
        except UnicodeDecodeError:
            raise self._unknown(self._western.contradiction() or f"see line {number}") from None

    def _refuse_foreign(self) -> None:
        reason = self._western.contradiction()
        if reason:
            raise self._unknown(reason)

    def _mixed(self, number: int) -> SourceError:
        return SourceError(
            f"{self._path} mixes encodings: line {number} is in another than the lines before it; convert it to UTF-8"
        )

    def _unknown(self, reason: str) -> SourceError:
        return SourceError(
            f"{self._path} is neither UTF-8 nor Windows-1252 ({reason}): convert it, e.g. with iconv -t utf-8"
        )


def _split(file: ByteFile, head: bytes, newline: bytes) -> Iterator[bytes]:
    """Lines with their line break."""
    rest, chunk = b"", head
    while chunk:
        *lines, rest = _cut(rest + chunk, newline)
        yield from lines
        if len(rest) > MOST_LINE_BYTES:
            raise SourceError(
                f"{file.path} has a line of more than {MOST_LINE_BYTES // 2**20} MiB: expected one document a line"
            )
        chunk = file.read()
    if rest:
        yield rest


def _cut(content: bytes, newline: bytes) -> list[bytes]:
    width = len(newline)
    if width == 1:
        lines = content.split(newline)
        return [line + newline for line in lines[:-1]] + lines[-1:]
    cuts, at = [0], content.find(newline)
    while at >= 0:
        if at % width == 0:
            cuts.append(at + width)
        at = content.find(newline, at + 1)
    return [content[a:b] for a, b in zip(cuts, [*cuts[1:], len(content)], strict=True)]
