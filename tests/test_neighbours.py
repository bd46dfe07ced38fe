import numpy as np
import pytest

from tolman import neighbours
from tolman.neighbours import nearest_among, nearest_neighbours


def unit(rows: int, dim: int = 16, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_nearest_others_are_those_of_the_full_matrix():
    vectors = unit(300)
    found = nearest_neighbours(vectors, 7)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    np.testing.assert_array_equal(found.positions_NK, np.argsort(-cosines, axis=1)[:, :7])
    np.testing.assert_allclose(found.cosines_NK, -np.sort(-cosines, axis=1)[:, :7], atol=1e-5)


def test_a_document_is_never_its_own_neighbour_even_among_equals():
    vectors = np.repeat(unit(3), 20, axis=0)
    found = nearest_neighbours(vectors, 5)
    assert found.positions_NK.shape == (60, 5)
    assert not (found.positions_NK == np.arange(60)[:, None]).any()
    np.testing.assert_allclose(found.cosines_NK, 1, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_few_documents_have_fewer_neighbours(rows):
    assert nearest_neighbours(unit(rows), 10).positions_NK.shape == (rows, rows - 1)


def test_beyond_the_exact_most_are_found_still(monkeypatch):
    vectors = unit(3_000)
    exact = nearest_neighbours(vectors, 10)
    monkeypatch.setattr(neighbours, "_EXACT_UP_TO", 1_000)
    near = nearest_neighbours(vectors, 10)
    shared = [len(set(a) & set(b)) for a, b in zip(exact.positions_NK, near.positions_NK, strict=True)]
    assert np.mean(shared) > 8


def test_those_of_some_documents():
    found = nearest_neighbours(unit(50), 10)
    rows = np.array([7, 3])
    np.testing.assert_array_equal(found.of(rows).positions_NK, found.positions_NK[[7, 3]])
    np.testing.assert_array_equal(found.of(rows).cosines_NK, found.cosines_NK[[7, 3]])
    assert len(found) == 50


def test_nearest_among_other_rows():
    vectors, queries = unit(100), unit(5, seed=1)
    found = nearest_among(vectors, queries, 3)
    np.testing.assert_array_equal(found.positions_NK, np.argsort(-(queries @ vectors.T), axis=1)[:, :3])
