from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_corpus, tiny_document, tiny_encoder

from tolman.confidence import (
    NEAREST,
    Confidence,
    Evidence,
    Logistic,
    coverage,
    fit_confidence,
    nearness,
    telling_words,
)
from tolman.judge import Pool
from tolman.metrics import expected_calibration_error
from tolman.space.description import SearchSettings, SpaceDescription
from tolman.space.space import LatentSpace
from tolman.tuning import bm25_scores, rehearse_bm25

QUESTIONS, DOCUMENTS = 300, 1_000


def rehearsal(seed, clarity=0.35):
    """Cosines and BM25 in which a question's own document stands out, more or less."""
    generator = np.random.default_rng(seed)
    cosines = generator.normal(0.1, 0.08, (QUESTIONS, DOCUMENTS))
    lexical = np.maximum(generator.normal(-2, 3, (QUESTIONS, DOCUMENTS)), 0)
    own = np.arange(QUESTIONS)
    cosines[own, own] += generator.normal(clarity, 0.15, QUESTIONS)
    lexical[own, own] += generator.exponential(8, QUESTIONS)
    neighbours = (own[:, None] + 1 + np.arange(30)) % DOCUMENTS  # a question is near to what is like its answer
    cosines[own[:, None], neighbours] += 0.5 * clarity
    return cosines.astype(np.float32), lexical.astype(np.float32), generator.integers(3, 12, QUESTIONS)


@pytest.fixture(scope="module")
def confidence():
    cosines, lexical, words = rehearsal(0)
    return fit_confidence(cosines, lexical, np.arange(QUESTIONS), words, heads=QUESTIONS, seed=0)


def test_it_is_calibrated_on_questions_it_never_saw(confidence):
    cosines, lexical, words = rehearsal(1)
    own, other = np.arange(QUESTIONS), (np.arange(QUESTIONS) + 500) % DOCUMENTS
    promised, came = [], []
    for column, outcome in ((own, 1), (other, 0)):
        for q in range(QUESTIONS):
            hit = confidence.of_hits(
                cosines[q, column[q], None], lexical[q, column[q], None], words=int(words[q]), documents=DOCUMENTS
            )
            promised.append(hit[0])
            came.append(outcome)
    assert expected_calibration_error(np.array(promised), np.array(came)) < 0.06
    assert confidence.calibration_error < 0.06


USUAL = 0.4


@pytest.fixture(scope="module")
def usual(confidence):
    """The same, of questions that are usually as near as USUAL."""
    return Confidence(**{**vars(confidence), "near": (USUAL, 0.1)})


def test_a_topic_of_one_word_is_found_however_near_and_an_unknown_word_is_not(usual):
    for near in (0.0, USUAL, 1.0):
        assert usual.of_answer(Evidence(near, 1.0, 1))[1]
        assert not usual.of_answer(Evidence(near, 0.0, 1))[1]


def test_words_strewn_over_documents_are_no_answer(usual):
    together, strewn = Evidence(USUAL, 0.7, 8), Evidence(USUAL, 0.25, 8)
    assert usual.of_answer(together)[1]
    assert not usual.of_answer(strewn)[1]


def test_more_coverage_more_words_and_more_nearness_are_more_of_an_answer(usual):
    for evidence in (
        [Evidence(USUAL, covered, 8) for covered in np.linspace(0, 1, 10)],
        [Evidence(USUAL, 0.3, words) for words in (1, 2, 5, 20)],
        [Evidence(near, 0.3, 8) for near in np.linspace(0.1, 0.7, 10)],
    ):
        probabilities = [usual.of_answer(each)[0] for each in evidence]
        assert (np.diff(probabilities) > 0).all()


def test_a_pasted_page_is_not_an_answer_for_its_length(usual):
    page = Evidence(USUAL - 0.05, 0.08, 400)
    assert not usual.of_answer(page)[1]
    assert usual.of_answer(page) == usual.of_answer(Evidence(USUAL - 0.05, 0.08, 20))


def test_nearness_tells_alone_only_for_an_encoder_that_knows_the_language(usual):
    assert usual.of_answer(Evidence(USUAL + 0.05, 0.0, 5, alone=True))[1]
    assert not usual.of_answer(Evidence(USUAL - 0.05, 0.0, 5, alone=True))[1]
    assert not usual.of_answer(Evidence(USUAL + 0.05, 0.0, 5))[1]


def test_the_usual_nearness_is_that_of_the_farther_kind_of_question():
    cosines, lexical, words = rehearsal(0)
    nearer = cosines.copy()
    nearer[100:] += 0.3  # sentences
    for asked in (nearer, nearer[::-1]):
        heads = 100 if asked is nearer else 200
        fitted = fit_confidence(asked, lexical, np.arange(QUESTIONS), words, heads=heads, seed=0)
        far = nearness(cosines[:100])
        assert fitted.near == pytest.approx((np.median(far), far.std()), rel=1e-4)


def test_coverage_is_a_share_of_what_the_words_could_score():
    assert coverage(6.0, [6.0], 1_000) == 1
    assert coverage(6.0, [6.0, 4.0, 2.0], 1_000) == pytest.approx(0.5)
    assert coverage(7.0, [6.0], 1_000) == 1  # a word that stands twice in the query
    assert coverage(0.0, [0.0, 0.0], 1_000) == coverage(0.0, [], 1_000) == 0
    unknown = coverage(6.0, [6.0, 0.0], 1_000)
    assert coverage(6.0, [6.0, 0.0], 100_000) < unknown < coverage(6.0, [6.0, 6.0], 1_000)


def test_words_tell_once_and_without_those_that_are_passed_over():
    assert telling_words("The Normans and the normans, of ThreadPool", ("the", "and", "of")) == [
        "Normans",
        "ThreadPool",
    ]
    assert telling_words("of the", ("the", "of")) == []


def english_pool():
    contents = [
        f"The {a} of the town was seen by the {b}, and it is for this that {c} were from there." for a, b, c in NAMES
    ]
    questions = ["the violin", "harbour of lamps"]
    none = np.zeros(0, np.int64)
    return Pool(np.arange(len(contents)), contents, questions, none, np.zeros((0, 0), bool), len(contents))


NAMES = [("violin", "baker", f"harbour{i}") for i in range(30)]


def test_the_rehearsal_finds_the_words_that_the_full_text_passes_over():
    pool = english_pool()
    scores_QN, passed_over = rehearse_bm25(pool, "English")
    assert {"the", "of", "and", "for"} <= set(passed_over)
    assert not {"violin", "baker", "town", "seen"} & set(passed_over)
    np.testing.assert_array_equal(scores_QN, bm25_scores(pool, "English"))
    assert rehearse_bm25(pool, None)[1] == ()


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_topics_are_found_and_foreign_questions_are_not(tmp_path: Path, confidence, mode) -> None:
    settings = SearchSettings(0.7, confidence.to_json())
    space = LatentSpace.create(
        tmp_path / "x.space", tiny_corpus(range(200)), tiny_encoder(), description=SpaceDescription(search=settings)
    )
    document = tiny_document(7)
    for topic in ("glacier", document.title, document.text):
        assert space.search(topic, mode=mode).relevant, topic
    strewn = " ".join(tiny_document(number).text.split()[8] for number in range(40, 48))
    for foreign in ("who sang the word7 anthem at Wembley", "Wembley", f"{strewn} stadium anthem final"):
        refused = space.search(foreign, mode=mode)
        assert not refused.relevant, foreign
        assert all(hit.confidence <= 0.5 for hit in refused)


def test_hits_of_a_refused_question_are_doubted(usual):
    cosines, lexical = np.array([0.35, 0.3]), np.array([0.0, 0.0])
    alone = usual.of_hits(cosines, lexical, words=6, documents=DOCUMENTS)
    doubted, found = usual.of_ranking(cosines, lexical, Evidence(0.15, 0.0, 6), words=6, documents=DOCUMENTS)
    assert not found
    assert (doubted < alone).all()
    assert (doubted < 0.5).all()
    cosines, lexical = np.array([0.7, 0.3]), np.array([9.0, 0.0])
    sure, found = usual.of_ranking(cosines, lexical, Evidence(0.5, 0.8, 6), words=6, documents=DOCUMENTS)
    assert found
    assert sure[0] == usual.of_hits(cosines[:1], lexical[:1], words=6, documents=DOCUMENTS)[0]


def test_nearness_is_the_mean_of_the_nearest():
    cosines = np.arange(100.0)[None, :] / 100
    assert nearness(cosines)[0] == pytest.approx(cosines[0, -NEAREST:].mean())
    assert nearness(cosines[:, :3])[0] == pytest.approx(cosines[0, :3].mean())
    assert nearness(cosines[:, :0])[0] == 0


def test_in_a_larger_space_as_many_documents_are_near_as_stand_for_those_of_the_fit(confidence):
    cosines = np.random.default_rng(0).normal(0.2, 0.1, (50, 12 * DOCUMENTS))
    few, many = cosines[:, :DOCUMENTS], cosines
    np.testing.assert_array_equal(confidence.nearness(few, DOCUMENTS), nearness(few))
    np.testing.assert_array_equal(confidence.nearness(few[:, :200], 200), nearness(few[:, :200]))
    assert confidence.nearness(many, 12 * DOCUMENTS).mean() == pytest.approx(nearness(few).mean(), abs=0.01)
    assert nearness(many).mean() > nearness(few).mean() + 0.05


def test_more_cosine_is_more_confidence(confidence):
    cosines = np.linspace(0, 1, 20)
    for lexical in (0.0, 3.0):
        probabilities = confidence.of_hits(cosines, np.full(20, lexical), words=5, documents=DOCUMENTS)
        assert (np.diff(probabilities) >= 0).all()
        assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_it_survives_json(confidence):
    import json

    kept = Confidence(**{**vars(confidence), "passed_over": ("the", "of")})
    assert Confidence.from_json(json.loads(json.dumps(kept.to_json()))) == kept


def test_logistic_equals_its_formula():
    logistic = Logistic((2.0, -1.0), 0.5)
    assert logistic(np.array([[1.0, 3.0]]))[0] == pytest.approx(1 / (1 + np.exp(0.5)))


def test_what_never_varied_in_the_fit_moves_nothing():
    generator = np.random.default_rng(0)
    cosines = np.concatenate([generator.normal(0.6, 0.1, 200), generator.normal(0.2, 0.1, 200)])
    features = np.stack([cosines, np.full(400, np.log1p(1))], axis=1)  # every question is one word long, as in code
    fitted = Logistic.fit(features, np.arange(400) < 200)
    longer = np.stack([cosines, np.full(400, np.log1p(7))], axis=1)
    np.testing.assert_array_equal(fitted(longer), fitted(features))


def test_less_of_a_question_is_asked_for_where_documents_are_short():
    generator = np.random.default_rng(0)
    cosines = generator.normal(0, 0.1, (40, 60)).astype(np.float32)
    lexical = np.maximum(generator.normal(0, 5, (40, 60)), 0).astype(np.float32)
    words = np.full(40, 6)
    usual, short = (
        fit_confidence(cosines, lexical, np.arange(40), words, heads=40, seed=0, short=short) for short in (False, True)
    )
    some = Evidence(near=usual.near[0], coverage=0.3, words=6)
    assert (usual.of_answer(some)[1], short.of_answer(some)[1]) == (False, True)
    nothing = Evidence(near=usual.near[0] - 3 * usual.near[1], coverage=0.05, words=6)
    assert not short.of_answer(nothing)[1]
