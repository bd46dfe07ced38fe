from dataclasses import replace

import numpy as np

from tolman.judge import Pool
from tolman.ranking import HybridRanking
from tolman.tuning import LEXICAL_WEIGHTS, USUAL_BLEND, best_weight, bm25_scores, choose_blend, choose_lexical_weight

Q, N = 60, 200


def pool():
    contents = [f"document {i} about thing{i}" for i in range(N)]
    return Pool(np.arange(N), contents, ["q"] * Q, np.arange(Q), np.zeros((Q, N), bool), N)


def scores(clarity, seed):
    generator = np.random.default_rng(seed)
    noise = generator.normal(0, 0.1, (Q, N)).astype(np.float32)
    noise[np.arange(Q), np.arange(Q)] += clarity
    return noise


def test_a_useless_encoder_gets_no_weight():
    assert choose_blend(pool(), scores(0.3, 0), scores(0.0, 1) * 3).weight == 0.0


def test_a_better_encoder_gets_more_weight():
    assert choose_blend(pool(), scores(0.05, 0), scores(0.6, 1)).weight >= 2.0


def test_more_than_half_wants_a_clear_lead():
    """The judge prefers more by a little in both; the pretrained model is worth more than that little."""
    slightly, clearly = (choose_blend(pool(), scores(clarity, 0), scores(0.3, 1)) for clarity in (0.18, 0.1))
    leads = [max(choice.quality.values()) - choice.quality[USUAL_BLEND] for choice in (slightly, clearly)]
    assert 0 < leads[0] < 0.05 < leads[1]
    assert slightly.weight == USUAL_BLEND
    assert clearly.weight > USUAL_BLEND


def test_noise_does_not_move_the_default():
    grades = {0.0: np.array([1, 0, 1, 0.5]), 0.5: np.array([0.9, 0.1, 1, 0.5])}
    assert best_weight({k: v.astype(np.float32) for k, v in grades.items()}, default=0.5).weight == 0.5


def test_lexical_weight_may_be_zero_and_may_be_large():
    good, bad = scores(0.5, 0), np.maximum(scores(0.0, 1), 0) * 30
    lexical = np.maximum(scores(0.5, 3), 0) * 30
    assert choose_lexical_weight(pool(), good, bad, pretrained=False).weight <= 0.1
    assert choose_lexical_weight(pool(), scores(0.02, 2), lexical, pretrained=False).weight >= 0.4


def test_bm25_counts_less_than_usual_only_where_it_is_far_behind():
    """Beside an encoder from nothing: the judge's questions are what it learned by."""
    cosines = scores(0.2, 0)
    for noise, expected in ((0.5, (0.1, 0.0)), (1.0, (0.0, 0.0))):  # BM25 is the cosine made worse: any weight hurts
        lexical = np.maximum(cosines + noise * scores(0.0, 5), 0) * 30
        chosen = [choose_lexical_weight(pool(), cosines, lexical, pretrained=known).weight for known in (False, True)]
        assert tuple(chosen) == expected


def test_hybrid_is_the_sum_it_says():
    ranking = HybridRanking(0.5)
    np.testing.assert_allclose(ranking.score(np.array([0.2, 0.4]), np.array([10.0, 5.0])), [0.7, 0.65])
    np.testing.assert_allclose(ranking.score(np.array([0.2, 0.4]), np.zeros(2)), [0.2, 0.4])
    both = ranking.score_all(np.array([[0.2, 0.4]] * 2), np.array([[10.0, 5.0], [0, 0]]))
    np.testing.assert_allclose(both, [[0.7, 0.65], [0.2, 0.4]])


def test_bm25_scores_are_those_of_the_search_engine():
    contents = ["the river bank is wet", "money in the bank", "a violin sings", "rivers and banks"] * 3
    asked = Pool(np.arange(12), contents, ["bank money", "violin"], np.arange(2), np.zeros((2, 12), bool), 12)
    found = bm25_scores(asked, None)
    assert found.shape == (2, 12)
    assert found[0].argmax() % 4 == 1
    assert set(np.flatnonzero(found[1] > 0) % 4) == {2}


def test_questions_that_are_not_natural_move_no_weight():
    asked = replace(pool(), natural=False)
    useless, lexical = scores(0.0, 1) * 3, np.maximum(scores(0.0, 2), 0) * 30
    assert choose_blend(asked, scores(0.3, 0), useless).weight == USUAL_BLEND
    for pretrained, usual in ((False, 0.8), (True, 0.2)):
        choice = choose_lexical_weight(asked, scores(0.5, 0), lexical, pretrained=pretrained)
        assert choice.weight == usual
        assert len(choice.quality) == len(LEXICAL_WEIGHTS)
