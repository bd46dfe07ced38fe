"""Folders: one document a file."""

import logging
import os
import socket
import time
import zipfile
from pathlib import Path

import docx
import pytest
from conftest import tree

from tolman.corpus.reading import read_corpus
from tolman.errors import MissingExtra, SourceError
from tolman.space.description import FILE
from tolman.space.staging import IDENTITY, LOCK

HTML = """<html><head><title>Returns &amp; refunds</title><style>p {}</style></head><body><nav>Home</nav>
<h1>Big</h1><p>You may <b>send</b> it back<br>within 14 days.</p><ul><li>one</li><li>two</li></ul><script>x()</script>
</body></html>"""


def pdf(text: str, title: str = "") -> bytes:
    """A PDF of one page, written by hand."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Title (%s) >>" % title.encode(),
    ]
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size 7 /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF" % len(content)
    return content + b"xref\n0 7\n0000000000 65535 f \n" + table + trailer


def word(path: Path) -> None:
    document = docx.Document()
    document.add_heading("Warranty", 1)
    document.add_paragraph("Two years on parts.")
    document.add_table(1, 2).rows[0].cells[0].text = "cell"
    document.core_properties.title = ""
    document.save(str(path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    (root / "deep/er").mkdir(parents=True)
    (root / "a.txt").write_text("line one\nline two\n")
    (root / "deep/b.md").write_text("# A heading\n\nBody of *b*.\n")
    (root / "deep/front.md").write_text('---\ntitle: "From the front"\ntags: x\n---\nBody.\n')
    (root / "deep/er/c.HTML").write_text(HTML)
    (root / "d.pdf").write_bytes(pdf("Hello from a page", "A PDF"))
    word(root / "e.docx")
    (root / ".hidden.txt").write_text("no")
    (root / "picture.png").write_bytes(b"\x89PNG")
    return root


def test_every_kind_of_file(folder: Path) -> None:
    before = tree(folder)
    corpus = read_corpus(folder)
    assert {document.id: (document.title, document.text) for document in corpus} == {
        "a.txt": ("a", "line one\nline two"),
        "d.pdf": ("A PDF", "Hello from a page"),
        "e.docx": ("Warranty", "Warranty\n\nTwo years on parts.\n\ncell"),
        "deep/b.md": ("A heading", "Body of *b*."),
        "deep/front.md": ("From the front", "Body."),
        "deep/er/c.HTML": ("Returns & refunds", "Big\n\nYou may send it back\nwithin 14 days.\n\none\n\ntwo"),
    }
    assert "left out 1 file of other kinds: .png (1)" in corpus.report.notes
    assert tree(folder) == before


def test_damaged_files_are_left_out_and_noted(folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (folder / "broken.docx").write_bytes(b"PK nothing")
    (folder / "empty.md").write_text("")
    (folder / "binary.txt").write_bytes(bytes(99))
    level = logging.getLogger("pypdf").level
    corpus = read_corpus(folder)
    assert len(corpus) == 6
    notes = "\n".join(corpus.report.notes)
    for name in ("broken.pdf isn't a PDF", "broken.docx isn't a Word", "empty.md is empty", "binary.txt is binary"):
        assert name in notes
    assert logging.getLogger("pypdf").level == level


PAGES = {
    "cp1252": "Die Größe stimmt nicht, schöne Grüße",
    "cp1251": "Посылка не пришла",
    "koi8-r": "Посылка не пришла",
    "iso8859-7": "Το δέμα δεν έφτασε",
    "cp1250": "Kdy dostanu odpověď? Chtěl bych vrátit peníze, protože lampa byla rozbitá.",
    "cp1254": "Sipariş verdiğim lamba kırık çıktı",
    "gbk": "包裹没有到,没有人回答我的问题",
    "euc-kr": "소포가 도착하지 않았고 아무도 대답하지 않습니다",
}


@pytest.mark.parametrize("charset", PAGES)
def test_a_page_is_read_in_the_encoding_it_names(charset: str, tmp_path: Path) -> None:
    for name, head in (
        ("a.html", f'<meta charset="{charset}">'),
        ("b.htm", f'<?xml version="1.0" encoding="{charset}"?>'),
    ):
        (tmp_path / name).write_bytes(f"{head}<title>{name}</title><p>{PAGES[charset]}".encode(charset))
    assert [document.text for document in read_corpus(tmp_path)] == [PAGES[charset]] * 2


@pytest.mark.parametrize("charset", PAGES)
def test_a_page_that_names_no_encoding_is_western_or_refused(charset: str, tmp_path: Path) -> None:
    markup = '<div class="article"><a href="/about.html">' * 9  # must not thin the evidence
    (tmp_path / "a.html").write_bytes(f"{markup}<p>{PAGES[charset]}".encode(charset))
    if charset == "cp1252":
        corpus = read_corpus(tmp_path)
        assert corpus[0].text == PAGES[charset]
        assert "a.html isn't UTF-8: read as Windows-1252" in corpus.report.notes
    else:
        with pytest.raises(SourceError, match=r"a\.html is neither UTF-8 nor Windows-1252"):
            read_corpus(tmp_path)


@pytest.mark.parametrize("charset", ["utf-8", "undefined", "hex", "no-such"])
def test_a_page_that_is_not_in_the_encoding_it_names(charset: str, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(f'<meta charset="{charset}"><p>Größe'.encode("cp1252"))
    with pytest.raises(SourceError, match=f"says it is in {charset}, and isn't"):
        read_corpus(tmp_path)


def test_notes_of_many_pages_are_summed_up(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"{number}.html").write_bytes(f"<p>Größe {number}".encode("cp1252"))
    notes = read_corpus(tmp_path).report.notes
    assert notes == (
        *(f"{n}.html isn't UTF-8: read as Windows-1252" for n in range(5)),
        "the like was noted of 4 more files",
    )


def test_what_is_no_regular_file_is_left_out_unopened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.txt")
    (folder / "device.md").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "socket.html"))
        corpus = read_corpus(folder)
    assert len(corpus) == 6
    notes = [note for note in corpus.report.notes if "is no regular file" in note]
    assert [Path(note.split()[2]).name for note in notes] == ["device.md", "pipe.txt", "socket.html"]
    for special in ("pipe.txt", "device.md"):
        with pytest.raises(SourceError, match=f"{special} is no regular file but a pipe, a device"):
            read_corpus(folder / special)


def test_nothing_but_damaged_files(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"no")
    with pytest.raises(SourceError, match=r"none of 1 file in .* can be read; the first: .*a.pdf isn't a PDF file"):
        read_corpus(tmp_path)


def test_a_folder_without_documents(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"has no .txt .* files: it is empty"):
        read_corpus(tmp_path)
    (tmp_path / "a.jsonl").write_text("{}")
    with pytest.raises(SourceError, match=r"it holds .jsonl \(1\); name a single file"):
        read_corpus(tmp_path)


def test_latent_spaces_below_a_folder_are_passed_over(folder: Path) -> None:
    for marker in (FILE, IDENTITY, LOCK):
        inside = folder / f"deep/{marker}.space/encoder"
        inside.mkdir(parents=True)
        (inside.parent / marker).touch()
        (inside.parent / "card.md").write_text("# A card\n\nBody.")
        (inside / "vocab.txt").write_text("[PAD]")
    corpus = read_corpus(folder)
    assert len(corpus) == 6
    assert f"left out a latent space: {folder / 'deep' / FILE}.space" in corpus.report.notes
    with pytest.raises(SourceError, match=r"space.json.space is a latent space, not a folder of texts"):
        read_corpus(folder / f"deep/{FILE}.space")


@pytest.mark.parametrize("nothing", ["", " "])
def test_an_empty_path_is_not_the_folder_one_is_in(nothing: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SourceError, match="got an empty one"):
        read_corpus(nothing)
    assert len(read_corpus(".")) == 6


def test_a_single_page_is_a_corpus_of_one(folder: Path) -> None:
    assert [document.id for document in read_corpus(folder / "deep/b.md")] == ["b.md"]


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 200_000 + "x" + "</div>" * 200_000,
        "<ul><li>x" * 200_000,
        "<span><div></span>" * 200_000,  # the span stays open: a div is in the way
        "".join(f"<p><b id={number}></p>" for number in range(100_000)),  # each is opened again in the next paragraph
    ],
)
def test_a_page_that_would_keep_the_parser_for_minutes_is_refused(html: str, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(html)
    began = time.process_time()
    with pytest.raises(SourceError, match=r"a\.html nests its elements too deep"):
        read_corpus(tmp_path / "a.html")
    assert time.process_time() - began < 5


def test_a_long_page_is_not_a_deep_one(tmp_path: Path) -> None:
    cells = "<tr><td><font>cell</font>" * 60_000  # end tags that pages leave out
    script = "<script>" + "'<div>' + " * 60_000 + "</script><!--" + "<div>" * 60_000 + "-->"
    (tmp_path / "a.html").write_text(f"{script}<table>{cells}</table>" + "<div><p>text<br></div>" * 60_000)
    assert read_corpus(tmp_path / "a.html")[0].text.count("cell") == 60_000


def test_a_docx_bomb_is_refused_unopened(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(80 * 2**20))
    with pytest.raises(SourceError, match="unpacks to 80 MiB: refused as a decompression bomb"):
        read_corpus(tmp_path / "a.docx")


@pytest.mark.parametrize(("module", "name"), [("selectolax.lexbor", "x.html"), ("pypdf", "x.pdf"), ("docx", "x.docx")])
def test_a_missing_extra_says_how_to_get_it(
    module: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(MissingExtra, match=r"pip install 'tolman\[files\]'"):
        read_corpus(tmp_path)


def test_an_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)  # root may read anything, so the system's refusal is played
    with pytest.raises(SourceError, match=r"can't read the folder .*: Permission denied"):
        read_corpus(tmp_path)


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object) -> object:
        raise PermissionError(13, "Permission denied", str(self))

    (tmp_path / "a.csv").write_text("text\na\n")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SourceError, match=r"can't read .*a.csv: Permission denied"):
        read_corpus(tmp_path / "a.csv")
