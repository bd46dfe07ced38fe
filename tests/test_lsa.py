import warnings

import numpy as np
from scipy import sparse

from tolman.models.lsa import term_importance


def test_rare_tokens_matter_more_and_the_mean_is_one() -> None:
    counts = sparse.csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [2, 0, 0]], np.float32))
    importance = term_importance(counts)
    assert importance[1] > importance[0]
    np.testing.assert_allclose(importance[:2].mean(), 1, rtol=1e-6)


def test_documents_without_a_known_token_are_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(term_importance(sparse.csr_matrix((3, 4), dtype=np.float32)), np.ones(4))
