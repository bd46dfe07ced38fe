"""Where a word stands in the documents of a space.

Found are the word in any case, and the forms that the full-text index takes as the same word: a query for the one
finds the others, so their senses belong together. Which forms these are the index itself says: whatever has the same
hits with the same scores was indexed as one term. So it works in every language that the index stems. A sample of the
documents is read for them; a form that none of it has is not found.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tolman.corpus.passages import words
from tolman.errors import QueryError

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace

MOST_OCCURRENCES = 10_000
"""Of one word; of a more frequent one, those in documents drawn by the hash of their ids."""
AROUND = 400
"""Characters of the text on either side that are kept of a place."""
_SHARED_LETTERS = 3  # that two forms of a word begin with
_FORM_SAMPLE = 200  # documents in which forms are looked for
_MOST_FORMS_TRIED = 60
_COMPARED_HITS = 50
_COMPARISONS = 2  # comparative and superlative
_READ_TOGETHER = 1_024


@dataclass(frozen=True, slots=True)
class Place:
    """One occurrence of a word.

    Attributes:
        document: its id.
        start, end: in characters of the document's content: the title, a newline, the text; the text alone without a
            title.
        piece: of the content, around the word; the whole of a long document would be held as long as the place is.
        at: where the word begins in it.
    """

    document: str
    start: int
    end: int
    piece: str
    at: int

    @classmethod
    def of(cls, document: str, content: str, start: int, end: int) -> "Place":
        """The word at `start` to `end` of `content`."""
        first = max(0, start - AROUND)
        return cls(document, start, end, content[first : end + AROUND], start - first)

    @property
    def form(self) -> str:
        """The word as it stands there, in lower case."""
        return self.piece[self.at : self.at + self.end - self.start].lower()


@dataclass(frozen=True, slots=True)
class Places:
    """What was found of a word.

    Attributes:
        places: in the order of the documents' ids, then in that of the text; in no way that of the rows of the space.
        forms: of the word, the one that was asked for first.
        documents: how many have it.
        whole: False: there are more than `places`.
    """

    places: tuple[Place, ...]
    forms: tuple[str, ...]
    documents: int
    whole: bool


def one_word(word: object) -> str:
    """`word` in lower case, if it is one.

    Raises:
        QueryError: it is empty, no text, or several words.
    """
    if not isinstance(word, str) or not word.strip():
        raise QueryError(f"expected a word, got {word!r}")
    word = word.strip()
    spans = words(word)
    apart = any(left != right for (_, left), (right, _) in pairwise(spans))
    if not spans or spans[0][0] > 0 or spans[-1][1] < len(word) or apart:
        raise QueryError(
            f"expected one word, of letters and digits, got {word[:60]!r}: ask for the senses of one at a time"
        )
    return word.lower()


def find_places(space: "LatentSpace", word: str, *, exact: bool = False, limit: int = MOST_OCCURRENCES) -> Places:
    """Occurrences of `word` in `space`; none is no error here.

    Args:
        space: where.
        word: as `one_word` gives it.
        exact: only this form, in any case.
        limit: documents are taken until they hold so many occurrences.
    """
    compared = () if exact else _compared_forms(space, word)
    positions = np.unique(np.concatenate([_documents_with(space, form) for form in (word, *compared)]))
    names = space.store.take(positions, ["id"])["id"].to_pylist()
    drawn = [int(positions[i]) for i in sorted(range(len(names)), key=lambda i: _draw(names[i]))]
    forms = (word,) if exact else (*_forms(space, word, drawn[:_FORM_SAMPLE]), *compared)
    pattern = pattern_of(forms)
    places: list[Place] = []
    with_it, seen = 0, 0
    for block in range(0, len(drawn), _READ_TOGETHER):
        if len(places) >= limit:
            break
        for document, content in _read(space, drawn[block : block + _READ_TOGETHER]):
            found = [Place.of(document, content, *match.span()) for match in pattern.finditer(content)]
            with_it, seen = with_it + bool(found), seen + 1
            places += found if len(places) < limit else []
    places.sort(key=lambda place: (place.document, place.start))
    whole = seen == len(drawn) and len(places) < limit
    return Places(tuple(places), forms, with_it if whole else max(with_it, len(drawn)), whole)


def draw_places(space: "LatentSpace", most: int) -> list[Place]:
    """A place in each of at most `most` documents: the word in the middle of it."""
    ids = space.store.read(["id"])["id"].to_pylist()
    drawn = sorted(range(len(ids)), key=lambda position: _draw(ids[position]))[:most]
    places = []
    for document, content in _read(space, drawn):
        spans = words(content)
        if spans:
            places.append(Place.of(document, content, *spans[len(spans) // 2]))
    return places


def pattern_of(forms: Iterable[str]) -> re.Pattern[str]:
    """What finds any of these forms in a text; inside no other word, where words have borders."""
    longest_first = sorted(map(re.escape, forms), key=len, reverse=True)
    spaced = [form for form in longest_first if len(words(form.replace("\\", ""))) == 1]
    borders = r"(?<![^\W_])" if spaced else "", r"(?![^\W_])" if spaced else ""
    return re.compile(f"{borders[0]}(?:{'|'.join(longest_first)}){borders[1]}", re.IGNORECASE)


def _draw(document: str) -> bytes:
    """What documents are drawn by: the same ones however they lie in the space."""
    return hashlib.blake2b(document.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _documents_with(space: "LatentSpace", word: str) -> np.ndarray:
    """Positions of the documents that may have it."""
    positions, _ = space.store.lexical(word, max(len(space), 1))
    return positions if len(positions) else _scan(space, word)


def _scan(space: "LatentSpace", word: str) -> np.ndarray:
    """The same for what the full text passes over, such as `may` and `will` in English: every document is read."""
    pattern, found, start = pattern_of([word]), [], 0
    for batch in space.store.batches(["title", "text"]):
        rows = zip(batch["title"].to_pylist(), batch["text"].to_pylist(), strict=True)
        found += [start + i for i, row in enumerate(rows) if any(pattern.search(part or "") for part in row)]
        start += len(batch)
    return np.array(found, np.int64)


def _read(space: "LatentSpace", positions: Sequence[int]) -> Iterator[tuple[str, str]]:
    rows = space.store.take(positions, ["id", "title", "text"]).to_pylist()
    for row in rows:
        yield row["id"], f"{row['title']}\n{row['text']}" if row["title"] else row["text"]


def _forms(space: "LatentSpace", word: str, positions: Sequence[int]) -> tuple[str, ...]:
    """`word`, and what the index takes as the same, as far as a sample of the documents shows it."""
    contents = [{content[start:end].lower() for start, end in words(content)} for _, content in _read(space, positions)]
    counts = Counter(form for content in contents for form in content if form.startswith(word[:_SHARED_LETTERS]))
    tried = sorted(counts.keys() - {word}, key=lambda form: (-counts[form], form))[:_MOST_FORMS_TRIED]
    own, forms = _hits(space, word), [word]
    for form in tried if own[0] and len(word) >= _SHARED_LETTERS else ():
        # The index found a document for the word in which none but this form can be it: else two words that always
        # stand together would be taken as one.
        alone = any(form in content and content.isdisjoint(forms) for content in contents)
        if alone and _hits(space, form) == own:
            forms.append(form)
    return tuple(forms)


def _compared_forms(space: "LatentSpace", word: str) -> tuple[str, ...]:
    """Comparative and superlative of an English adjective, which no stemmer knows; both or neither, for `server` is no
    comparative of `serve`."""
    if space.description.corpus.language != "English" or not word.isascii():
        return ()
    stem = word.removesuffix("e")
    stem = f"{stem[:-1]}i" if stem.endswith("y") else stem
    forms = [form for form in (f"{stem}er", f"{stem}est") if len(space.store.lexical(form, 1)[0])]
    return tuple(forms) if len(forms) == _COMPARISONS else ()


def _hits(space: "LatentSpace", form: str) -> tuple[list[int], list[float]]:
    positions, scores = space.store.lexical(form, _COMPARED_HITS)
    order = np.lexsort((positions, -scores))
    return positions[order].tolist(), scores[order].tolist()
