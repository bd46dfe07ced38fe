"""What is done to every text before anything else sees it: one form for what looks the same, nothing that nobody sees.

Unicode NFC, so that "é" is one character however it was typed; control characters out; white space normalised. Line
breaks, paragraphs and indentation stay: they carry the structure of prose, lists and code.
"""

import re
import unicodedata

# What the quick look finds in a text that needs none of the slow steps.
_UNUSUAL = re.compile(r"[^\n -~]|  |\n\n\n| \n|^\s|\s$")
_LINE_BREAK = re.compile("\r\n?|[\u0085\u2028\v\f]")
# Controls, lone surrogates (which no file can hold), byte order marks, soft hyphens and marks of writing direction. The
# joiners U+200C and U+200D stay: Persian, Indic scripts and emoji spell with them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff\ufff9-\ufffb]"
)
_SPACES = re.compile(r"(?<=\S)[^\S\n]+")
_INDENTATION = re.compile(r"(?m)^[^\S\n]+")
_TRAILING = re.compile(r"(?m) +$")
_PARAGRAPH = re.compile(r"\n{3,}")
_TAB = 4


def clean_text(text: str) -> str:
    """`text` in NFC, without invisible characters; one space between words, one empty line between paragraphs."""
    if not _UNUSUAL.search(text):
        return text
    text = _LINE_BREAK.sub("\n", text.replace("\u2029", "\n\n").replace("\u200b", " "))
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    text = _INDENTATION.sub(lambda match: " " * len(match.group().expandtabs(_TAB)), text)
    text = _TRAILING.sub("", _SPACES.sub(" ", text))
    return _PARAGRAPH.sub("\n\n", text).strip()


def clean_line(text: str) -> str:
    """The same on one line: for titles, ids and labels."""
    return " ".join(clean_text(text).split())


def drop_surrogates(text: str) -> str:
    """`text` as it is, but for halves of characters, which UTF-8 can't hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
