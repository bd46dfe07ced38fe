"""What every objective is: batches from a corpus, a loss from a model."""

from typing import Protocol, TypeVar

import numpy as np
from torch import Tensor

ModelT_contra = TypeVar("ModelT_contra", contravariant=True)


class Objective(Protocol[ModelT_contra]):
    """One way to learn from text without labels.

    Attributes:
        name: how `--objectives` calls it.
    """

    @property
    def name(self) -> str:
        """See above."""
        ...

    @property
    def possible(self) -> bool:
        """Whether the corpus holds anything that it can learn by."""
        ...

    def loss(self, model: ModelT_contra, generator: np.random.Generator) -> Tensor:
        """Draw a batch with `generator` and return its scalar loss under `model`, in nats, with gradients."""
        ...
