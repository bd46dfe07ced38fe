"""The static encoder while it learns: the same sum as `StaticEncoder`, in torch, with gradients.

Legend for shapes:
    B  texts of a batch
    V  tokens of the vocabulary
    D  dimensions
    E  (text, distinct token) entries of a batch
"""

import numpy as np
import scipy.sparse as sparse
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from tolman.models.encoder import Floats, Role
from tolman.models.static import StaticEncoder, TermSaturation
from tolman.tokenization import TokenSequences


class StaticTrunk(nn.Module):
    """Token table and term weights, to be learned.

    The importance of a token is a factor of its own, on a logarithmic scale, though the finished table folds it in: learned
    with the row alone it moved too slowly (scifact nDCG@10 .652 against .669).
    """

    def __init__(self, table_VD: Floats, importance_V: Floats, saturation: TermSaturation) -> None:
        super().__init__()
        self.saturation = saturation
        self.table_VD = nn.Parameter(torch.from_numpy(table_VD.copy()))
        self.log_importance_V = nn.Parameter(torch.from_numpy(np.log(np.maximum(importance_V, 1e-3))))

    @property
    def device(self) -> torch.device:
        """Where the table is."""
        return self.table_VD.device

    def weighted_table(self) -> Tensor:
        """(V, D), importance folded in. Taken once a step and given to `forward`, for it costs as much as a small batch."""
        return self.table_VD * self.log_importance_V.exp()[:, None]

    def forward(self, texts: TokenSequences, role: Role, table_VD: Tensor) -> Tensor:
        """Unit vectors (B, D)."""
        bags = term_counts(texts, len(table_VD))
        if role == "query":
            weights_E = self.saturation.query(bags.data)
        else:
            lengths_E = np.repeat(texts.lengths.astype(np.float32), np.diff(bags.indptr))
            weights_E = self.saturation.document(bags.data, lengths_E)
        sums_BD = functional.embedding_bag(
            torch.from_numpy(bags.indices.astype(np.int64)).to(self.device),
            table_VD,
            torch.from_numpy(bags.indptr[:-1].astype(np.int64)).to(self.device),
            per_sample_weights=torch.from_numpy(weights_E).to(self.device),
            mode="sum",
        )
        return functional.normalize(sums_BD, dim=1)

    def finished(self, tokenizer: Tokenizer) -> StaticEncoder:
        """The encoder as it stands now."""
        with torch.no_grad():
            return StaticEncoder(tokenizer, self.weighted_table().cpu().numpy(), self.saturation)


def term_counts(texts: TokenSequences, vocabulary: int) -> sparse.csr_matrix:
    """How often each token stands in each text: sparse (N, V), float32."""
    ones: NDArray[np.float32] = np.ones(len(texts.ids), np.float32)
    counts = sparse.csr_matrix((ones, texts.ids.copy(), texts.offsets.copy()), shape=(len(texts), vocabulary))
    counts.sum_duplicates()  # in place, hence the copies above
    return counts
