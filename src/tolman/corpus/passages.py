"""Where sentences end, and how a long document is cut into passages. Any script; spans are in characters of the text."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]

# Ends of sentences: Latin and kin need white space behind them, CJK and fullwidth marks don't.
_END = re.compile(r"[.!?…؟۔।॥։]+[\"'”’»)\]]*(?=\s)|[。！？｡]+[」』”’）]*|\n\s*\n|\n(?=\s*[-*•\d]+[.)]?\s)")
_PARAGRAPH = re.compile(r"\n\s*\n")
_WORD_BORDER = re.compile(r"\s+|(?<=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])")
# A full stop behind these, or behind a single capital, ends no sentence.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'])(?:[A-Z]|\w(?:\.\w)+|[Vv]s|[Cc]f|[Aa]pprox|[Ff]igs?|[Ee]qs?|[Nn]os?|[Vv]ol|pp?|al|etc|Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|"
    r"Inc|Ltd|Co|Corp|bzw|usw|ca|Nr|vgl)\.$"
)
_LONGEST_ABBREVIATION = 10


def sentences(text: str) -> list[Span]:
    """Spans of the sentences of `text`, without the white space between them."""
    trimmed = (_trim(text, span) for span in _sentence_spans(text, 0, len(text)))
    return [span for span in trimmed if span[0] < span[1]]


def split_passages(text: str, count_tokens: Callable[[Sequence[str]], Sequence[int]], limit: int) -> list[Span]:
    """Cut `text` into passages of at most `limit` tokens: at paragraphs, else sentences, else words, else anywhere.

    Neighbouring pieces are put together as long as they fit, so there are as few passages as the borders allow.

    Args:
        text: any.
        count_tokens: tokens of each of several texts.
        limit: the most tokens of a passage.

    Returns:
        Spans in order, without the white space between them; one span where the text fits, none where it is blank.
    """
    whole = _trim(text, (0, len(text)))
    if whole[0] == whole[1]:
        return []
    counted = _within(text, whole, count_tokens, limit)
    return _joined(counted, limit)


def _within(
    text: str, span: Span, count_tokens: Callable[[Sequence[str]], Sequence[int]], limit: int
) -> list[tuple[Span, int]]:
    """Pieces with their tokens, each within the limit, cut no finer than needed."""
    settled: list[tuple[Span, int]] = []
    open_pieces = [(span, count_tokens([text[span[0] : span[1]]])[0])]
    for cut in (_paragraph_spans, _sentence_spans, _word_spans, _halves):
        if all(tokens <= limit for _, tokens in open_pieces):
            break
        settled = []
        for piece, tokens in open_pieces:
            if tokens <= limit:
                settled.append((piece, tokens))
                continue
            parts = [p for p in (_trim(text, s) for s in cut(text, *piece)) if p[0] < p[1]]
            counts = count_tokens([text[start:end] for start, end in parts])
            settled.extend(zip(parts, counts, strict=True))
        open_pieces = settled
    return open_pieces


def _joined(pieces: Sequence[tuple[Span, int]], limit: int) -> list[Span]:
    passages: list[Span] = []
    room = 0
    for (start, end), tokens in pieces:
        if passages and tokens < room:  # strictly: a border may cost a token
            passages[-1] = (passages[-1][0], end)
            room -= tokens + 1
        else:
            passages.append((start, end))
            room = limit - tokens
    return passages


def _paragraph_spans(text: str, start: int, end: int) -> Iterator[Span]:
    yield from _between(start, end, (match.end() for match in _PARAGRAPH.finditer(text, start, end)))


def _sentence_spans(text: str, start: int, end: int) -> Iterator[Span]:
    ends = (match.end() for match in _END.finditer(text, start, end) if not _abbreviates(text, match))
    yield from _between(start, end, ends)


def _word_spans(text: str, start: int, end: int) -> Iterator[Span]:
    yield from _between(start, end, (match.end() for match in _WORD_BORDER.finditer(text, start, end)))


def _halves(text: str, start: int, end: int) -> Iterator[Span]:
    """Single characters: for a "word" longer than a passage."""
    yield from ((at, at + 1) for at in range(start, end))


def _between(start: int, end: int, cuts: Iterator[int]) -> Iterator[Span]:
    for cut in cuts:
        if start < cut < end:
            yield start, cut
            start = cut
    if start < end:
        yield start, end


def _abbreviates(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.end() - _LONGEST_ABBREVIATION) : match.end()]
    return match.group().startswith(".") and _ABBREVIATION.search(before) is not None


def _trim(text: str, span: Span) -> Span:
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
