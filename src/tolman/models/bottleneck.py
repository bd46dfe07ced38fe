"""From the states of a text to a few small latent vectors, and back to what a decoder begins with.

The latent vectors share a text among them: each begins as what stands at its own place (the k-th token of a text of no
more tokens than there are latent vectors; of a longer one, the k-th of as many equal stretches), and learns to look
elsewhere by what the states say. Queries that find their places by content alone, as in the Perceiver (Jaegle et al.
2021, arXiv:2103.03206), must first learn to part the work, which takes longer than all of our training.

Legend for shapes:
    N  texts     K  latent vectors of each     E  numbers of a latent vector     H  width of a state
    B  texts of one length     L  their tokens
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tolman.models.packing import runs
from tolman.models.trunk import Linear


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """K learned queries look at the states, each for its own latent vector; every latent vector becomes a prefix row.

    Attributes:
        queries_KH: what each looks for.
        sharpness_K: how much each prefers its place: what it takes off the score at a distance of one token.
        narrow: from H to E.
        widen: from E to H.
    """

    queries_KH: Tensor
    sharpness_K: Tensor
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
        scores_BLK = states_BLH @ self.queries_KH.to(states_BLH.dtype).T * scale
        scores_BLK = scores_BLK - self.sharpness_K * self._distances(states_BLH.shape[1]).to(states_BLH.device)
        shares_BLK = scores_BLK.softmax(dim=1).to(states_BLH.dtype)
        looked_BKH: Tensor = shares_BLK.transpose(1, 2) @ states_BLH
        return looked_BKH

    def _distances(self, length: int) -> Tensor:
        """Squared, of each token from the place of each latent vector (L, K); the first token is the frame's."""
        latents = len(self.queries_KH)
        stretch = max(1.0, (length - 1) / latents)
        places_K = 1 + (torch.arange(latents) + 0.5) * stretch - 0.5
        return (torch.arange(length)[:, None] - places_K) ** 2

    def rows(self, latents_NKE: Tensor) -> Tensor:
        """Prefix rows (N, K, H)."""
        rows_NKH: Tensor = self.widen(latents_NKE).float()
        return rows_NKH
