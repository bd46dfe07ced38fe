import numpy as np

from tolman.ranking import HybridRanking

COSINES = np.array([0.9, 0.5, 0.1, 0.4], np.float32)
BM25 = np.array([0.0, 12.0, 3.0, 0.0], np.float32)


def test_weight_0_keeps_the_order_of_the_cosines() -> None:
    assert np.argsort(-HybridRanking(0.0).score(COSINES, BM25)).tolist() == np.argsort(-COSINES).tolist()


def test_a_large_weight_gives_the_order_of_bm25() -> None:
    assert np.argsort(-HybridRanking(1e6).score(COSINES, BM25))[:2].tolist() == [1, 2]


def test_the_unit_of_bm25_does_not_matter() -> None:
    ranking = HybridRanking(0.7)
    np.testing.assert_allclose(ranking.score(COSINES, BM25), ranking.score(COSINES, BM25 / 50), atol=1e-6)
    np.testing.assert_allclose(ranking.score(COSINES, BM25), COSINES + 0.7 * BM25 / 12, atol=1e-6)


def test_without_shared_words_cosines_remain() -> None:
    ranking = HybridRanking(0.7)
    same = np.zeros(4, np.float32)
    assert np.argsort(-ranking.score(COSINES, same)).tolist() == np.argsort(-COSINES).tolist()
    assert len(ranking.score(same[:0], same[:0])) == 0
