"""Pairs that belong together, given away free by the structure of documents: what a learner learns from without labels.

Here are those that are visible in the text; spans of tokens are drawn in `tolman.objectives.contrastive`.
"""

from collections.abc import Sequence
from itertools import islice

from tolman.corpus.passages import Span, iterate_sentences, words

_LEAD_WORDS = (4, 25)  # a sentence that can stand for a title
_LEAD_FALLBACK = 8  # words, where the first sentence can't
_BEGINNING = 4_096  # characters


def lead(text: str) -> Span:
    """What a document without a title announces itself with: its first sentence if of 4 to 25 words, else 8 words."""
    for start, end in islice(iterate_sentences(text), 1):
        if _LEAD_WORDS[0] <= len(words(text[start:end])) <= _LEAD_WORDS[1]:
            return start, end
    found = words(text[:_BEGINNING])[:_LEAD_FALLBACK]
    return (found[0][0], found[-1][1]) if found else (0, 0)


def heads_and_bodies(titles: Sequence[str], texts: Sequence[str]) -> tuple[list[str], list[str], str]:
    """The pairs of a corpus, and what they are.

    (title, body) of those with a title where they are at least half; else (first sentence, rest).
    """
    titled = [(title, text) for title, text in zip(titles, texts, strict=True) if title]
    if len(titled) >= len(texts) / 2:
        return [title for title, _ in titled], [text for _, text in titled], "title and body"
    parts = [(text[start:end], text[end:].strip()) for text in texts for start, end in [lead(text)]]
    whole = [(head, rest) for head, rest in parts if head and rest]
    return [head for head, _ in whole], [rest for _, rest in whole], "first sentence and rest"
