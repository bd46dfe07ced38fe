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

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tolman.models.encoder import Floats
from tolman.neighbours import Ints, Weights
from tolman.topics.function_words import FUNCTION_WORDS
from tolman.topics.graph import indicator

WORDS = 10
_NAMED_BY = 3
_CHARACTERS = 2_000  # of a document, from its beginning
_LONGEST_PHRASE = 3
_LEAST_DOCUMENTS = 2
_MOST_TERMS = 50_000  # each is counted in each topic
_LEAST_SHARE = 0.02  # of a topic's documents
_EVEN = 0.15  # of the bits that tell topics apart; a word that knows less is one that all topics use
_COMMON = 0.01  # share of all documents; a rarer word isn't common however even
_PHRASE_FOR_WORD = 0.5  # of the documents with the word have the phrase: then the phrase is shown for it
_ALPHABETIC = re.compile(r"[^\W\d_][\w'’-]*[^\W_]|[^\W\d_]")
_CLAUSE = re.compile(r"[.,;:!?()\[\]{}\"“”\n|/]+")


def clauses(text: str) -> list[list[str]]:
    """The words of each stretch of `text` between punctuation marks, in lower case; nothing with a digit first."""
    found = (_ALPHABETIC.findall(clause) for clause in _CLAUSE.split(text[:_CHARACTERS].lower()))
    return [words for words in found if words]


class Vocabulary:
    """What documents say, read and counted once for all the divisions that are named by it.

    Attributes:
        clauses: of each document, see there.
        words: of which documents.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.clauses = [clauses(text) for text in texts]
        self.words = _Terms([{word for clause in each for word in clause} for each in self.clauses])

    def phrases(self, telling: frozenset[str]) -> "_Terms":
        """Two or three words in a row, the first and the last telling."""
        return _Terms([_phrases(each, telling) for each in self.clauses])


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
        terms: those in at least two documents, and in most.
        there_NW: one where a document has a term.
    """

    def __init__(self, terms_of: Sequence[set[str]]) -> None:
        from scipy.sparse import csr_array

        documents = Counter(term for terms in terms_of for term in terms)
        often = sorted((-many, term) for term, many in documents.items() if many >= _LEAST_DOCUMENTS)
        self.terms = sorted(term for _, term in often[:_MOST_TERMS])
        place = {term: i for i, term in enumerate(self.terms)}
        rows = [[place[term] for term in terms if term in place] for terms in terms_of]
        starts = np.cumsum([0, *map(len, rows)])
        columns = np.concatenate([np.empty(0, np.int64), *rows]).astype(np.int64)
        self.there_NW = csr_array((np.ones(len(columns)), columns, starts), (len(rows), len(self.terms)))


class _Counts:
    """In how many documents of each part each term stands."""

    def __init__(self, found: _Terms, parts_N: Ints, count: int) -> None:
        self.terms, self.total = found.terms, len(parts_N)
        self.sizes_P = np.bincount(parts_N[parts_N >= 0], minlength=count).astype(np.float64)
        self.counts_PW: Weights = (indicator(parts_N, count).T @ found.there_NW).toarray()
        self.all_W: Weights = np.asarray(found.there_NW.sum(axis=0), np.float64).ravel()

    def telling(self) -> frozenset[str]:
        """Words that are rare, or that some topics use more than others; no function words."""
        share_PW = (self.counts_PW + 0.5) / (self.counts_PW.sum(axis=0) + 0.5 * len(self.counts_PW))
        by_size_P1 = ((self.sizes_P + 0.5) / (self.sizes_P + 0.5).sum())[:, None]
        bits_W = (share_PW * np.log2(share_PW / by_size_P1)).sum(axis=0)
        size_P = by_size_P1[:, 0]
        chosen = (bits_W > _EVEN * -np.log2((size_P**2).sum())) | (self.all_W < _COMMON * self.total)
        if len(self.counts_PW) == 1:  # one topic uses every word evenly
            chosen = self.all_W < 0.5 * self.total
        told = frozenset(term for term, tells in zip(self.terms, chosen, strict=True) if tells)
        return told - FUNCTION_WORDS

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


def _phrases(clauses_: Sequence[Sequence[str]], telling: frozenset[str]) -> set[str]:
    """Two or three words in a row, the first and the last telling."""
    found = set()
    for clause in clauses_:
        ends = [word in telling for word in clause]
        for length in range(2, _LONGEST_PHRASE + 1):
            for start in range(len(clause) - length + 1):
                if ends[start] and ends[start + length - 1]:
                    found.add(" ".join(clause[start : start + length]))
    return found


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
