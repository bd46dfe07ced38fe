"""Masked language modelling: some tokens are hidden, and guessed from all the others.

Devlin et al., "BERT" (2019), arXiv:1810.04805: of the tokens to be guessed eight in ten are hidden, one in ten is
another token, one in ten stands as it is. We hide more than their 15 %: small models that see little text learn more
from each pass so (Wettig et al. 2023, arXiv:2202.08005).

Legend for shapes:
    B  sequences of a batch     L  their length     T = B x L     M  tokens that are guessed
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tolman.models.learning_transformer import LearningTransformer
from tolman.objectives.windows import Windows

_REPLACED, _KEPT = 0.1, 0.1


@dataclass(frozen=True)
class Masked:
    """Guess hidden tokens of windows of running text.

    Attributes:
        windows: where sequences are drawn from.
        share: of tokens that are guessed.
    """

    windows: Windows
    share: float = 0.3

    name = "masked"

    @property
    def possible(self) -> bool:
        """Whether there is a window's worth of text."""
        return self.windows.possible

    def loss(self, model: LearningTransformer, generator: np.random.Generator) -> Tensor:
        """Mean cross entropy of the guessed tokens, in nats."""
        ids_BL = self.windows.draw(generator)
        assert model.frame.mask is not None
        ids_T = ids_BL.ravel()
        guessed_T, seen_T = hide(ids_T, self.share, model.frame.mask, self.windows.vocabulary, generator)
        seen_BL = torch.from_numpy(seen_T.reshape(ids_BL.shape)).to(model.device)
        places_M = torch.from_numpy(np.flatnonzero(guessed_T)).to(model.device)
        targets_M = torch.from_numpy(ids_T[guessed_T]).to(model.device)
        return model.token_loss(seen_BL, places_M, targets_M, causal=False)


def hide(
    ids_T: NDArray[np.int64], share: float, mask: int, vocabulary: int, generator: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """(which tokens are guessed (T,), what stands in their places and all others (T,)).

    As many are guessed every time: a product of another size makes the processor's library prepare, and keep, another
    program for it.
    """
    guessed_T = np.zeros(len(ids_T), bool)
    guessed_T[generator.permutation(len(ids_T))[: max(1, round(share * len(ids_T)))]] = True
    fate_T = generator.random(len(ids_T))
    seen_T = ids_T.copy()
    seen_T[guessed_T & (fate_T >= _REPLACED + _KEPT)] = mask
    replaced_T = guessed_T & (fate_T < _REPLACED)
    seen_T[replaced_T] = generator.integers(0, vocabulary, int(replaced_T.sum()))
    return guessed_T, seen_T
