"""A judge without labels: how well does an encoder find a document by what was taken out of it?

Before any learner sees the corpus, some documents lose their title (where a corpus has none: the first sentence, or its
first words) and one sentence. Both become questions, the document they came from the right answer. Every candidate is
asked the same questions, so candidates are compared pair by pair.

A question is graded by the logarithm of its right answer's place, between the first few, which hardly differ, and a
depth beyond which an answer is lost; not by nDCG@10. People's questions have many right answers, most of them further
from the question than the document it was cut from: who finds that one first is not who finds the others. Places count
in the whole corpus, though only a part of it is ranked. The questions of a document make one grade, so that documents
with a sentence to spare don't count twice. Decision 0005 in docs/decisions compares.

Of short texts without titles, questions are how they begin and right answers how they go on, two parts that hardly
share a word. People's questions do share words with their answers, so what such questions say of BM25 is not to be
relied on; the exam says so by `natural`.

Two things would turn such a judge round, and are taken out: a title that stands on other documents too (a thread's
replies: who learned the siblings knows the answer), with copies of the title inside its own text; and documents that
nearly equal the right one, which are left unranked for its question.

Legend for shapes:
    A  documents that questions were taken from
    N  documents that are ranked
    Q  questions, at most two of each of the A: first A heads, then S sentences
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tolman.corpus.pairs import lead
from tolman.corpus.passages import sentences
from tolman.models.encoder import Encoder, Floats

Rows: TypeAlias = NDArray[np.int64]

MOST_ASKED = 300  # documents
FEWEST_ASKED = 20
_LARGEST_SHARE = 0.25  # of the documents; more would starve the learner of titles
_FEWEST_WORDS_LEFT = 8
_TWIN_COSINE = 0.5
_CUT = 10
_NEAR, _LOST = 10, 100  # places before which an answer is found, and beyond which it isn't
_SHORT = 40  # words
_FEWEST_WORDS_ASKED = 2, 4  # of a head, of a sentence
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Exam:
    """Questions, and what learners and candidates may see of the documents.

    Attributes:
        titles, texts: of all documents, with what was taken out gone; learn from these.
        answers: row of each document that lost something (A,).
        heads: the title, or lead, that each of them lost.
        sentences: the sentence that each of them lost; "" where none could be spared.
        natural: whether the questions share words with their answers as people's do.
    """

    titles: list[str]
    texts: list[str]
    answers: Rows
    heads: list[str]
    sentences: list[str]
    natural: bool = True

    def __len__(self) -> int:
        """A."""
        return len(self.answers)

    @property
    def contents(self) -> list[str]:
        """Title and text of every document, as the candidates may see them."""
        return [f"{title}\n{text}" if title else text for title, text in zip(self.titles, self.texts, strict=True)]

    def pool(self, size: int, seed: int) -> "Pool":
        """The right documents and others drawn at random, `size` in all; every head is asked, and every sentence."""
        others = np.setdiff1d(np.arange(len(self.texts)), self.answers)
        drawn = np.random.default_rng([seed, 1]).permutation(others)[: max(0, size - len(self.answers))]
        rows = np.concatenate([self.answers, np.sort(drawn)])
        contents = self.contents
        pooled = [contents[row] for row in rows]
        asked = [(head, place) for place, head in enumerate(self.heads)]
        asked += [(sentence, place) for place, sentence in enumerate(self.sentences) if sentence]
        answers = np.array([place for _, place in asked], np.int64)
        questions = [question for question, _ in asked]
        twins = _twins(pooled, len(self.answers))
        return Pool(rows, pooled, questions, answers, twins, len(self.texts), self.natural)


@dataclass(frozen=True)
class Pool:
    """Documents that questions are asked over; the first A of them are the right answers.

    Attributes:
        rows: of the documents in the exam (N,).
        contents: their texts.
        questions: Q of them.
        answers: column of the right document of each question (Q,).
        twins: (A, N), true where a document so resembles a right one that it is left unranked.
        documents: of the corpus that the N were drawn from.
        natural: see `Exam`.
    """

    rows: Rows
    contents: list[str]
    questions: list[str]
    answers: Rows
    twins: NDArray[np.bool_]
    documents: int
    natural: bool = True

    @property
    def heads(self) -> int:
        """A: so many of the questions, from the first, are heads; the others are sentences."""
        return len(self.twins)

    def grade(self, encoder: Encoder) -> Floats:
        """`grade_scores` of the cosines of `encoder` (A,)."""
        return self.grade_scores(self.cosines(encoder))

    def cosines(self, encoder: Encoder) -> Floats:
        """Of every question and document (Q, N)."""
        return encoder.encode(self.questions, "query") @ encoder.encode(self.contents, "document").T

    def grade_scores(self, scores_QN: Floats) -> Floats:
        """1 where the questions of a document find it first, falling to 0 where it is lost (A,)."""
        heads_A, sentences_S = np.split(self.grade_questions(scores_QN), [self.heads])
        grades_A, both_S = heads_A.copy(), self.answers[self.heads :]
        grades_A[both_S] = (heads_A[both_S] + sentences_S) / 2
        return grades_A

    def grade_questions(self, scores_QN: Floats) -> Floats:
        """The same for each question alone (Q,)."""
        places_Q = self.ahead(scores_QN) * self.documents / len(self.contents)
        lost_Q = np.log1p(np.minimum(places_Q, _LOST) / _NEAR) / np.log1p(_LOST / _NEAR)
        return np.asarray(1 - lost_Q, np.float32)

    def ndcg(self, scores_QN: Floats) -> float:
        """Mean nDCG@10: for people, who know that number."""
        ahead_Q = self.ahead(scores_QN)
        return float(np.where(ahead_Q < _CUT, 1 / np.log2(ahead_Q + 2), 0.0).mean())

    def ahead(self, scores_QN: Floats) -> NDArray[np.float64]:
        """How many documents stand before the right answer of each question (Q,); a tie counts half."""
        own_Q1 = np.take_along_axis(scores_QN, self.answers[:, None], axis=1)
        rivals_QN = np.where(self.twins[self.answers], -np.inf, scores_QN)
        ahead_Q: NDArray[np.float64] = (rivals_QN > own_Q1).sum(axis=1) + 0.5 * ((rivals_QN == own_Q1).sum(axis=1) - 1)
        return ahead_Q


def set_exam(titles: Sequence[str], texts: Sequence[str], *, seed: int) -> Exam:
    """Take questions out of a corpus. One with too few suitable documents gives an exam without questions."""
    generator = np.random.default_rng([seed, 0])
    kept_titles, kept_texts = list(titles), list(texts)
    heads: list[str] = []
    answers: list[int] = []
    lost: list[str] = []
    candidates = _unique_titled(titles)
    titled = len(candidates) >= FEWEST_ASKED
    if not titled:
        candidates = np.arange(len(texts))
    natural = titled or _usual_length(texts) >= _SHORT
    wanted = min(MOST_ASKED, int(_LARGEST_SHARE * len(texts)))
    for row in generator.permutation(candidates):
        if len(heads) == wanted:
            break
        taken = _take_question(titles[row], texts[row], generator)
        if taken is None:
            continue
        head, kept_texts[row], sentence = taken
        kept_titles[row] = ""
        heads.append(head)
        answers.append(int(row))
        lost.append(sentence)
    if len(heads) < FEWEST_ASKED:
        return Exam(list(titles), list(texts), np.empty(0, np.int64), [], [], natural)
    return Exam(kept_titles, kept_texts, np.array(answers, np.int64), heads, lost, natural)


def _take_question(title: str, text: str, generator: np.random.Generator) -> tuple[str, str, str] | None:
    """(head, what is left of the text, the sentence it lost); None where too little would be left."""
    if title:
        head, rest = title, _without_copy(title, text)
    else:
        start, end = lead(text)
        head, rest = text[start:end], text[end:].strip()
    spans = sentences(rest)
    telling = [span for span in spans if len(_words(rest[slice(*span)])) >= _FEWEST_WORDS_ASKED[1]]
    lost = ""
    if len(spans) > 2 and telling:
        start, end = telling[generator.integers(len(telling))]
        lost = rest[start:end]
        rest = f"{rest[:start].rstrip()} {rest[end:].lstrip()}".strip()
    if len(_words(rest)) < _FEWEST_WORDS_LEFT or len(_words(head)) < _FEWEST_WORDS_ASKED[0]:
        return None
    return head, rest, lost


def _usual_length(texts: Sequence[str]) -> float:
    """Median number of words, of a sample."""
    return float(np.median([len(_words(text)) for text in texts[:: 1 + len(texts) // 2_000]]))


def _unique_titled(titles: Sequence[str]) -> Rows:
    keys = [" ".join(_words(title)) for title in titles]
    count = Counter(keys)
    return np.array([row for row, key in enumerate(keys) if key and count[key] == 1], np.int64)


def _without_copy(title: str, text: str) -> str:
    """The text without the title it begins with, in whatever case and punctuation."""
    words = _words(title)
    found = list(_WORD.finditer(text[: 4 * len(title) + 40]))[: len(words)]
    if words and [match.group().lower() for match in found] == words:
        return text[found[-1].end() :].lstrip(" .,:;-\n\t")
    return text


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _twins(contents: Sequence[str], answers: int) -> NDArray[np.bool_]:
    """(A, N): tf-idf cosine above the limit, the right answer itself left out."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    weighted_NV = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True).fit_transform(contents)
    alike_AN = (weighted_NV[:answers] @ weighted_NV.T).toarray() > _TWIN_COSINE
    alike_AN[np.arange(answers), np.arange(answers)] = False
    return np.asarray(alike_AN)
