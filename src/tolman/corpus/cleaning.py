"""What is done to every text before anything else sees it: one form for what looks the same, nothing that nobody sees.

Unicode NFC, so that "é" is one character however it was typed; control characters out; white space normalised. Line
breaks, paragraphs and indentation stay: they carry the structure of prose, lists and code. Every step first asks, by a
plain search, whether there is anything to do: most texts need nothing, and a regular expression is far slower.
"""

import re
import unicodedata

_LINE_BREAK = re.compile("\r\n?|[\u0085\u2028\v\f]")
# Controls, lone surrogates (which no file can hold), byte order marks, soft hyphens and marks of writing direction. The
# joiners U+200C and U+200D stay: Persian, Indic scripts and emoji spell with them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff\ufff9-\ufffb]"
)
_INDENTATION = re.compile(r"(?m)^[^\S\n]+")
_OTHER_SPACE = re.compile(r"[^\S\n ]")
_SPACES = re.compile(r"(?<=\S)  +")
_TRAILING = re.compile(r" +\n")
_EMPTY_LINES = re.compile(r"\n\n\n+")
_TAB = 4


def clean_text(text: str) -> str:
    """`text` in NFC, without invisible characters; one space between words, one empty line between paragraphs."""
    if not text.replace("\n", "").isprintable():
        text = _plain(text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if "  " in text:
        text = _SPACES.sub(" ", text)
    if " \n" in text:
        text = _TRAILING.sub("\n", text)
    if "\n\n\n" in text:
        text = _EMPTY_LINES.sub("\n\n", text)
    return text.strip()


def clean_line(text: str) -> str:
    """The same on one line: for titles, ids and labels."""
    return " ".join(clean_text(text).split())


def drop_surrogates(text: str) -> str:
    """`text` as it is, but for halves of characters, which UTF-8 can't hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _plain(text: str) -> str:
    """`text` with no control characters but line feeds, and no white space but these and spaces."""
    text = _LINE_BREAK.sub("\n", text.replace("\u2029", "\n\n").replace("\u200b", " "))
    text = _INVISIBLE.sub("", text)
    text = _INDENTATION.sub(lambda match: " " * len(match.group().expandtabs(_TAB)), text)
    return _OTHER_SPACE.sub(" ", text)
