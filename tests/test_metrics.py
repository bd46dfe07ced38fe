import math

import numpy as np
import pytest
import scipy.stats

from tolman.metrics import (
    auroc,
    bootstrap_interval,
    expected_calibration_error,
    ndcg,
    recall,
    reciprocal_rank,
    share_interval,
    shared_nearest,
    spearman,
)


def test_ndcg_by_hand() -> None:
    gains = {"a": 3.0, "b": 2.0, "c": 1.0, "d": 0.0}
    got = ndcg(["b", "x", "a", "d"], gains, k=3)
    assert got == pytest.approx((2 + 3 / 2) / (3 + 2 / math.log2(3) + 1 / 2))
    assert ndcg(["a", "b", "c"], gains) == pytest.approx(1)
    assert ndcg(["x"], gains) == 0
    assert math.isnan(ndcg(["a"], {"a": 0.0}))


def test_ndcg_equals_scikit_learn() -> None:
    from sklearn.metrics import ndcg_score

    generator = np.random.default_rng(0)
    for _ in range(20):
        gains = {f"d{i}": float(gain) for i, gain in enumerate(generator.integers(0, 4, 30))} | {"d0": 1.0}
        scores = generator.normal(size=30)
        ranked = [f"d{i}" for i in np.argsort(-scores)]
        assert ndcg(ranked, gains, 10) == pytest.approx(ndcg_score([list(gains.values())], [scores], k=10))


def test_recall_and_reciprocal_rank_by_hand() -> None:
    gains = {"a": 1.0, "b": 2.0, "c": 1.0, "d": 0.0}
    assert recall(["d", "a", "x", "b"], gains, k=3) == pytest.approx(1 / 3)
    assert recall(["d", "a", "x", "b"], gains, k=4) == pytest.approx(2 / 3)
    assert reciprocal_rank(["d", "a", "b"], gains) == 0.5
    assert reciprocal_rank(["d", "a", "b"], gains, k=1) == 0
    assert math.isnan(recall(["a"], {}))


def test_calibration_by_hand() -> None:
    # Two bins of ten: .25 promised twice, came once (off by .25); .95 promised twice, came twice (off by .05).
    assert expected_calibration_error([0.25, 0.25, 0.95, 0.95], [0, 1, 1, 1], bins=10) == pytest.approx(0.15)
    assert expected_calibration_error([0.0, 1.0], [0, 1]) == 0
    assert expected_calibration_error([1.0, 1.0], [0, 0]) == 1


def test_honest_probabilities_are_calibrated() -> None:
    generator = np.random.default_rng(0)
    probability = generator.uniform(size=50_000)
    came = generator.uniform(size=50_000) < probability
    assert expected_calibration_error(probability, came) < 0.01
    assert expected_calibration_error(np.sqrt(probability), came) > 0.1


@pytest.mark.parametrize(("probabilities", "outcomes"), [([], []), ([0.5], [1, 0]), ([1.5], [1]), ([math.nan], [1])])
def test_calibration_refuses(probabilities: list[float], outcomes: list[int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        expected_calibration_error(probabilities, outcomes)


def test_auroc_equals_scikit_learn_with_ties() -> None:
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(0)
    for _ in range(20):
        positive = generator.integers(0, 2, 200)
        score = np.round(generator.normal(size=200) + positive, 1)
        assert auroc(score, positive) == pytest.approx(roc_auc_score(positive, score))


def test_auroc_needs_both_kinds() -> None:
    with pytest.raises(ValueError, match="positives and negatives"):
        auroc([0.1, 0.2], [1, 1])


def test_the_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    inside = 0
    for seed in range(100):
        low, high = bootstrap_interval(generator.exponential(size=80), resamples=300, seed=seed)
        inside += low < 1 < high
    assert 85 <= inside <= 99


def test_share_interval_is_wilsons() -> None:
    assert share_interval(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert share_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert share_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


def test_spearman_is_that_of_ranks():
    assert spearman([1, 2, 3, 4], [1, 4, 9, 16]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 1, 2, 3], [1, 2, 2, 3]) == pytest.approx(scipy.stats.spearmanr([1, 1, 2, 3], [1, 2, 2, 3])[0])
    assert spearman([1, 1, 1], [1, 2, 3]) == 0


def test_shared_nearest_counts_what_both_rank_first():
    one, other = np.array([[3, 2, 1, 0], [3, 2, 1, 0]]), np.array([[3, 2, 1, 0], [0, 1, 2, 3]])
    assert shared_nearest(one, other, k=2) == 0.5
    assert shared_nearest(one, other) == 1
