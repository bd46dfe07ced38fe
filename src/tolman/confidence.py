"""How sure a search is: of each hit, and that there is an answer at all.

A hit's confidence is P(relevant) when relevant and random documents were equally likely: a logistic regression fitted
without labels, on questions taken out of the corpus (see `judge`), each with its document and with random ones.

Answerability is P(the space holds an answer), "nothing relevant found" is said where it is under one half. What tells
is coverage: how much of what the words of the query could score at best stands together in one document. The words of
a foreign question are unknown, or known but strewn over documents that have nothing to do with each other; a topic of
one word that some document has is covered whole. The same coverage is worth more the more words there are, and where
the documents are near. Nearness counts in units of the corpus's own questions. So only these units and the words that
the full text passes over are the corpus's own: the weights are the same everywhere, for fitted corpus by corpus, on
what its own titles and sentences are like, they did worse (docs/decisions/0007 has the comparison).

An encoder that knows the language may find what shares no word with the query. There nearness tells by itself, where
it is that of the corpus's own questions.

Platt 1999 for the logistic form; refusal by threshold as in Geifman and El-Yaniv 2017 (arXiv:1705.08500), without
labels.

Legend for shapes:
    M  (query, document) pairs
    Q  questions
    N  documents
    P  documents drawn for a question, of them R at random
    F  features
    W  words of a query
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tolman.corpus.passages import words
from tolman.metrics import expected_calibration_error

Numbers: TypeAlias = NDArray[np.floating[Any]]

NEAREST = 3
"""Documents whose mean cosine is the nearness of a question in the fit: a topic may have no more."""
_RAREST = 1.5  # times the largest idf: about what a word that nobody knows would score where it stood
_MOST_WORDS = 20  # from there on the coverage of foreign text hardly falls any more
_FARTHEST = 4.0  # spreads; what is farther than that says no more
_RANDOM_PER_QUESTION = 20
_FOLDS = 5
_LEAST_SPREAD = 1e-6
_LEAST_NEAR_SPREAD = 0.02  # of cosines
_FEWEST_OF_A_KIND = 20  # questions


@dataclass(frozen=True)
class Logistic:
    """P(yes) = sigmoid(bias + weights . features)."""

    weights: tuple[float, ...]
    bias: float

    def __call__(self, features_MF: Numbers) -> Numbers:
        """Probabilities (M,)."""
        logits_M = features_MF @ np.asarray(self.weights) + self.bias
        return np.asarray(1 / (1 + np.exp(-np.clip(logits_M, -30, 30))))

    @classmethod
    def fit(cls, features_MF: Numbers, outcomes_M: NDArray[np.bool_]) -> "Logistic":
        """Both outcomes weigh the same, however often they stand in the data."""
        from sklearn.linear_model import LogisticRegression

        mean_F, spread_F = features_MF.mean(axis=0), features_MF.std(axis=0)
        spread_F[spread_F < _LEAST_SPREAD] = np.inf  # what never varied says nothing about a query in which it does
        model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)
        model.fit((features_MF - mean_F) / spread_F, outcomes_M)
        weights_F = model.coef_[0] / spread_F
        return cls(tuple(float(w) for w in weights_F), float(model.intercept_[0] - weights_F @ mean_F))


_ANSWER = Logistic((0.6, 11.0, 1.7), -7.0)  # of (nearness, coverage, log words); docs/decisions/0007
_NEAR_ALONE = Logistic((2.0,), 0.0)
_THRESHOLD = 0.5
_SHORT_THRESHOLD = 0.15  # where documents are short: none holds much of a long question


@dataclass(frozen=True)
class Evidence:
    """What a query found, all documents that were considered taken together.

    Attributes:
        near: `Confidence.nearness`.
        coverage: see `coverage`.
        words: how many of the query's words tell, see `telling_words`.
        alone: whether nearness may tell by itself, for the encoder knows words that the corpus doesn't.
    """

    near: float
    coverage: float
    words: int
    alone: bool = False


@dataclass(frozen=True)
class Confidence:
    """Fitted once for a space, kept in its space.json.

    Attributes:
        hit: P(relevant) from cosine, BM25 and the words of the query.
        answer: P(there is an answer) from nearness, coverage and the number of words.
        threshold: answerability under which nothing relevant was found.
        words: fewest and most words of the questions it was fitted on; shorter and longer queries count as these.
        calibration_error: expected calibration error of `hit` on questions that its fit had not seen.
        near: the usual nearness of the corpus's own questions, and its spread.
        documents: among which these questions were asked.
        passed_over: common words that the full text doesn't search for, in lower case.
    """

    hit: Logistic
    answer: Logistic
    threshold: float
    words: tuple[int, int]
    calibration_error: float
    near: tuple[float, float]
    documents: int
    passed_over: tuple[str, ...] = ()

    def of_ranking(
        self, cosines_M: Numbers, lexical_M: Numbers, evidence: Evidence, *, words: int, documents: int
    ) -> tuple[Numbers, bool]:
        """Confidence of each hit of a query (M,), and whether anything relevant was found.

        `evidence` is of all documents that were considered, not only the hits. Where nothing relevant was found every
        hit is doubted, and none gets more than an even chance: a foreign question has a nearest document too.
        """
        hits_M = self.of_hits(cosines_M, lexical_M, words=words, documents=documents)
        answer, found = self.of_answer(evidence)
        return (hits_M if found else hits_M * 0.5 * answer / self.threshold), found

    def of_hits(self, cosines_M: Numbers, lexical_M: Numbers, *, words: int, documents: int) -> Numbers:
        """P(relevant) of each (query, document) pair (M,), taken by itself.

        Args:
            cosines_M: of query and document.
            lexical_M: BM25 scores, 0 where no word is shared.
            words: of the query; fewer and more than in the fit count as the fewest and most there.
            documents: in the space, for BM25 grows with their number.
        """
        words_M = np.full(len(cosines_M), min(max(words, self.words[0]), self.words[1]))
        return self.hit(_hit_features(cosines_M, lexical_M, words_M, documents))

    def of_answer(self, evidence: Evidence) -> tuple[float, bool]:
        """P(the space holds an answer); whether that is enough to say so."""
        usual, spread = self.near
        near = float(np.clip((evidence.near - usual) / spread, -_FARTHEST, _FARTHEST))
        length = np.log(min(max(evidence.words, 1), _MOST_WORDS))
        probability = float(self.answer(np.array([near, evidence.coverage, length])))
        if evidence.alone:
            probability = max(probability, float(_NEAR_ALONE(np.array([near]))))
        return probability, probability >= self.threshold

    def nearness(self, cosines_QN: Numbers, documents: int) -> Numbers:
        """`nearness` to so many of the space's `documents` as stand for `NEAREST` in the fit: among more documents
        some are nearer by accident."""
        return nearness(cosines_QN, max(NEAREST, round(NEAREST * documents / self.documents)))

    def to_json(self) -> dict[str, Any]:
        """For space.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Confidence":
        """What `to_json` wrote."""
        fitted = {name: Logistic(tuple(stored[name]["weights"]), stored[name]["bias"]) for name in _LOGISTICS}
        return cls(
            **fitted,
            threshold=stored["threshold"],
            words=(int(stored["words"][0]), int(stored["words"][1])),
            calibration_error=stored["calibration_error"],
            near=(float(stored["near"][0]), float(stored["near"][1])),
            documents=int(stored["documents"]),
            passed_over=tuple(stored["passed_over"]),
        )


_LOGISTICS = ("hit", "answer")


def nearness(cosines_QN: Numbers, nearest: int = NEAREST) -> Numbers:
    """Mean cosine of the nearest documents of each query (Q,); 0 where there are none."""
    near = min(nearest, cosines_QN.shape[1])
    if not near:
        return np.zeros(len(cosines_QN))
    return np.asarray(-np.partition(-cosines_QN, near - 1, axis=1)[:, :near].mean(axis=1))


def telling_words(query: str, passed_over: Collection[str]) -> list[str]:
    """Its words, each once, as they are first written, without those that the full text passes over."""
    first: dict[str, str] = {}
    for start, end in words(query):
        first.setdefault(query[start:end].lower(), query[start:end])
    return [word for lower, word in first.items() if lower not in passed_over]


def coverage(best_lexical: float, best_W: Sequence[float], documents: int) -> float:
    """BM25 of the best document, as a share of what a document would score that has every word of the query as well as
    any document has it.

    Args:
        best_lexical: of any document, for the whole query.
        best_W: of any document, for each of `telling_words` alone; 0: nobody knows the word, it counts as a rare one.
        documents: in the space.
    """
    rare = _RAREST * np.log1p((documents + 0.5) / 0.5)
    possible = sum(best or rare for best in best_W)
    return float(min(1.0, best_lexical / possible)) if possible else 0.0


def fit_confidence(
    cosines_QN: Numbers,
    lexical_QN: Numbers,
    answers_Q: NDArray[np.int64],
    words_Q: NDArray[Any],
    *,
    heads: int,
    seed: int,
    passed_over: Sequence[str] = (),
    short: bool = False,
) -> Confidence:
    """Fit on a rehearsal, in which the right answer to each question is known.

    Args:
        cosines_QN: of every question and document.
        lexical_QN: BM25 scores, 0 where no word is shared.
        answers_Q: column of the right document.
        words_Q: of each question.
        heads: how many questions, from the first, are heads; the others are sentences.
        seed: of the random pairs.
        passed_over: words that the full text doesn't search for, see `tuning.rehearse_bm25`.
        short: whether the documents are.
    """
    pairs = _Pairs.draw(cosines_QN, lexical_QN, answers_Q, words_Q, seed)
    return Confidence(
        Logistic.fit(pairs.features, pairs.outcomes_M),
        _ANSWER,
        _SHORT_THRESHOLD if short else _THRESHOLD,
        (int(words_Q.min()), int(words_Q.max())),
        pairs.calibration_error(),
        _usual_nearness(nearness(cosines_QN), heads),
        cosines_QN.shape[1],
        tuple(passed_over),
    )


def _usual_nearness(near_Q: Numbers, heads: int) -> tuple[float, float]:
    """(median, spread) over heads or over sentences, whichever are farther from the documents: what people ask is now
    more like the one, now more like the other."""
    kinds = [kind for kind in (near_Q[:heads], near_Q[heads:]) if len(kind) >= _FEWEST_OF_A_KIND] or [near_Q]
    return min((float(np.median(kind)), max(float(kind.std()), _LEAST_NEAR_SPREAD)) for kind in kinds)


@dataclass(frozen=True)
class _Pairs:
    """Each question with its right document and with random others."""

    cosines_M: Numbers
    lexical_M: Numbers
    words_M: NDArray[Any]
    outcomes_M: NDArray[np.bool_]
    documents_M: NDArray[np.int64]  # the right document of each question, by which folds are made
    documents: int

    @classmethod
    def draw(
        cls,
        cosines_QN: Numbers,
        lexical_QN: Numbers,
        answers_Q: NDArray[np.int64],
        words_Q: NDArray[Any],
        seed: int,
    ) -> "_Pairs":
        questions, documents = cosines_QN.shape
        random_QR = np.random.default_rng([seed, 2]).integers(0, documents - 1, (questions, _RANDOM_PER_QUESTION))
        random_QR += random_QR >= answers_Q[:, None]  # never the right one
        drawn_QP = np.concatenate([answers_Q[:, None], random_QR], axis=1)
        return cls(
            np.take_along_axis(cosines_QN, drawn_QP, axis=1).ravel(),
            np.take_along_axis(lexical_QN, drawn_QP, axis=1).ravel(),
            np.repeat(words_Q, drawn_QP.shape[1]),
            np.tile(np.arange(drawn_QP.shape[1]) == 0, questions),
            np.repeat(answers_Q, drawn_QP.shape[1]),
            documents,
        )

    @property
    def features(self) -> Numbers:
        return _hit_features(self.cosines_M, self.lexical_M, self.words_M, self.documents)

    def calibration_error(self) -> float:
        """Of fits that had seen no question of the document, right and random pairs equally often."""
        features_MF, promised_M = self.features, np.zeros(len(self.outcomes_M))
        for fold in range(_FOLDS):
            held_M = self.documents_M % _FOLDS == fold
            promised_M[held_M] = Logistic.fit(features_MF[~held_M], self.outcomes_M[~held_M])(features_MF[held_M])
        right_M = np.repeat(np.flatnonzero(self.outcomes_M), int((~self.outcomes_M).sum() / self.outcomes_M.sum()))
        balanced_M = np.concatenate([right_M, np.flatnonzero(~self.outcomes_M)])
        return expected_calibration_error(promised_M[balanced_M], self.outcomes_M[balanced_M])


def _hit_features(cosines_M: Numbers, lexical_M: Numbers, words_M: NDArray[Any], documents: int) -> Numbers:
    """Cosine, BM25 a word (how much of the query is covered), and its logarithm."""
    scaled_M = _scaled(lexical_M, documents)
    return np.stack([cosines_M, scaled_M / np.maximum(words_M, 1), np.log1p(scaled_M)], axis=1)


def _scaled(lexical_M: Numbers, documents: int) -> Numbers:
    """BM25 over the logarithm of the corpus, with which the largest idf grows."""
    scaled_M: Numbers = lexical_M / np.log1p(documents)
    return scaled_M
