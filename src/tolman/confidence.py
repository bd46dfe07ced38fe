"""How sure a search is: of each hit, and that there is an answer at all.

Both are logistic regressions fitted without labels, on questions taken out of the corpus (see `judge`). A hit's
confidence is P(relevant) when relevant and random documents are equally likely: fitted on held-out (question, its
document) against (question, random document). Answerability is P(the space holds an answer), by how near the nearest
documents are together and by the best BM25: the same questions asked of the whole space, and again with the right
document and its whole neighbourhood taken away. "Nothing relevant found" is said where answerability falls under a
threshold that refuses a small, fixed share of the corpus's own questions.

The mean cosine of the ten nearest, and not the cosine of the nearest: a foreign question often has one document near
by accident, but not ten (docs/decisions/0007 has the comparison).

Platt 1999 for the logistic form; refusal by threshold as in Geifman and El-Yaniv 2017 (arXiv:1705.08500), without
labels.

Legend for shapes:
    M  (query, document) pairs, or queries with and without an answer
    Q  questions
    N  documents
    P  documents drawn for a question, of them R at random
    F  features
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tolman.metrics import expected_calibration_error

Numbers: TypeAlias = NDArray[np.floating[Any]]

NEAREST = 10
"""Documents whose mean cosine tells whether there is an answer."""
REFUSED_SHARE = 0.05
_RANDOM_PER_QUESTION = 20
_NEIGHBOURHOOD = 0.15
_FOLDS = 5
_LEAST_SPREAD = 1e-6


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


@dataclass(frozen=True)
class Confidence:
    """Fitted once for a space, kept in its space.json.

    Attributes:
        hit: P(relevant) from cosine, BM25 and the words of the query.
        answer: P(there is an answer) from `nearness` and the best BM25.
        threshold: answerability under which nothing relevant was found.
        words: fewest and most words of the questions it was fitted on; shorter and longer queries count as these.
        calibration_error: expected calibration error of `hit` on questions that its fit had not seen.
    """

    hit: Logistic
    answer: Logistic
    threshold: float
    words: tuple[int, int]
    calibration_error: float

    def of_ranking(
        self, cosines_M: Numbers, lexical_M: Numbers, near: float, best_lexical: float, *, words: int, documents: int
    ) -> tuple[Numbers, bool]:
        """Confidence of each hit of a query (M,), and whether anything relevant was found.

        `near` and `best_lexical` are over all documents that were considered, not only the hits. Where nothing relevant
        was found every hit is doubted, and none gets more than an even chance: a foreign question has a nearest
        document too.
        """
        hits_M = self.of_hits(cosines_M, lexical_M, words=words, documents=documents)
        answer, found = self.of_answer(near, best_lexical, documents=documents)
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

    def of_answer(self, near: float, lexical: float, *, documents: int) -> tuple[float, bool]:
        """P(the space holds an answer) by the `nearness` and the best BM25 of a query; whether that is enough to say
        so."""
        probability = float(self.answer(_answer_features(np.array([near]), np.array([lexical]), documents))[0])
        return probability, probability >= self.threshold

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
        )


_LOGISTICS = ("hit", "answer")


def nearness(cosines_QN: Numbers) -> Numbers:
    """Mean cosine of the nearest documents of each query (Q,); 0 where there are none."""
    near = min(NEAREST, cosines_QN.shape[1])
    if not near:
        return np.zeros(len(cosines_QN))
    return np.asarray(-np.partition(-cosines_QN, near - 1, axis=1)[:, :near].mean(axis=1))


def fit_confidence(
    cosines_QN: Numbers,
    lexical_QN: Numbers,
    answers_Q: NDArray[np.int64],
    words_Q: NDArray[Any],
    *,
    heads: int,
    seed: int,
) -> Confidence:
    """Fit on a rehearsal, in which the right answer to each question is known.

    Args:
        cosines_QN: of every question and document.
        lexical_QN: BM25 scores, 0 where no word is shared.
        answers_Q: column of the right document.
        words_Q: of each question.
        heads: how many questions, from the first, are asked for answerability. Sentences out of a text are not what
            people ask, and many can't be answered without it.
        seed: of the random pairs.
    """
    pairs = _Pairs.draw(cosines_QN, lexical_QN, answers_Q, words_Q, seed)
    asked_QN, shared_QN, documents = cosines_QN[:heads], lexical_QN[:heads], cosines_QN.shape[1]
    far_QN = _without_neighbourhood(asked_QN, answers_Q[:heads])
    near_M = np.concatenate([nearness(asked_QN), nearness(np.where(far_QN, asked_QN, -1.0))])
    lexical_M = np.concatenate([shared_QN.max(axis=1), np.where(far_QN, shared_QN, 0.0).max(axis=1)])
    features_MF, answered_M = _answer_features(near_M, lexical_M, documents), np.repeat([True, False], heads)
    answer = Logistic.fit(features_MF, answered_M)
    return Confidence(
        Logistic.fit(pairs.features, pairs.outcomes_M),
        answer,
        float(np.quantile(answer(features_MF[answered_M]), REFUSED_SHARE)),
        (int(words_Q.min()), int(words_Q.max())),
        pairs.calibration_error(),
    )


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


def _answer_features(near_M: Numbers, lexical_M: Numbers, documents: int) -> Numbers:
    """Nearness, and the logarithm of the best BM25."""
    return np.stack([near_M, np.log1p(_scaled(lexical_M, documents))], axis=1)


def _scaled(lexical_M: Numbers, documents: int) -> Numbers:
    """BM25 over the logarithm of the corpus, with which the largest idf grows."""
    scaled_M: Numbers = lexical_M / np.log1p(documents)
    return scaled_M


def _without_neighbourhood(cosines_QN: Numbers, answers_Q: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True where a document is neither right nor among those nearest to the question."""
    documents = cosines_QN.shape[1]
    near = max(1, round(_NEIGHBOURHOOD * documents))
    border_Q1 = -np.partition(-cosines_QN, near - 1, axis=1)[:, near - 1 : near]
    far_QN = cosines_QN < border_Q1
    far_QN[np.arange(len(cosines_QN)), answers_Q] = False
    return np.asarray(far_QN)
