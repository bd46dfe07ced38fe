"""What every objective is: batches from a corpus, a loss from a model."""

from typing import Protocol, TypeVar

import numpy as np
from torch import Tensor

Model = TypeVar("Model", contravariant=True)


class Objective(Protocol[Model]):
    """One way to learn from text without labels.

    Attributes:
        name: how `--objectives` calls it.
    """

    @property
    def name(self) -> str: ...

    def loss(self, model: Model, generator: np.random.Generator) -> Tensor:
        """Draw a batch with `generator` and return its scalar loss under `model`, in nats, with gradients."""
        ...
