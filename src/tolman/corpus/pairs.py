"""What a document announces itself with, where nobody gave it a title."""

import re

from tolman.corpus.passages import Span, sentences

_FEWEST_WORDS, _MOST_WORDS, _FALLBACK_WORDS = 4, 25, 8
# Scripts without spaces: two characters are about a word.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{1,2}|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def lead(text: str) -> Span:
    """The first sentence of 4 to 25 words if the text begins with one, else its first 8 words."""
    first = next(iter(sentences(text)), (0, 0))
    if _FEWEST_WORDS <= len(_WORD.findall(text, *first)) <= _MOST_WORDS:
        return first
    words = [match.span() for _, match in zip(range(_FALLBACK_WORDS), _WORD.finditer(text), strict=False)]
    return (words[0][0], words[-1][1]) if words else (0, 0)


def heads_and_bodies(titles: list[str], texts: list[str]) -> tuple[list[str], list[str], str]:
    """The pairs that a corpus gives away for free, and what they are.

    (title, body) where at least half of the documents have a title, and then only of those; else (first sentence, rest).
    """
    titled = [(title, text) for title, text in zip(titles, texts, strict=True) if title]
    if len(titled) >= len(texts) / 2:
        return [title for title, _ in titled], [text for _, text in titled], "title and body"
    parts = [(text[start:end], text[end:].strip()) for text in texts for start, end in [lead(text)]]
    whole = [(head, rest) for head, rest in parts if head and rest]
    return [head for head, _ in whole], [rest for _, rest in whole], "first sentence and rest"
