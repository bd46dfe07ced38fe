"""Where words, sentences and passages of a text begin and end, in any script. Spans are (start, end) in characters."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

Span: TypeAlias = tuple[int, int]

# Scripts written without spaces between words: Thai, Lao, Myanmar, Khmer, kana, Han. Two characters count as a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Vowel signs and points that belong to a word though `\w` doesn't know them: Latin, Hebrew, Arabic, Indic.
_MARKS = "\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
_WORD = re.compile(rf"[{_UNSPACED}]{{1,2}}|(?:[^\W{_UNSPACED}]|[{_MARKS}])+")

_CLOSERS = "\"'”’»›)\\]}」』）】》〉"
_OPENERS = "\"'“‘«‹([{「『（【《〈"
_BORDER = re.compile(
    rf"""
      (?P<unspaced> [。！？｡।॥؟۔։።។៕။]+ (?P<closed>[{_CLOSERS}]*) )   # ends a sentence with no space after it
    | (?P<spaced> [.!?…]+ [{_CLOSERS}]* ) (?=\s)                      # ends one if what follows looks like a beginning
    | (?P<paragraph> \n [^\S\n]* \n \s* )
    | (?P<item> \n ) (?= [^\S\n]* (?: [-*•‣◦] | \d{{1,3}}[.)] | \#{{1,6}} ) \s )
    """,
    re.VERBOSE,
)
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")
_LAST_WORD = re.compile(r"[^\s(\[{«“\"']+$")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]|\d{1,2}")  # J · U.S · z.B · the German ordinal in "am 3. Oktober"
_SHORTEST_SURE_WORD = 4
_ABBREVIATIONS = frozenset(
    re.findall(
        r"\w+",
        """
        mr mrs ms dr prof st sr jr vs cf fig figs eq eqs nos vol vols pp eds approx dept col sgt capt lt rev hon gov rep
        jan feb apr jun jul aug sept sep oct nov dec
        bzw ca nr abs bspw evtl ggf inkl mio mrd vgl sog hr frl geb jh mme mlle mgr sra srta ud uds núm pág
        """,
    )
)


def words(text: str) -> list[Span]:
    """The words of `text`. Where a script has no spaces, every two characters count as one."""
    return [match.span() for match in _WORD.finditer(text)]


def written_words(text: str) -> list[str]:
    """The words of `text`, as they are written."""
    return _WORD.findall(text)


def gaps(text: str) -> list[str]:
    """What stands between each two words of `text`."""
    return _WORD.split(text)[1:-1]


def sentences(text: str) -> list[Span]:
    """The sentences of `text`, without the white space between them, in order.

    Cut after closing punctuation of any script (Latin full stops only where an abbreviation, an initial or an ordinal
    doesn't speak against it), at blank lines, and before list items and headings.
    """
    return list(iterate_sentences(text))


def iterate_sentences(text: str) -> Iterator[Span]:
    """`sentences`, one at a time: for who needs only the first few of a long text."""
    start = 0
    for border in _BORDER.finditer(text):
        if not _ends_sentence(text, border):
            continue
        kept = _trim(text, start, border.end())
        if kept:
            yield kept
        start = border.end()
    rest = _trim(text, start, len(text))
    if rest:
        yield rest


def _ends_sentence(text: str, border: re.Match[str]) -> bool:
    after = text[border.end() : border.end() + 1]
    if border["unspaced"]:
        # 「行くか？」と言った。 goes on after the quotation.
        return not border["closed"] or not after or after.isspace() or after in _OPENERS
    if border["spaced"] is None:
        return True
    mark, following = border["spaced"], text[border.end() : border.end() + 40].lstrip()
    small = following[:1].islower() or (following[1:2].islower() and following[0] in _OPENERS)
    if not mark.startswith(".") or mark.startswith(".."):
        return not small
    found = _LAST_WORD.search(text, max(0, border.start() - 24), border.start())
    if not found:
        return True  # tokenised text: a space before the full stop
    word = found[0]
    abbreviates = bool(_INITIALS.fullmatch(word)) or word.lower() in _ABBREVIATIONS
    # Text without capitals has sentences too; but then a short word is more likely an abbreviation.
    return not abbreviates and not (small and len(word) < _SHORTEST_SURE_WORD)


def _trim(text: str, start: int, end: int) -> Span | None:
    """The span without white space at its ends; None where nothing is left."""
    piece = text[start:end]
    left = start + len(piece) - len(piece.lstrip())
    right = start + len(piece.rstrip())
    return (left, right) if left < right else None


class _Piece(NamedTuple):
    start: int
    end: int
    tokens: int
    opens_paragraph: bool


def split_passages(text: str, count_tokens: Callable[[Sequence[str]], Sequence[int]], limit: int) -> list[Span]:
    """Cut `text` into passages of at most `limit` tokens: at paragraphs, else sentences, else lines and words.

    Args:
        text: of any length.
        count_tokens: how many tokens each of some texts has.
        limit: the most tokens of a passage, at least 1.

    Returns:
        Spans in order that together hold everything but white space. A single character of more than `limit` tokens
        stays whole.
    """
    sized = _halve_until_fitting(text, sentences(text), count_tokens, limit)
    packed = _pack(_mark_paragraphs(text, sized), limit)
    # Joined pieces may have a token more than their sum: what doesn't fit after all is halved again.
    return [(start, end) for start, end, _ in _halve_until_fitting(text, packed, count_tokens, limit)]


def _halve_until_fitting(
    text: str, spans: list[Span], count_tokens: Callable[[Sequence[str]], Sequence[int]], limit: int
) -> list[tuple[int, int, int]]:
    """(start, end, tokens) of every span, those of more than `limit` tokens cut in half as often as it takes."""
    fitting: list[tuple[int, int, int]] = []
    while spans:
        counts = count_tokens([text[start:end] for start, end in spans])
        too_long: list[Span] = []
        for (start, end), count in zip(spans, counts, strict=True):
            if count > limit and end - start > 1:
                too_long.append((start, end))
            else:
                fitting.append((start, end, count))
        spans = [half for span in too_long for half in _halve(text, *span)]
    return sorted(fitting)


def _halve(text: str, start: int, end: int) -> list[Span]:
    """Two parts of a span, cut near its middle: at a line's end, else a space, else between two characters."""
    middle, reach = (start + end) // 2, (end - start) // 4
    for separator in ("\n", " "):
        found = (text.rfind(separator, middle - reach, middle), text.find(separator, middle, middle + reach))
        cut = min((place for place in found if place >= 0), key=lambda place: abs(place - middle), default=-1)
        if cut > start:
            break
    else:
        cut = middle
        while cut < end - 1 and unicodedata.combining(text[cut]):
            cut += 1
    return [kept for kept in (_trim(text, start, cut), _trim(text, cut, end)) if kept]


def _mark_paragraphs(text: str, sized: list[tuple[int, int, int]]) -> list[_Piece]:
    pieces = [_Piece(start, end, count, False) for start, end, count in sized[:1]]
    for (_, before, _), (start, end, count) in pairwise(sized):
        pieces.append(_Piece(start, end, count, _PARAGRAPH.search(text, before, start) is not None))
    return pieces


def _pack(pieces: list[_Piece], limit: int) -> list[Span]:
    """Join neighbours up to `limit` tokens; a passage that is half full ends rather than break a paragraph."""
    paragraph_tokens = [0] * (len(pieces) + 1)  # from here to the end of the paragraph
    for at in range(len(pieces) - 1, -1, -1):
        ends = at + 1 == len(pieces) or pieces[at + 1].opens_paragraph
        paragraph_tokens[at] = pieces[at].tokens + (0 if ends else paragraph_tokens[at + 1])
    packed: list[Span] = []
    start, end, tokens = -1, -1, 0
    for at, piece in enumerate(pieces):
        full = tokens + piece.tokens > limit
        breaks = piece.opens_paragraph and tokens + paragraph_tokens[at] > limit and tokens * 2 >= limit
        if start >= 0 and (full or breaks):
            packed.append((start, end))
            start, tokens = -1, 0
        if start < 0:
            start = piece.start
        end = piece.end
        tokens += piece.tokens
    if start >= 0:
        packed.append((start, end))
    return packed
