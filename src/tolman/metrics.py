"""How good a ranking, a probability or a separation is. Plain numpy.

Legend for shapes:
    N  predictions or values
    B  bins
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike


def ndcg(ranked: Sequence[str], gains: Mapping[str, float], k: int = 10) -> float:
    """Normalised discounted cumulative gain of the first `k` (Järvelin and Kekäläinen 2002).

    The gain is the judgment itself, not 2**judgment - 1, as in trec_eval and BEIR.

    Args:
        ranked: ids, best first.
        gains: judgment of each judged id; what isn't judged gains nothing.
        k: the cut.

    Returns:
        0 to 1; nan where nothing relevant was judged.
    """
    best = _discounted(sorted((gain for gain in gains.values() if gain > 0), reverse=True)[:k])
    return _discounted([max(gains.get(name, 0.0), 0.0) for name in ranked[:k]]) / best if best else float("nan")


def recall(ranked: Sequence[str], gains: Mapping[str, float], k: int = 10) -> float:
    """The share of the relevant that the first `k` hold; nan where nothing relevant was judged."""
    relevant = {name for name, gain in gains.items() if gain > 0}
    return len(relevant.intersection(ranked[:k])) / len(relevant) if relevant else float("nan")


def reciprocal_rank(ranked: Sequence[str], gains: Mapping[str, float], k: int = 10) -> float:
    """1 / rank of the first relevant among the first `k`, 0 if there is none. Its mean over queries is MRR@k."""
    return next((1 / rank for rank, name in enumerate(ranked[:k], start=1) if gains.get(name, 0.0) > 0), 0.0)


def expected_calibration_error(probabilities_N: ArrayLike, outcomes_N: ArrayLike, bins: int = 15) -> float:
    """Mean distance between what was promised and what came true (Guo et al. 2017).

    Predictions fall into `bins` of equal width by their probability; each bin's distance between mean probability and
    mean outcome is weighted by its share of the predictions.

    Args:
        probabilities_N: promised, 0 to 1.
        outcomes_N: what came: 0 or 1.
        bins: how many.

    Raises:
        ValueError: lengths differ, nothing given, or a probability outside 0 to 1.
    """
    promised_N = np.asarray(probabilities_N, dtype=np.float64)
    came_N = np.asarray(outcomes_N, dtype=np.float64)
    if promised_N.shape != came_N.shape or not promised_N.size:
        raise ValueError(
            f"expected as many outcomes as probabilities, and at least one: {came_N.shape}, {promised_N.shape}"
        )
    if not np.all((promised_N >= 0) & (promised_N <= 1)):
        raise ValueError(f"expected probabilities from 0 to 1, got {promised_N.min():g} to {promised_N.max():g}")
    bin_N = np.minimum((promised_N * bins).astype(np.int64), bins - 1)
    excess_B = np.bincount(bin_N, weights=promised_N - came_N, minlength=bins)
    return float(np.abs(excess_B).sum() / promised_N.size)


def auroc(scores_N: ArrayLike, positives_N: ArrayLike) -> float:
    """The chance that a random positive scores above a random negative; ties count half (Mann-Whitney U).

    Raises:
        ValueError: lengths differ, or one of the two kinds is missing.
    """
    score_N = np.asarray(scores_N, dtype=np.float64)
    positive_N = np.asarray(positives_N, dtype=bool)
    positives = int(positive_N.sum())
    negatives = positive_N.size - positives
    if score_N.shape != positive_N.shape or not positives or not negatives:
        raise ValueError(f"expected positives and negatives, one score each: {positives}, {negatives}, {score_N.shape}")
    _, place_N, count_V = np.unique(score_N, return_inverse=True, return_counts=True)
    rank_V = np.cumsum(count_V) - (count_V - 1) / 2  # mean rank of each distinct score, from 1
    above = rank_V[place_N][positive_N].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def adjusted_rand_index(first_N: ArrayLike, second_N: ArrayLike, sizes_N: ArrayLike | None = None) -> float:
    """How far two partitions agree (Hubert and Arabie 1985): 1 entirely, 0 as if by chance.

    Args:
        first_N: a part of each, from 0 on.
        second_N: likewise.
        sizes_N: how many each stands for; None: one.
    """
    one_N, other_N = np.asarray(first_N, np.int64), np.asarray(second_N, np.int64)
    size_N = np.ones(len(one_N)) if sizes_N is None else np.asarray(sizes_N, np.float64)
    width = int(other_N.max()) + 1
    cells = np.bincount(one_N * width + other_N, size_N, (int(one_N.max()) + 1) * width).reshape(-1, width)
    pairs, rows, columns = (float((n * (n - 1) / 2).sum()) for n in (cells, cells.sum(axis=1), cells.sum(axis=0)))
    chance = rows * columns / max(size_N.sum() * (size_N.sum() - 1) / 2, 1)
    most = (rows + columns) / 2
    return 1.0 if most == chance else float((pairs - chance) / (most - chance))


def bootstrap_interval(
    values_N: ArrayLike, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Where the mean of `values_N` lies, by resampling them (percentile bootstrap, Efron 1979).

    Returns:
        (low, high), between which `level` of the resampled means fall.
    """
    value_N = np.asarray(values_N, dtype=np.float64)
    generator = np.random.default_rng(seed)
    means = [generator.choice(value_N, value_N.size).mean() for _ in range(resamples)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def share_interval(right: int, count: int) -> tuple[float, float]:
    """Where the share is that `right` of `count` were drawn from: the 95 % interval of Wilson (1927).

    Unlike a bootstrap it doesn't shrink to nothing where all are right, or none.
    """
    z, share = 1.959964, right / count
    centre, half = share + z**2 / (2 * count), z * (share * (1 - share) / count + z**2 / (4 * count**2)) ** 0.5
    low, high = ((centre + sign * half) / (1 + z**2 / count) for sign in (-1, 1))
    return max(low, 0.0), min(high, 1.0)


def _discounted(gains: Sequence[float]) -> float:
    return float(sum(gain / np.log2(rank + 1) for rank, gain in enumerate(gains, start=1)))


def spearman(one_N: ArrayLike, other_N: ArrayLike) -> float:
    """Rank correlation of two lists of numbers, ties in their mean rank; 0 where one of them never varies."""
    from scipy.stats import rankdata

    one, other = (np.asarray(rankdata(values), float) for values in (one_N, other_N))
    one, other = one - one.mean(), other - other.mean()
    spread = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float(np.dot(one, other)) / spread if spread else 0.0


def shared_nearest(one_QN: ArrayLike, other_QN: ArrayLike, k: int = 10) -> float:
    """Mean share of the `k` best of each row that both agree on."""
    one, other = (np.argsort(-np.asarray(scores), axis=1, kind="stable")[:, :k] for scores in (one_QN, other_QN))
    shared = [len(np.intersect1d(first, second)) for first, second in zip(one, other, strict=True)]
    return float(np.mean(shared) / one.shape[1])
