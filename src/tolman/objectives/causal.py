"""Causal language modelling: every token is guessed from those before it.

Bengio et al. 2003; Radford et al. 2018. Windows begin anywhere in the running text, a document's end is a token.

Legend for shapes:
    B  sequences of a batch     L  their length, one less than a window     T = B x L
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tolman.models.learning_transformer import LearningTransformer
from tolman.objectives.windows import Windows


@dataclass(frozen=True)
class Causal:
    """Guess the next token of windows of running text.

    Attributes:
        windows: where sequences are drawn from.
    """

    windows: Windows

    name = "causal"

    @property
    def possible(self) -> bool:
        """Whether there is a window's worth of text."""
        return self.windows.possible

    def loss(self, model: LearningTransformer, generator: np.random.Generator) -> Tensor:
        """Mean cross entropy of all tokens but the first of each window, in nats."""
        ids_BL = torch.from_numpy(self.windows.draw(generator)).to(model.device)
        seen_BL, next_T = ids_BL[:, :-1], ids_BL[:, 1:].reshape(-1)
        return model.token_loss(seen_BL, torch.arange(len(next_T), device=model.device), next_T, causal=True)
