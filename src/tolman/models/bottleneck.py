"""From the states of a text to a few small latent vectors, and back to what a decoder begins with.

Legend for shapes:
    N  texts     K  latent vectors of each     E  numbers of a latent vector     H  width of a state
    B  texts of one length     L  their tokens
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tolman.models.trunk import Linear, runs


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """K learned queries look at the states, each for its own latent vector; every latent vector becomes a prefix row.

    Attributes:
        queries_KH: what each looks for.
        narrow: from H to E.
        widen: from E to H.
    """

    queries_KH: Tensor
    narrow: Linear
    widen: Linear

    @property
    def numbers(self) -> int:
        """K x E: all that is kept of a text."""
        return len(self.queries_KH) * len(self.narrow.weight)

    def latents(self, states_TH: Tensor, lengths: Sequence[int]) -> Tensor:
        """Latent vectors (N, K, E), each of norm sqrt(E), of texts whose states lie one after the other."""
        looked = [
            self._look(states_TH[start : start + count * length].view(count, length, -1))
            for start, count, length in runs(lengths)
        ]
        latents_NKE = self.narrow(torch.cat(looked)).float()
        return functional.layer_norm(latents_NKE, latents_NKE.shape[-1:])

    def _look(self, states_BLH: Tensor) -> Tensor:
        scale = states_BLH.shape[-1] ** -0.5
        shares_BLK = (states_BLH @ self.queries_KH.to(states_BLH.dtype).T * scale).softmax(dim=1)
        looked_BKH: Tensor = shares_BLK.transpose(1, 2) @ states_BLH
        return looked_BKH

    def rows(self, latents_NKE: Tensor) -> Tensor:
        """Prefix rows (N, K, H)."""
        rows_NKH: Tensor = self.widen(latents_NKE).float()
        return rows_NKH
