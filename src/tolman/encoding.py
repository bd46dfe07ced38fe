"""Texts to vectors in bulk: long documents in passages, whole files with memory for one window, resumed after a kill.

Legend for shapes:
    N  documents     P  passages of the documents that were cut     D  dimensions
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tolman.corpus.passages import split_passages
from tolman.corpus.texts import read_texts
from tolman.counting import counted
from tolman.errors import SourceError, StorageError
from tolman.models.encoder import Encoder, Floats, Role, require_texts
from tolman.progress import Progress, Silent
from tolman.storage import folders_above

Span: TypeAlias = tuple[int, int]

WINDOW_TEXTS = 1024
WINDOW_CHARACTERS = 500_000
"""How much is encoded between two notes of how far a run is: under a minute of it is lost when a run is killed."""
CHUNK_CHARACTERS = 200_000
"""How much of one document is cut into passages at a time: tokenising takes a hundred times the memory of a text."""


@dataclass(frozen=True, slots=True)
class EncodedDocuments:
    """Vectors of N documents, and of the P passages that the long ones were cut into.

    Attributes:
        vectors_ND: unit vectors, float32. A cut document's is the normalised sum of its passages'.
        passage_spans: for each document the (start, end) of its passages, in characters; empty for one in one piece.
        passage_vectors_PD: unit vectors of all passages, document after document.
        passage_rows_P: the document of each passage.
    """

    vectors_ND: Floats
    passage_spans: list[list[Span]]
    passage_vectors_PD: Floats
    passage_rows_P: NDArray[np.int64]


def passages_of(encoder: Encoder, contents: Sequence[str]) -> list[list[Span]]:
    """Where each document is cut so that `encoder` sees all of it: spans in characters, none for one that fits."""
    limit = encoder.passage_tokens
    # No tokenizer makes more tokens than there are bytes: short texts needn't be tokenised twice.
    doubtful = [row for row, text in enumerate(contents) if len(text) * 4 > limit and len(text.encode()) > limit]
    counted = [row for row in doubtful if len(contents[row]) <= CHUNK_CHARACTERS]
    counts = encoder.count_tokens([contents[row] for row in counted])
    fitting = {row for row, tokens in zip(counted, counts, strict=True) if tokens <= limit}
    spans: list[list[Span]] = [[] for _ in contents]
    for row in doubtful:
        if row not in fitting:
            spans[row] = _passages(encoder, contents[row])
    return spans


def encode_documents(encoder: Encoder, contents: Sequence[str], progress: Progress | None = None) -> EncodedDocuments:
    """Encode documents of any length; no part of any of them is left out.

    Args:
        encoder: of D dimensions.
        contents: what each document says, title included (`Document.content`).
        progress: is told of every document that is done; the stage is the caller's.

    Raises:
        TolmanError: `contents` is no list of texts.
    """
    progress, contents = progress or Silent(), require_texts(contents)
    done: list[EncodedDocuments] = []
    rows = 0
    for window in _windowed(contents):
        done.append(_encode_window(encoder, window, first_row=rows))
        rows += len(window)
        progress.advance(len(window))
    empty_D = np.empty((0, encoder.dim), dtype=np.float32)
    return EncodedDocuments(
        vectors_ND=np.concatenate([empty_D, *(part.vectors_ND for part in done)]),
        passage_spans=[spans for part in done for spans in part.passage_spans],
        passage_vectors_PD=np.concatenate([empty_D, *(part.passage_vectors_PD for part in done)]),
        passage_rows_P=np.concatenate([np.empty(0, np.int64), *(part.passage_rows_P for part in done)]),
    )


def encode_file(
    encoder: Encoder,
    source: Path,
    out: Path,
    role: Role = "document",
    progress: Progress | None = None,
    *,
    text: str | None = None,
    title: str | None = None,
) -> tuple[int, int]:
    """Write the vectors of a file's texts as a .npy array, float32 (N, D), one row a text, in order.

    The array grows beside `out`, with a note of how far it is, and takes its place when whole. A run that was killed
    goes on where it stopped and ends with the same bytes; another input, encoder or role starts anew.

    Args:
        encoder: of D dimensions.
        source: .txt with one text a line, .jsonl, .csv, .tsv or .parquet; each also .gz. Encodings, limits and guessed
            columns are those of `read_corpus`; but nothing is cleaned, merged or left out: a row without a text gets
            the vector of the empty text.
        out: the array to write. Folders above it that aren't there are made. An array that is there is replaced;
            any other file, and the source under whatever name, is refused.
        role: whether the texts are documents or queries.
        progress: is told of every text that is done.
        text, title: columns of the source; those not named are guessed.

    Returns:
        (N, D).

    Raises:
        SourceError: the source can't be read, or a line of it; nothing is written.
        StorageError: the disk refuses, or what is at `out` isn't to be written over.
        TolmanError: there is no such role.
    """
    progress = progress or Silent()
    require_texts([], role)
    source, out = Path(source), Path(out)
    _require_replaceable(out, source)
    notes: list[str] = []
    rows, empty, digest = _survey(read_texts(source, notes, text=text, title=title))
    if not rows:
        raise SourceError(f"{source} holds no texts")
    if empty:
        notes.append(f"{empty:,} of {counted(rows, 'text')} {'is' if empty == 1 else 'are'} empty: encoded as such")
    for note in notes:
        progress.say(note)
    run = _Run(input=digest, encoder=encoder.fingerprint, role=role, rows=rows, dim=encoder.dim)
    progress.start("encode", rows)
    try:
        with folders_above(out), _GrowingArray(out, run) as growing:
            if growing.done:
                progress.say(f"going on after {growing.done:,} of {rows:,} texts")
                progress.advance(growing.done)
            for texts in _windowed(islice(read_texts(source, [], text=text, title=title), growing.done, None)):
                growing.append(_encode_texts(encoder, texts, role))
                progress.advance(len(texts))
        growing.finish()
    except OSError as error:
        raise StorageError(f"can't write {out}: {error.strerror or error}") from error
    return rows, encoder.dim


def _encode_window(encoder: Encoder, contents: Sequence[str], first_row: int) -> EncodedDocuments:
    spans = passages_of(encoder, contents)
    whole = [row for row, cuts in enumerate(spans) if not cuts]
    rows = np.array([row for row, cuts in enumerate(spans) for _ in cuts], dtype=np.int64)
    passages = [contents[row][start:end] for row, cuts in enumerate(spans) for start, end in cuts]
    encoded = encoder.encode([*(contents[row] for row in whole), *passages])
    vectors_ND = np.zeros((len(contents), encoder.dim), dtype=np.float32)
    vectors_ND[whole] = encoded[: len(whole)]
    passages_PD = encoded[len(whole) :]
    np.add.at(vectors_ND, rows, passages_PD)
    cut = np.unique(rows)
    vectors_ND[cut] /= np.maximum(np.linalg.norm(vectors_ND[cut], axis=1, keepdims=True), 1e-12)
    return EncodedDocuments(vectors_ND, spans, passages_PD, rows + first_row)


def _passages(encoder: Encoder, text: str) -> list[Span]:
    return [
        (start + first, start + last)
        for start, end in _chunks(text)
        for first, last in split_passages(text[start:end], encoder.count_tokens, encoder.passage_tokens)
    ]


def _chunks(text: str) -> Iterator[Span]:
    """Spans of a huge text, each up to the last paragraph, line or word that fits."""
    start = 0
    while len(text) - start > CHUNK_CHARACTERS:
        full = start + CHUNK_CHARACTERS
        borders = (text.rfind(border, start + 1, full) for border in ("\n\n", "\n", " "))
        end = next((border for border in borders if border > start), full)
        yield start, end
        start = end
    yield start, len(text)


def _encode_texts(encoder: Encoder, texts: Sequence[str], role: Role) -> Floats:
    return encoder.encode(texts, role) if role == "query" else encode_documents(encoder, texts).vectors_ND


def _windowed(texts: Iterable[str]) -> Iterator[list[str]]:
    """Consecutive groups, each closed by the text that fills it: where one ends depends on nothing that comes later."""
    window: list[str] = []
    characters = 0
    for text in texts:
        window.append(text)
        characters += len(text)
        if len(window) == WINDOW_TEXTS or characters >= WINDOW_CHARACTERS:
            yield window
            window, characters = [], 0
    if window:
        yield window


def _survey(texts: Iterable[str]) -> tuple[int, int, str]:
    """How many texts a file holds, how many of them are empty, and the sha256 of them all.

    Every line is read, so that a bad one is found at once.
    """
    rows, empty, digest = 0, 0, sha256()
    for text in texts:
        rows += 1
        empty += not text.strip()
        digest.update(f"{len(text)} {text}".encode("utf-8", "surrogatepass"))
    return rows, empty, digest.hexdigest()


# An array that grows on disk


def _require_replaceable(out: Path, source: Path) -> None:
    """Refuse to write over anything but an array, and over the source above all.

    Raises:
        StorageError: says which file, and what to do.
    """
    try:
        if out.is_dir():
            raise StorageError(f"can't write {out}: it is a folder")
        if out.exists() and source.exists() and out.samefile(source):
            raise StorageError(f"can't write {out}: it is the source itself; name another file for the vectors")
        if out.exists() and not _is_array(out):
            raise StorageError(f"can't write {out}: it is there and no .npy array; name another file, or move it away")
        partial = _partial(out)
        if partial.exists() and not (_is_array(partial) or partial.stat().st_size == 0):
            raise StorageError(f"can't write {partial}: it is there and no work of Tolman's; move it away")
    except OSError as error:
        raise StorageError(f"can't write {out}: {error.strerror or error}") from error


def _is_array(file: Path) -> bool:
    """Whether it is a .npy file, by what it begins with."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX


def _partial(out: Path) -> Path:
    """Where the array lies while it grows."""
    return out.with_name(f"{out.name}.partial")


@dataclass(frozen=True, slots=True)
class _Run:
    """What must be the same for a run to go on where another one stopped."""

    input: str
    encoder: str
    role: str
    rows: int
    dim: int

    def header(self) -> bytes:
        """What a .npy file of this run's array begins with."""
        buffer = BytesIO()
        layout = {"descr": "<f4", "fortran_order": False, "shape": (self.rows, self.dim)}
        np.lib.format.write_array_header_1_0(buffer, layout)
        return buffer.getvalue()


class _GrowingArray:
    """A .npy array beside its place, with a journal of the rows that are safely on disk.

    Attributes:
        done: rows on disk, those of an interrupted run included.
    """

    def __init__(self, out: Path, run: _Run) -> None:
        self._out, self._run, self._header = out, run, run.header()
        self._array = _partial(out)
        self._journal = out.with_name(f"{out.name}.partial.json")
        self.done = self._rows_kept()

    def __enter__(self) -> "_GrowingArray":
        if not self.done:
            self._journal.unlink(missing_ok=True)
            try:
                self._array.write_bytes(self._header)
            except OSError:
                self._array.unlink(missing_ok=True)
                raise
        self._file = self._array.open("r+b")
        self._file.truncate(self._end())  # a kill may have left half a window behind
        self._file.seek(self._end())
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # half a window that didn't reach the disk; nobody counts on it
            self._file.close()
        if not self.done:  # nothing to go on from
            self._array.unlink(missing_ok=True)

    def append(self, vectors_ND: Floats) -> None:
        """Write the next rows. They are on disk before the journal counts them."""
        self._file.write(vectors_ND.astype("<f4", copy=False).tobytes())
        self._file.flush()
        os.fsync(self._file.fileno())
        done = self.done + len(vectors_ND)
        draft = self._journal.with_suffix(".draft")
        try:
            draft.write_text(json.dumps({**asdict(self._run), "done": done}), encoding="utf-8")
            draft.replace(self._journal)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        self.done = done

    def finish(self) -> None:
        """Put the whole array in its place."""
        if self.done != self._run.rows:
            raise SourceError(
                f"the source changed while it was read: expected {self._run.rows:,} texts, got {self.done:,}"
            )
        self._array.replace(self._out)
        self._journal.unlink()

    def _rows_kept(self) -> int:
        try:
            noted = json.loads(self._journal.read_text(encoding="utf-8"))
            rows = int(noted.pop("done"))
            size = self._array.stat().st_size
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return 0
        fits = noted == asdict(self._run) and size >= len(self._header) + 4 * self._run.dim * rows
        return rows if fits else 0

    def _end(self) -> int:
        return len(self._header) + 4 * self._run.dim * self.done
