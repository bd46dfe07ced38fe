"""/api/add: documents come in, where the server may write."""

import csv
import io
import json
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from tolman.atlas.answers import AddedAnswer
from tolman.atlas.live import LiveSpace
from tolman.atlas.refusals import ReadOnly, WrongKind
from tolman.errors import SourceError
from tolman.space.space import LatentSpace

MOST_DOCUMENTS = 100_000
FILE_BODY = {"requestBody": {"content": {"text/plain": {"schema": {"type": "string"}}}, "required": True}}


class Documents(BaseModel):
    """Documents as rows of columns: `text`, and `id`, `title`, `label` or metadata where there are any."""

    documents: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_DOCUMENTS)]


def require_writable(write: bool) -> None:
    """Refuse changes where they aren't wanted.

    Raises:
        ReadOnly: the server was started without --write.
    """
    if not write:
        raise ReadOnly("this server only reads: start it with --write to change the space")


def adding_routes(live: LiveSpace, *, write: bool) -> APIRouter:
    """Adding."""
    routes = APIRouter(tags=["adding"])

    @routes.post("/api/add")
    async def add(asked: Documents) -> AddedAnswer:
        """Add documents, or update those whose id is there, in one commit."""
        require_writable(write)
        return await _added(asked.documents)

    @routes.post("/api/add/file", openapi_extra=FILE_BODY)
    async def add_file(request: Request, name: str = "documents.txt") -> AddedAnswer:
        """Add the documents of a file: .jsonl, .csv or .tsv with columns, else a text a file."""
        require_writable(write)
        return await _added(rows_of_file(name, await file_of(request)))

    async def _added(rows: list[dict[str, Any]]) -> AddedAnswer:
        def work(space: LatentSpace) -> AddedAnswer:
            done = space.add(rows)
            return AddedAnswer(
                added=done.added,
                updated=done.updated,
                unchanged=done.unchanged,
                ignored_columns=list(done.ignored_columns),
                documents=len(space),
            )

        return await live.change(work)

    return routes


async def file_of(request: Request) -> bytes:
    """The file that a request consists of.

    Raises:
        WrongKind: it is a form with a file in it.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise WrongKind("expected the file itself as the body, not a form: curl --data-binary @FILE")
    return await request.body()


def rows_of_file(name: str, content: bytes) -> list[dict[str, Any]]:
    """The rows of an uploaded file, by its name's ending. It is never written to disk.

    Raises:
        SourceError: not UTF-8, not whole, or empty.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError("expected a file of text in UTF-8") from None
    ending = name.lower().rpartition(".")[2]
    if ending in ("jsonl", "ndjson"):
        rows = [_json_row(line, number) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    elif ending in ("csv", "tsv"):
        rows = _delimited(text, "\t" if ending == "tsv" else ",")
    else:
        rows = [{"text": text}] if text.strip() else []
    if not rows:
        raise SourceError("the file holds no documents")
    if len(rows) > MOST_DOCUMENTS:
        raise SourceError(f"expected at most {MOST_DOCUMENTS:,} documents at once, got {len(rows):,}")
    return rows


def _json_row(line: str, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise SourceError(f"line {number} isn't an object of JSON")
    return row


def _delimited(text: str, delimiter: str) -> list[dict[str, Any]]:
    try:
        rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise SourceError(f"the table can't be read: {error}") from None
    return [{name: value for name, value in row.items() if isinstance(name, str)} for row in rows]
