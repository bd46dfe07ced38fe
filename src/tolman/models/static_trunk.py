"""The static encoder while it learns: the same sum as `StaticEncoder`, in torch, with gradients.

Legend for shapes:
    B  texts of a batch
    V  tokens of the vocabulary
    D  dimensions
    E  (text, distinct token) entries of a batch
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from tolman.models.encoder import Floats, Role
from tolman.models.static import StaticEncoder, TermSaturation
from tolman.tokenization import TokenSequences


class StaticTrunk(nn.Module):
    """Token table and term weights, to be learned.

    The importance of a token is a factor of its own, on a logarithmic scale, though the finished table folds it in:
    learned with the row alone it moved too slowly (scifact nDCG@10 .652 against .669).
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

    def forward(self, batches: Sequence[tuple[TokenSequences, Role]]) -> list[Tensor]:
        """Unit vectors (B, D) of each batch.

        All batches share one gather and one scatter: the gradient of the table is as large as the table, however
        small the batch, and making it twice took a quarter of a step.
        """
        bags = [term_counts(texts, len(self.table_VD)) for texts, _ in batches]
        weights = [self._weights(bag, texts, role) for bag, (texts, role) in zip(bags, batches, strict=True)]
        tokens_E = torch.from_numpy(np.concatenate([bag.indices for bag in bags]).astype(np.int64)).to(self.device)
        entries = np.cumsum([0] + [bag.nnz for bag in bags[:-1]])
        starts = [bag.indptr[:-1] + first for bag, first in zip(bags, entries, strict=True)]
        sums = functional.embedding_bag(
            tokens_E,
            self.table_VD,
            torch.from_numpy(np.concatenate(starts).astype(np.int64)).to(self.device),
            per_sample_weights=torch.from_numpy(np.concatenate(weights)).to(self.device)
            * self.log_importance_V.exp()[tokens_E],
            mode="sum",
        )
        return list(torch.split(functional.normalize(sums, dim=1), [len(texts) for texts, _ in batches]))

    def _weights(self, bags: sparse.csr_matrix, texts: TokenSequences, role: Role) -> Floats:
        if role == "query":
            return self.saturation.query(bags.data)
        lengths_E = np.repeat(texts.lengths.astype(np.float32), np.diff(bags.indptr))
        return self.saturation.document(bags.data, lengths_E)

    def finished(self, tokenizer: Tokenizer) -> StaticEncoder:
        """The encoder as it stands now."""
        with torch.no_grad():
            weighted_VD = self.table_VD * self.log_importance_V.exp()[:, None]
            return StaticEncoder(tokenizer, weighted_VD.cpu().numpy(), self.saturation)


def term_counts(texts: TokenSequences, vocabulary: int) -> sparse.csr_matrix:
    """How often each token stands in each text: sparse (N, V), float32."""
    ones: NDArray[np.float32] = np.ones(len(texts.ids), np.float32)
    counts = sparse.csr_matrix((ones, texts.ids.copy(), texts.offsets.copy()), shape=(len(texts), vocabulary))
    counts.sum_duplicates()  # in place, hence the copies above
    return counts
