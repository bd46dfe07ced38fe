"""How two kinds of evidence make one ranking.

Legend for shapes:
    M  candidates of one query
    Q  queries
    N  documents
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class HybridRanking:
    """Sum of normalised scores: cosine + lexical_weight * BM25 / best BM25 of the query.

    A sum, not rank fusion (Bruch et al. 2023, arXiv:2210.11934), which throws away how far apart scores are. The
    cosine is on one scale for all queries already. Seven normalisations were compared on four collections (z-scores
    over all documents or over the candidates, maxima, global means): at their best weights they were within .005 of
    each other; this one doesn't depend on which candidates were fetched.

    Attributes:
        lexical_weight: of BM25; 0 leaves the order of the cosines.
    """

    lexical_weight: float

    def score(self, cosines_M: Numbers, bm25_M: Numbers) -> NDArray[np.float32]:
        """One score a candidate (M,), higher is better. BM25 is 0 where no word is shared."""
        best = float(bm25_M.max(initial=0.0))
        return (cosines_M + self.lexical_weight * bm25_M / best if best > 0 else cosines_M).astype(np.float32)

    def score_all(self, cosines_QN: Numbers, bm25_QN: Numbers) -> NDArray[np.float32]:
        """The same for several queries, each of which every document is a candidate of (Q, N)."""
        return np.stack([self.score(c, b) for c, b in zip(cosines_QN, bm25_QN, strict=True)])
