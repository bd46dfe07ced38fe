"""Weights chosen without labels, on questions that the judge took out of the corpus.

Two weights: of a learned encoder beside a pretrained one (`choose_blend`), and of BM25 beside the cosine
(`choose_lexical_weight`). Both may come out as 0. A more complex choice must beat the simpler one by more than the
noise of the questions, or it is not made; where the questions aren't natural (see `judge`), nothing but what is usual.

Legend for shapes:
    A  documents that questions were taken from
    N  documents
    Q  questions
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from tolman.corpus.passages import words
from tolman.judge import Pool
from tolman.models.encoder import Floats
from tolman.ranking import HybridRanking
from tolman.space.fulltext import searchable
from tolman.space.store import FULLTEXT, VECTOR, DocumentStore, document_schema

USUAL_BLEND = 0.5
BLEND_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_WORTH_FORGETTING = 0.05  # of a grade
_FAR_BEHIND = 0.15  # of a grade
LEXICAL_WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 2.0, 4.0)
_LEXICAL_DEPTH = 200
_MOST_COMMON = 1_000  # words, among which are those that the full text passes over


@dataclass(frozen=True)
class Choice:
    """A weight and how it did.

    Attributes:
        weight: chosen.
        quality: the judge's mean grade of every weight that was tried.
    """

    weight: float
    quality: dict[float, float]


def best_weight(grades: dict[float, Floats], default: float) -> Choice:
    """The weight with the best mean; `default` unless another is ahead of it by more than one standard error.

    Args:
        grades: of every document asked for (A,), for every weight; the same documents in the same order.
        default: a weight that did well on other corpora.
    """
    quality = {weight: float(grade.mean()) for weight, grade in grades.items()}
    best = max(quality, key=lambda weight: quality[weight])
    lead_A = grades[best] - grades[default]
    noise = float(lead_A.std()) / np.sqrt(len(lead_A))
    return Choice(best if lead_A.mean() > noise else default, quality)


def _usual(grades: dict[float, Floats], weight: float) -> Choice:
    return Choice(weight, {tried: float(grade.mean()) for tried, grade in grades.items()})


def choose_blend(pool: Pool, base_QN: Floats, learned_QN: Floats) -> Choice:
    """How much the cosine of a learned encoder counts beside that of a pretrained one.

    Half, unless the questions say otherwise: without any questions that lost .005 in the mean. More than half only for
    a clear lead: up to there the two know no less of other texts than the pretrained one alone, beyond it less and less
    (decision 9).
    """
    grades = {weight: pool.grade_scores(base_QN + weight * learned_QN) for weight in BLEND_WEIGHTS}
    if not pool.natural:
        return _usual(grades, USUAL_BLEND)
    choice = best_weight(grades, default=USUAL_BLEND)
    lead = choice.quality[choice.weight] - choice.quality[USUAL_BLEND]
    if choice.weight > USUAL_BLEND and lead < _WORTH_FORGETTING:
        return replace(choice, weight=USUAL_BLEND)
    return choice


def bm25_scores(pool: Pool, language: str | None) -> Floats:
    """BM25 of every question and document (Q, N), by the very engine that searches use; 0 beyond the best of each
    question."""
    scores_QN = np.zeros((len(pool.questions), len(pool.contents)), np.float32)
    with TemporaryDirectory(prefix="tolman-rehearsal-") as folder:
        schema = document_schema(1, pa.schema([]))
        store = DocumentStore.create(Path(folder) / "documents.lance", schema)
        store.append(_rows(pool.contents, schema))
        store.index_fulltext(language)
        for row, question in enumerate(pool.questions):
            found, scores = store.lexical(question, min(_LEXICAL_DEPTH, len(pool.contents)))
            scores_QN[row, found] = scores
    return scores_QN


def rehearse_bm25(pool: Pool, language: str | None) -> tuple[Floats, tuple[str, ...]]:
    """BM25 of every question and document of the pool (Q, N), and those of its commonest words that the full text
    doesn't find, in lower case."""
    asked = len(pool.questions)
    common = _commonest_words(pool.contents) if language else []  # without a language no word is passed over
    scores_QN = bm25_scores(replace(pool, questions=[*pool.questions, *common]), language)
    found = np.asarray(scores_QN[asked:].any(axis=1))
    return scores_QN[:asked], tuple(word for word, is_found in zip(common, found, strict=True) if not is_found)


def _commonest_words(contents: Sequence[str]) -> list[str]:
    count = Counter(content[start:end].lower() for content in contents for start, end in words(content))
    return [word for word, _ in count.most_common(_MOST_COMMON)]


def usual_lexical_weight(*, natural: bool, pretrained: bool) -> float:
    """What BM25 counts beside the cosine where no question says otherwise: much among short texts without titles, of
    which a static encoder learns little and one that knows the language makes more."""
    return 0.1 if natural else 0.2 if pretrained else 0.8


def choose_lexical_weight(pool: Pool, cosines_QN: Floats, lexical_QN: Floats, *, pretrained: bool) -> Choice:
    """How much BM25 counts beside the cosine of an encoder that is, or has beside it, a pretrained one, or isn't.

    The judge asks for the kind of pairs that an encoder from nothing learned from, and so thinks too well of it: beside
    such a one BM25 counts less than usual only where it is far behind.
    """
    grades = {
        weight: pool.grade_scores(HybridRanking(weight).score_all(cosines_QN, lexical_QN)) for weight in LEXICAL_WEIGHTS
    }
    usual = usual_lexical_weight(natural=pool.natural, pretrained=pretrained)
    if not pool.natural:
        return _usual(grades, usual)
    choice = best_weight(grades, default=usual)
    if choice.weight < usual and not pretrained:
        behind = choice.quality[0.0] - float(pool.grade_scores(lexical_QN).mean())
        choice = choice if behind >= _FAR_BEHIND else replace(choice, weight=usual)
    return choice


def _rows(contents: Sequence[str], schema: pa.Schema) -> pa.Table:
    count = len(contents)
    filled = {
        "id": pa.array([str(row) for row in range(count)]),
        "text": pa.array(contents),
        FULLTEXT: pa.array([searchable(content) for content in contents]),
        VECTOR: pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(count, np.float32)), 1),
    }
    return pa.table([filled.get(f.name, pa.nulls(count, f.type)) for f in schema], schema=schema)
