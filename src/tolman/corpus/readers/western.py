"""Whether single-byte text is western: Windows-1252, or what its bytes would rather be.

Two things tell. Other scripts spell whole words above ASCII, which western languages never do. Other Latin alphabets
put their letters where Windows-1252 has letters too, so the text must be likelier in a western language than in any of
theirs; which letters a language uses, and how often, is enough for that.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache

WESTERN = "cp1252"
# Letters above ASCII of each language, and roughly how many there are in 10,000 of its letters.
# https://en.wikipedia.org/wiki/Letter_frequency
_WESTERN = (
    "ä60 ö30 ü70 ß30",
    "é190 è30 à50 ê20 ç10 ù6 â5 î5 ô3 û6 ë1 ï1 œ2",
    "á50 é40 í70 ó80 ú20 ñ30 ü1",
    "ã70 á12 é34 ç53 ó30 ê45 í13 à7 â6 õ6 ú4 ô2 ü1",
    "à60 è30 ù16 ò5 ì5 é4",
    "é10 ë10 ï4 ü2 ö2 è2 ê1",
    "ä180 å130 ö130 é3",
    "ø90 å120 æ90 é3",
    "ä360 ö40 å1",
    "á180 ð440 é60 í160 ó100 ú60 ý20 þ150 æ90 ö80",
    "á120 ð200 í140 ó100 ú60 ý50 æ60 ø70",
    "à100 è50 é70 í70 ó80 ò40 ú20 ç20 ï10 ü3",
    "ä110 õ100 ö20 ü60 š1 ž1",
    "á100 í100 ó50 ú50 é60",
    "ë800 ç100",
    "é5 á1 à1 â1 ä1 ã1 å1 ç1 è1 ê1 ë1 í1 ì1 î1 ï1 ñ1 ó1 ò1 ô1 ö1 õ1 ø1 ú1 ù1 û1 ü1 š1 ž1",  # names and loan words
)
_CENTRAL = (
    "ą100 ć40 ę110 ł180 ń20 ó90 ś70 ź6 ż80",
    "á220 č100 ď2 é130 ě160 í330 ň1 ó2 ř120 š80 ť2 ú10 ů70 ý110 ž100",
    "á180 č120 ď40 é80 í90 ľ40 ň20 ó10 ô20 š90 ť80 ú90 ý90 ž90 ä3",
    "á340 é390 í60 ó90 ö80 ő90 ú20 ü60 ű30",
    "ă250 â90 î70 ş100 ţ90",
    "č100 ć60 đ30 š90 ž60",
)
_LANGUAGES: Mapping[str, tuple[str, ...]] = {
    WESTERN: _WESTERN,
    "cp1250": _CENTRAL,
    "iso-8859-2": _CENTRAL,
    "cp1254": ("ı510 ş180 ğ110 ç120 ö80 ü190 İ30 â3",),
    "cp1257": (
        "ą60 č40 ė150 ę20 į60 š120 ų130 ū40 ž80",
        "ā380 ē180 ī180 ū50 š80 ņ50 ļ40 ķ10 ž20 ģ10 č10",
    ),
}
_CAPITALS = 0.1  # of a letter are written so
_UNUSUAL = math.log(0.002)  # how probable a letter is that the language doesn't have
_SURE = 3.0  # nats by which another encoding must be likelier
_FOREIGN_WORD = re.compile(rb"(?=[\xa1-\xbf]*[\xc0-\xff])[\xa1-\xff]{5,}")
_MOST_IN_FOREIGN_WORDS = 0.1
# Signs of Windows-1252, but letters elsewhere: they count where they stand between letters.
_SIGN = rb"(?<=[A-Za-z\xc0-\xff])[\xa1-\xbf](?=[A-Za-z\xc0-\xff])"
_SPECIAL = re.compile(_SIGN + rb"|[\x80-\x9f\xc0-\xff]")


class WesternText:
    """Evidence for and against Windows-1252, line by line.

    Attributes:
        special: bytes above ASCII so far.
    """

    def __init__(self) -> None:
        self.special = self._in_foreign_words = 0
        self._likelihood = dict.fromkeys(_LANGUAGES, 0.0)

    def add(self, line: bytes) -> None:
        """Take a line into account."""
        self.special += len(line) - len(line.translate(None, bytes(range(128, 256))))
        self._in_foreign_words += sum(map(len, _FOREIGN_WORD.findall(line)))
        letters = _letters()
        counts = Counter(byte for byte in _SPECIAL.findall(line) if byte in letters)
        for encoding, languages in _models().items():
            # A file may hold many languages, in one encoding.
            self._likelihood[encoding] += max(_log_likelihood(counts, language) for language in languages)

    def contradiction(self) -> str:
        """Why it isn't western; "" if it may be."""
        if self._in_foreign_words > _MOST_IN_FOREIGN_WORDS * self.special:
            return "it has words of another script"
        likeliest = max(self._likelihood, key=self._likelihood.__getitem__)
        if self._likelihood[likeliest] > self._likelihood[WESTERN] + _SURE:
            return f"it looks like {likeliest}"
        return ""


def _log_likelihood(counts: Mapping[bytes, int], language: Mapping[bytes, float]) -> float:
    return sum(count * language.get(byte, _UNUSUAL) for byte, count in counts.items())


@cache
def _models() -> Mapping[str, tuple[Mapping[bytes, float], ...]]:
    """Encoding -> for each of its languages the log-probability of every byte that is a letter of it."""
    return {encoding: tuple(_model(one, encoding) for one in known) for encoding, known in _LANGUAGES.items()}


@cache
def _letters() -> frozenset[bytes]:
    """Bytes that are a letter of any language here: all others tell nothing."""
    return frozenset(byte for models in _models().values() for model in models for byte in model)


def _model(language: str, encoding: str) -> Mapping[bytes, float]:
    often = {entry[0]: float(entry[1:]) for entry in language.split()}
    often |= {x.upper(): n * _CAPITALS for x, n in often.items() if x.upper() not in often and len(x.upper()) == 1}
    encoded = {letter.encode(encoding, "ignore"): count for letter, count in often.items()}
    total = sum(count for letter, count in encoded.items() if letter)
    return {
        letter: math.log(count / total) for letter, count in encoded.items() if len(letter) == 1 and letter[0] > 127
    }
