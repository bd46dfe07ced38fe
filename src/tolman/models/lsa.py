"""Latent semantic analysis: where the static encoder starts.

Deerwester et al. 1990 (doi:10.1002/(SICI)1097-4571(199009)41:6<391::AID-ASI1>3.0.CO;2-9), on BM25-weighted rather
than raw or logarithmic counts; singular vectors by the randomised method of Halko et al. 2011 (arXiv:0909.4061).

Legend for shapes:
    N  documents
    V  tokens of the vocabulary
    D  dimensions
"""

import numpy as np
from scipy import sparse

from tolman.models.encoder import Floats
from tolman.models.static import TermSaturation
from tolman.models.static_trunk import term_counts
from tolman.tokenization import TokenSequences

_POWER_ITERATIONS = 3


def term_importance(counts_NV: sparse.csr_matrix) -> Floats:
    """BM25's inverse document frequency of every token, divided by its mean: (V,)."""
    documents, vocabulary = counts_NV.shape
    frequency_V = np.bincount(counts_NV.indices, minlength=vocabulary)
    if not frequency_V.any():  # documents of nothing that the tokenizer knows
        return np.ones(vocabulary, np.float32)
    importance_V = np.log1p((documents - frequency_V + 0.5) / (frequency_V + 0.5))
    return np.asarray(importance_V / importance_V[frequency_V > 0].mean(), np.float32)


def latent_semantic_table(
    documents: TokenSequences, vocabulary: int, dim: int, saturation: TermSaturation, *, seed: int
) -> tuple[Floats, Floats]:
    """A table (V, D) of right singular vectors, root-mean-square row norm 1, and the importance (V,) of each token.

    D is smaller than asked where the documents do not span that many dimensions.
    """
    from sklearn.utils.extmath import randomized_svd

    counts_NV = term_counts(documents, vocabulary)
    importance_V = term_importance(counts_NV)
    lengths_E = np.repeat(documents.lengths.astype(np.float32), np.diff(counts_NV.indptr))
    weighted_NV = counts_NV.copy()
    weighted_NV.data = saturation.document(counts_NV.data, lengths_E) * importance_V[counts_NV.indices]
    norms_N = np.sqrt(np.asarray(weighted_NV.multiply(weighted_NV).sum(axis=1)).ravel())
    unit_NV = (sparse.diags(1 / np.maximum(norms_N, 1e-12)) @ weighted_NV).astype(np.float32).tocsr()
    dim = min(dim, len(documents) - 1, vocabulary - 1)
    _, _, right_DV = randomized_svd(unit_NV, max(dim, 1), n_iter=_POWER_ITERATIONS, random_state=seed)
    table_VD = np.ascontiguousarray(right_DV.T, dtype=np.float32)
    return table_VD / np.sqrt((table_VD**2).sum(axis=1).mean()), importance_V
