import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from kneser_ney import KneserNey, _discounts

from tolman.tokenization import TokenSequences

VOCABULARY, BEGIN, END, PAD = 12, 0, 1, 2


def documents(count: int, seed: int = 0) -> TokenSequences:
    """Tokens 3 to 10, each drawn by the one before it, so that n-grams repeat; 11 never occurs."""
    generator = np.random.default_rng(seed)
    likely = np.random.default_rng(5).dirichlet(np.full(8, 0.4), 8)
    rows = []
    for _ in range(count):
        row = [int(generator.integers(8))]
        for _ in range(int(generator.integers(0, 14))):
            row.append(int(generator.choice(8, p=likely[row[-1]])))
        rows.append(np.array(row) + 3)
    return TokenSequences.join([np.empty(0, np.int32), *rows])


@pytest.fixture(scope="module")
def model() -> KneserNey:
    return KneserNey(documents(60), begin=BEGIN, end=END, vocabulary=VOCABULARY, unused=[PAD], order=4)


def reference(training: TokenSequences, order: int) -> "dict[str, object]":
    """The same by dictionaries: counts of every order."""
    counts: dict[int, Counter[tuple[int, ...]]] = {n: Counter() for n in range(1, order + 1)}
    before: dict[tuple[int, ...], set[int]] = defaultdict(set)
    for row in range(len(training)):
        tokens = [BEGIN, *training[row].tolist(), END]
        for n in range(1, order + 1):
            for i in range(len(tokens) - n + 1):
                gram = tuple(tokens[i : i + n])
                counts[n][gram] += 1
                if i:
                    before[gram].add(tokens[i - 1])
    for n in range(1, order):
        for gram in counts[n]:
            if gram[0] != BEGIN:
                counts[n][gram] = len(before[gram])
    del counts[1][(BEGIN,)]
    return counts  # type: ignore[return-value]


def probability(counts: "dict[int, Counter[tuple[int, ...]]]", context: tuple[int, ...], token: int) -> float:
    """Chen and Goodman's formula, from the highest order down."""
    n = len(context) + 1
    below = probability(counts, context[1:], token) if context else 1 / (VOCABULARY - 2)
    follow = {gram: count for gram, count in counts[n].items() if gram[:-1] == context}
    if not follow:
        return below
    discount = _discounts(np.array(list(counts[n].values())))
    total = sum(follow.values())
    count = follow.get((*context, token), 0)
    rest = sum(discount[min(c, 3)] for c in follow.values()) / total
    return max(count - discount[min(count, 3)], 0) / total + rest * below


def test_every_probability_is_that_of_the_formula(model: KneserNey) -> None:
    counts = reference(documents(60), 4)
    unseen = documents(8, seed=1)
    logs = iter(model.logs(unseen).tolist())
    for row in range(len(unseen)):
        tokens = [BEGIN, *unseen[row].tolist(), END]
        for place in range(1, len(tokens)):
            context = tuple(tokens[max(0, place - 3) : place])
            assert np.exp(next(logs)) == pytest.approx(probability(counts, context, tokens[place]), rel=1e-9)
    assert next(logs, None) is None


@pytest.mark.parametrize("history", [[], [3], [3, 4], [10, 3, 5], [3, 3, 3, 3, 3], [11, 4], [4, 11]])
def test_probabilities_sum_to_one(model: KneserNey, history: list[int]) -> None:
    tokens = [token for token in range(VOCABULARY) if token not in (BEGIN, END, PAD)]
    texts = TokenSequences.join([np.array([*history, token], np.int32) for token in tokens])
    ends = np.arange(1, len(tokens) + 1) * (len(history) + 2) - 2  # the last token of each, before its end
    alone = TokenSequences.join([np.array(history, np.int32)])
    total = np.exp(model.logs(texts)[ends]).sum() + np.exp(model.logs(alone)[-1])
    assert total == pytest.approx(1, abs=1e-12)


def test_one_document_is_enough() -> None:
    model = KneserNey(documents(1), begin=BEGIN, end=END, vocabulary=VOCABULARY, order=5)
    assert np.isfinite(model.logs(documents(5, seed=2))).all()
