"""One document in one file: .html, .pdf and .docx. Each needs a package of the extra `files`."""

import io
import logging
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tolman.corpus.readers.lines import MOST_RATIO, RATIO_FREE_BYTES, Decoder
from tolman.corpus.readers.nesting import is_nested_too_deep
from tolman.corpus.readers.page import Page, read_bytes
from tolman.errors import MissingExtra, SourceError

MOST_UNPACKED_BYTES = 512 * 2**20
_CHARSET = re.compile(rb"<(?:meta[^>]+charset|\?xml[^>]+encoding)\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
# What pages mean by these names (https://encoding.spec.whatwg.org/#names-and-labels).
_MEANT = {
    **{"iso-8859-1": "cp1252", "latin1": "cp1252", "ascii": "cp1252", "us-ascii": "cp1252", "iso-8859-9": "cp1254"},
    **{"gb2312": "gb18030", "gbk": "gb18030", "euc-kr": "cp949", "shift_jis": "cp932"},
}
_UNREAD = "script, style, noscript, template, nav, svg, iframe"
_BLOCKS = (
    "p, div, li, tr, section, article, header, footer, pre, blockquote, ul, ol, table, dt, dd, h1, h2, h3, h4, h5, h6"
)
# Words that PDF cuts at the end of a line: joined where the next line goes on in small letters.
_CUT_WORD = re.compile(r"(?<=[^\W\d_])-\n(?=[^\W\d_A-Z])")


def read_html(path: Path, notes: list[str]) -> Page:
    """A web page: the text of its body without navigation and scripts; its title is its <title>, else its <h1>.

    Raises:
        SourceError: it can't be read, is too large, in no known encoding, or nested so deep that parsing wouldn't end.
    """
    with _extra("reading .html"):
        from selectolax.lexbor import LexborHTMLParser
    html = _decoded(path, notes)
    if is_nested_too_deep(html):
        raise SourceError(f"{path} nests its elements too deep to be read: expected a web page; convert it to .txt")
    tree = LexborHTMLParser(html)
    named = tree.css_first("title") or tree.css_first("h1")
    title = named.text() if named else ""
    for node in tree.css(_UNREAD):
        node.decompose()
    for node in tree.css("br"):
        node.replace_with("\n")
    for node in tree.css("td, th"):
        node.insert_after(" ")
    for node in tree.css(_BLOCKS):
        node.insert_before("\n\n")
        node.insert_after("\n\n")
    return Page(title, tree.body.text() if tree.body else "")


def read_pdf(path: Path, notes: list[str]) -> Page:
    """The text of a PDF, pages as paragraphs; its title is that of its metadata. Scanned pages have no text."""
    with _extra("reading .pdf"):
        import pypdf
    content = io.BytesIO(read_bytes(path))
    logger = logging.getLogger("pypdf")
    before, logger.level = logger.level, logging.CRITICAL  # it warns of every irregular object
    try:
        reader = pypdf.PdfReader(content)
        text = "\n\n".join(page.extract_text() for page in reader.pages)
        title = reader.metadata.title if reader.metadata else None
    except Exception as error:  # a damaged file makes pypdf raise whatever it stumbles over
        raise _damaged(path, "PDF", error) from error
    finally:
        logger.level = before
    return Page(str(title or ""), _CUT_WORD.sub("", text))


def read_docx(path: Path, notes: list[str]) -> Page:
    """Paragraphs and tables of a Word file; its title is that of its properties, else its first heading."""
    with _extra("reading .docx"):
        import docx
    content = io.BytesIO(read_bytes(path))
    _refuse_bomb(path, content)
    try:
        document = docx.Document(content)
        parts = list(_docx_parts(document))
        title = document.core_properties.title
    except Exception as error:  # a damaged file makes python-docx raise whatever it stumbles over
        raise _damaged(path, "Word", error) from error
    heading = next((text for style, text in parts if style.startswith(("Title", "Heading")) and text.strip()), "")
    return Page(title or heading, "\n\n".join(text for _, text in parts))


def _docx_parts(document: Any) -> Iterator[tuple[str, str]]:
    """(style, text) of paragraphs; a table is one part, its rows lines."""
    for part in document.iter_inner_content():
        if hasattr(part, "rows"):
            yield "", "\n".join("\t".join(cell.text for cell in row.cells) for row in part.rows)
        else:
            yield (part.style.name if part.style else "") or "", part.text


def _refuse_bomb(path: Path, content: io.BytesIO) -> None:
    packed = content.getbuffer().nbytes
    try:
        with zipfile.ZipFile(content) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise _damaged(path, "Word", error) from None
    if unpacked > MOST_UNPACKED_BYTES or (unpacked > RATIO_FREE_BYTES and unpacked > MOST_RATIO * packed):
        raise SourceError(f"{path} unpacks to {unpacked // 2**20:,} MiB: refused as a decompression bomb")


def _decoded(path: Path, notes: list[str]) -> str:
    """A page's text: in Unicode if it is, else in the encoding it names, else in what `read_lines` takes it for."""
    content = read_bytes(path)
    for encoding in ("utf-8-sig", "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    declared = _CHARSET.search(content[:4096])
    if not declared:
        decoder = Decoder(path, "utf-8", notes)
        text = "".join(decoder.decode(line, number) for number, line in enumerate(content.splitlines(True), 1))
        decoder.finish()
        return text
    name = declared[1].decode().lower()
    try:
        return content.decode(_MEANT.get(name, name))
    except (LookupError, UnicodeError):
        raise SourceError(f"{path} says it is in {name}, and isn't: convert it to UTF-8") from None


@contextmanager
def _extra(what: str) -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise MissingExtra(what, extra="files") from None


def _damaged(path: Path, kind: str, error: Exception) -> SourceError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return SourceError(f"{path} isn't a {kind} file that can be read: {reason}")
