"""What topics are about: the words and phrases that tell each from the rest, the best of them its name.

Class-based TF-IDF (Grootendorst 2022, arXiv:2203.05794) with two differences: documents are counted, not occurrences,
so that no long document names a topic alone; and a word weighs what it adds to the divergence of the topic from the
rest (Kullback-Leibler). Which words are too common to begin or end a phrase is seen from how evenly topics use them, in
any language.

Legend for shapes:
    N  documents
    P  parts
    W  words and phrases
"""

import itertools
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from tolman.models.encoder import Floats
from tolman.neighbours import Ints, Weights
from tolman.topics.function_words import FUNCTION_WORDS
from tolman.topics.graph import indicator

if TYPE_CHECKING:
    from scipy.sparse import csr_array

WORDS = 10
_NAMED_BY = 3
_CHARACTERS = 2_000  # of a document, from its beginning
_LEAST_DOCUMENTS = 2
_MOST_TERMS = 50_000  # each is counted in each topic
_LEAST_SHARE = 0.02  # of a topic's documents
_EVEN = 0.15  # of the bits that tell topics apart; a word that knows less is one that all topics use
_COMMON = 0.01  # share of all documents; a rarer word isn't common however even
_PHRASE_FOR_WORD = 0.5  # of the documents with the word have the phrase: then the phrase is shown for it
_MARKS = frozenset('.,;:!?()[]{}"“”\n|/\0')
_TOKEN = re.compile(r"[^\W\d_][\w'’-]*[^\W_]|[^\W\d_]|[.,;:!?()\[\]{}\"“”\n|/]+")
_END = "\0"  # of a document


class Vocabulary:
    """What documents say, read and counted once for all the divisions that are named by it.

    Words are in lower case and begin with a letter; no phrase goes over a punctuation mark.

    Attributes:
        words: of which documents.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
        read = [_read(text, numbers) for text in texts]
        read_T = np.concatenate(read) if read else np.empty(0, np.int64)
        owner_T = np.repeat(np.arange(len(read)), [len(own) for own in read])
        words = list(numbers)
        is_word_V = np.array([word[0] not in _MARKS for word in words], bool)
        at = np.flatnonzero(is_word_V[read_T])
        self.words = _Terms.standing(owner_T[at], read_T[at], len(read), words.__getitem__).only()
        self._phrases = _phrases(read_T, owner_T, len(read), words, is_word_V)

    def phrases(self, telling: frozenset[str]) -> "_Terms":
        """Two or three words in a row, the first and the last telling."""
        ends = (term.split(" ") for term in self._phrases.terms)
        return self._phrases.only(np.array([own[0] in telling and own[-1] in telling for own in ends], bool))

    def having(self, term: str) -> NDArray[np.bool_]:
        """(N,) whether a document has a word, or a phrase; none has one that stands in a single document."""
        found = self._phrases if " " in term else self.words
        place = bisect_left(found.terms, term)
        if found.terms[place : place + 1] != [term]:
            return np.zeros(found.there_NW.shape[0], bool)
        return np.asarray(found.there_NW[:, [place]].toarray()[:, 0] > 0)


def _read(text: str, numbers: defaultdict[str, int]) -> Ints:
    """Words and marks of a text's beginning, as numbers, and a mark at the end; new ones get theirs."""
    found = [*_TOKEN.findall(text[:_CHARACTERS].lower()), _END]
    return np.fromiter(map(numbers.__getitem__, found), np.int64, len(found))


def describe(said: Vocabulary, parts_N: Ints, parents_N: Ints | None = None) -> list[tuple[str, ...]]:
    """The words that tell each part best, the best first, at most ten.

    Args:
        said: by the documents.
        parts_N: from 0 on; -1: of no part.
        parents_N: parts of the level above; a part is then told from what its parent is about, too.
    """
    count = int(parts_N.max()) + 1 if len(parts_N) else 0
    if not count:
        return []
    singles = _Counts(said.words, parts_N, count)
    telling = singles.telling()
    phrases = _Counts(said.phrases(telling), parts_N, count)
    above_P = _parent_of(parts_N, parents_N, count)
    return [
        _choose(part, singles, telling, phrases, family_P)
        for part, family_P in enumerate([None] * count if above_P is None else above_P[:, None] == above_P)
    ]


def distinct(words: Sequence[Sequence[str]]) -> list[str]:
    """A name for each topic: its first words, and more of them where another has the same."""
    names: list[str] = []
    for its_words in words:
        longer = (", ".join(its_words[:count]) for count in range(_NAMED_BY, len(its_words) + 1))
        shortest = ", ".join(its_words[:_NAMED_BY])
        names.append(next((name for name in longer if name not in names), shortest))
    return names


class _Terms:
    """Words, or phrases, and the documents in which they stand.

    Attributes:
        terms: in alphabetical order; each in at least two documents.
        there_NW: one where a document has a term.
    """

    def __init__(self, terms: list[str], there_NW: "csr_array") -> None:
        self.terms, self.there_NW = terms, there_NW

    @classmethod
    def standing(cls, owners_P: Ints, terms_P: Ints, documents: int, spell: Callable[[int], str]) -> Self:
        """Terms, from where they stand.

        Args:
            owners_P: document of each place where a term stands.
            terms_P: which one, as a number.
            documents: how many there are.
            spell: the term by its number.
        """
        from scipy.sparse import csr_array

        count = int(terms_P.max(initial=-1)) + 1
        owners_P, terms_P = np.divmod(_distinct(owners_P * max(count, 1) + terms_P), max(count, 1))
        often = np.flatnonzero(np.bincount(terms_P, minlength=count) >= _LEAST_DOCUMENTS)
        spelled = [spell(number) for number in often.tolist()]
        order = sorted(range(len(often)), key=spelled.__getitem__)
        column_V = np.full(count, -1)
        column_V[often[order]] = np.arange(len(often))
        columns_P = column_V[terms_P]
        stands = columns_P >= 0
        starts = np.searchsorted(owners_P[stands], np.arange(documents + 1))
        shape = documents, len(often)
        there = csr_array((np.ones(int(stands.sum())), columns_P[stands], starts), shape)
        return cls([spelled[place] for place in order], there)

    def only(self, chosen_W: NDArray[np.bool_] | None = None) -> Self:
        """The commonest of those chosen, or of all, as many as are counted."""
        chosen = np.arange(len(self.terms)) if chosen_W is None else np.flatnonzero(chosen_W)
        if len(chosen) > _MOST_TERMS:
            many_W = np.asarray(self.there_NW.sum(axis=0)).ravel()[chosen]
            chosen = np.sort(chosen[np.argsort(-many_W, kind="stable")[:_MOST_TERMS]])
        return type(self)([self.terms[place] for place in chosen.tolist()], self.there_NW[:, chosen])


class _Counts:
    """In how many documents of each part each term stands."""

    def __init__(self, found: _Terms, parts_N: Ints, count: int) -> None:
        self.terms, self.total = found.terms, len(parts_N)
        self.sizes_P = np.bincount(parts_N[parts_N >= 0], minlength=count).astype(np.float64)
        self.counts_PW: Weights = (indicator(parts_N, count).T @ found.there_NW).toarray()
        self.all_W: Weights = np.asarray(found.there_NW.sum(axis=0), np.float64).ravel()

    def telling(self) -> frozenset[str]:
        """Words that are rare, or that some topics use more than others; no function words, no letters."""
        share_PW = (self.counts_PW + 0.5) / (self.counts_PW.sum(axis=0) + 0.5 * len(self.counts_PW))
        by_size_P1 = ((self.sizes_P + 0.5) / (self.sizes_P + 0.5).sum())[:, None]
        bits_W = (share_PW * np.log2(share_PW / by_size_P1)).sum(axis=0)
        size_P = by_size_P1[:, 0]
        chosen = (bits_W > _EVEN * -np.log2((size_P**2).sum())) | (self.all_W < _COMMON * self.total)
        if len(self.counts_PW) == 1:  # one topic uses every word evenly
            chosen = self.all_W < 0.5 * self.total
        return frozenset(term for term, tells in zip(self.terms, chosen, strict=True) if tells and _may_tell(term))

    def scores(self, part: int, family_P: NDArray[np.bool_] | None) -> tuple[Weights, Weights]:
        """(W,) share of the part's documents with each term, and what it tells about the part."""
        share_W = self.counts_PW[part] / max(self.sizes_P[part], 1)
        rest_W = (self.all_W - self.counts_PW[part] + 0.5) / (self.total - self.sizes_P[part] + 1)
        bits_W = np.log2(np.maximum(share_W, 1e-9) / rest_W)
        if family_P is not None and family_P.sum() > 1:
            within_W = self.counts_PW[family_P].sum(axis=0) - self.counts_PW[part]
            within_W = (within_W + 0.5) / (self.sizes_P[family_P].sum() - self.sizes_P[part] + 1)
            bits_W = (bits_W + np.log2(np.maximum(share_W, 1e-9) / within_W)) / 2
        if len(self.counts_PW) == 1:
            bits_W = np.ones(len(share_W))
        return share_W, share_W * bits_W


def _may_tell(word: str) -> bool:
    """Whether it is neither a function word nor a crumb, as are the letters of U.S."""
    return word not in FUNCTION_WORDS and not (len(word) == 1 and word.isascii())


def _distinct(numbers: Ints) -> Ints:
    """Each once, ascending; for whole numbers faster than NumPy's, which hashes them."""
    ascending = np.sort(numbers)
    fresh = np.concatenate([ascending[:1] == ascending[:1], ascending[1:] != ascending[:-1]])
    return np.asarray(ascending[fresh])


def _phrases(read_T: Ints, owner_T: Ints, documents: int, words: Sequence[str], is_word_V: NDArray[np.bool_]) -> _Terms:
    """Two or three words in a row that may be telling at both ends.

    Args:
        read_T: what was read, as numbers, documents end to end, with a mark after each.
        owner_T: document of each.
        documents: how many there are.
        words: by number, marks among them.
        is_word_V: whether it is no mark.
    """
    count = len(words)
    ends_V = is_word_V & np.array([_may_tell(word) for word in words], bool)
    begins = np.flatnonzero(ends_V[read_T[:-1]] & is_word_V[read_T[1:]])
    pairs, pair_B = np.unique(read_T[begins] * count + read_T[begins + 1], return_inverse=True)
    two = ends_V[read_T[begins + 1]]
    three = np.flatnonzero(is_word_V[read_T[begins + 1]] & ends_V[read_T[np.minimum(begins + 2, len(read_T) - 1)]])
    triples, triple_B = np.unique(pair_B[three] * count + read_T[begins[three] + 2], return_inverse=True)

    def spell(number: int) -> str:
        last = []
        if number >= len(pairs):
            number, third = divmod(int(triples[number - len(pairs)]), count)
            last = [words[third]]
        first, second = divmod(int(pairs[number]), count)
        return " ".join([words[first], words[second], *last])

    owners_P = np.concatenate([owner_T[begins[two]], owner_T[begins[three]]])
    return _Terms.standing(owners_P, np.concatenate([pair_B[two], triple_B + len(pairs)]), documents, spell)


def _choose(
    part: int, singles: _Counts, telling: frozenset[str], phrases: _Counts, family_P: NDArray[np.bool_] | None
) -> tuple[str, ...]:
    """Words in the order of what they tell, each given way to a phrase that mostly stands where it does."""
    least = max(_LEAST_SHARE, min(_LEAST_DOCUMENTS / max(singles.sizes_P[part], 1), 0.5))
    share_W, score_W = singles.scores(part, family_P)
    phrase_share_W, phrase_score_W = phrases.scores(part, family_P)
    common = [i for i in np.argsort(-phrase_score_W, kind="stable")[:200] if phrase_share_W[i] >= least]
    chosen: list[str] = []
    for i in np.argsort(-score_W, kind="stable"):
        word = singles.terms[i]
        if len(chosen) == WORDS or score_W[i] <= 0 or share_W[i] < least:
            break
        if word not in telling or _covered(word, chosen):
            continue
        longer = [j for j in common if word in phrases.terms[j].split(" ")]
        fitting = [j for j in longer if phrase_share_W[j] >= _PHRASE_FOR_WORD * share_W[i]]
        phrase = phrases.terms[fitting[0]] if fitting else word
        chosen.append(word if any(_covered(other, chosen) for other in phrase.split(" ")) else phrase)
    return tuple(chosen) or tuple(singles.terms[i] for i in np.argsort(-share_W, kind="stable")[:WORDS])


def _covered(word: str, chosen: Sequence[str]) -> bool:
    """Whether it, or another form of it, stands in what was chosen."""
    return any(_forms_of_one(word, other) for phrase in chosen for other in phrase.split(" "))


def _forms_of_one(first: str, second: str) -> bool:
    short, long = sorted((first, second), key=len)
    return long == short or (
        len(short) > 3 and len(long) - len(short) <= 3 and long.startswith(short[: max(4, len(short) - 1)])
    )


def _parent_of(parts_N: Ints, parents_N: Ints | None, count: int) -> Ints | None:
    if parents_N is None:
        return None
    there = parts_N >= 0
    above_P = np.full(count, -1)
    above_P[parts_N[there]] = parents_N[there]
    return above_P


def typical(vectors_ND: Floats, parts_N: Ints, most: int) -> list[Ints]:
    """Positions of the documents nearest to the middle of each part, the nearest first."""
    count = int(parts_N.max()) + 1
    middle_PD = np.asarray(indicator(parts_N, count).T @ vectors_ND)
    found = []
    for part in range(count):
        members = np.flatnonzero(parts_N == part)
        nearness = vectors_ND[members] @ middle_PD[part]
        found.append(members[np.argsort(-nearness, kind="stable")[:most]])
    return found
