"""How two kinds of evidence make one ranking.

Legend for shapes:
    M  candidates of one query
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class HybridRanking:
    """Sum of normalised scores: z(cosine) + lexical_weight * z(BM25), over the candidates of the query.

    Measured better than reciprocal-rank fusion (Cormack et al. 2009), which throws away how far apart scores are.

    Attributes:
        lexical_weight: of BM25; 0 leaves the order of the cosines.
    """

    lexical_weight: float

    def score(self, cosines_M: Numbers, bm25_M: Numbers) -> NDArray[np.float32]:
        """One score a candidate (M,), higher is better. BM25 is 0 where no word is shared."""
        return (_standard(cosines_M) + self.lexical_weight * _standard(bm25_M)).astype(np.float32)


def _standard(scores_M: Numbers) -> Numbers:
    """Mean 0 and deviation 1; zeros where all are equal."""
    if not len(scores_M):
        return scores_M
    deviation = float(scores_M.std())
    return (scores_M - scores_M.mean()) / deviation if deviation > 1e-9 else np.zeros_like(scores_M)
