import numpy as np
import pytest

from tolman.confidence import NEAREST, REFUSED_SHARE, Confidence, Logistic, fit_confidence, nearness
from tolman.metrics import expected_calibration_error

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


def test_the_threshold_refuses_the_share_it_says(confidence):
    cosines, lexical, _ = rehearsal(0)
    kept = [
        confidence.of_answer(float(near), float(b.max()), documents=DOCUMENTS)[1]
        for near, b in zip(nearness(cosines), lexical, strict=True)
    ]
    assert 1 - np.mean(kept) == pytest.approx(REFUSED_SHARE, abs=0.01)


def test_a_question_with_nothing_near_is_refused(confidence):
    probability, answered = confidence.of_answer(0.05, 0.0, documents=DOCUMENTS)
    assert not answered
    assert probability < 0.3


def test_hits_of_a_refused_question_are_doubted(confidence):
    cosines, lexical = np.array([0.35, 0.3]), np.array([0.0, 0.0])
    alone = confidence.of_hits(cosines, lexical, words=6, documents=DOCUMENTS)
    doubted, found = confidence.of_ranking(cosines, lexical, 0.15, 0.0, words=6, documents=DOCUMENTS)
    assert not found
    assert (doubted < alone).all()
    assert (doubted < 0.5).all()
    sure = confidence.of_ranking(np.array([0.7, 0.3]), np.array([9.0, 0.0]), 0.5, 9.0, words=6, documents=DOCUMENTS)
    assert sure[1]
    assert sure[0][0] == confidence.of_hits(np.array([0.7]), np.array([9.0]), words=6, documents=DOCUMENTS)[0]


def test_nearness_is_the_mean_of_the_nearest():
    cosines = np.arange(100.0)[None, :] / 100
    assert nearness(cosines)[0] == pytest.approx(cosines[0, -NEAREST:].mean())
    assert nearness(cosines[:, :3])[0] == pytest.approx(cosines[0, :3].mean())
    assert nearness(cosines[:, :0])[0] == 0


def test_one_document_near_by_accident_is_no_answer(confidence):
    cosines = np.full((1, 50), 0.1)
    cosines[0, 7] = 0.6
    assert not confidence.of_answer(float(nearness(cosines)[0]), 0.0, documents=DOCUMENTS)[1]


def test_more_cosine_is_more_confidence(confidence):
    cosines = np.linspace(0, 1, 20)
    for lexical in (0.0, 3.0):
        probabilities = confidence.of_hits(cosines, np.full(20, lexical), words=5, documents=DOCUMENTS)
        assert (np.diff(probabilities) >= 0).all()
        assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_it_survives_json(confidence):
    import json

    assert Confidence.from_json(json.loads(json.dumps(confidence.to_json()))) == confidence


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
