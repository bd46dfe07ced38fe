"""How many floating-point operations a training step takes, counted over batches as the run draws them.

Nothing is computed for it: objectives draw their batches as ever, but from a stand-in for the model that only notes
what it was asked for. An operation is one multiplication or one addition of the forward pass, the gradients (twice the
forward pass) and the optimiser. What is looked up, normalised or activated counts nothing.

A matrix product with P weights takes 6 P a token (Kaplan et al. 2020, arXiv:2001.08361). We differ in two things: each
token counts only the weights that it passes (a table of words is a product where tokens are guessed, a look-up
elsewhere), and attention over a sequence of L tokens adds 12 L^2 H a layer. States that are made again on the way back
count once: that is memory saved, not something learned. A static encoder multiplies a row of D numbers by a weight for
each distinct token of a text: 6 D. AdamW takes 14 a number; a step of Muon on an (m, n) matrix, m <= n, takes five
times 4 m^2 n + 2 m^3.

Legend for shapes:
    B  pairs of a batch     T  tokens     H  width     D  dimensions     M  tokens that are guessed
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tolman.models.encoder import Role
from tolman.models.learning_transformer import Frame, LearningTransformer
from tolman.models.static_trunk import StaticTrunk, term_counts
from tolman.models.trunk import Linear
from tolman.objectives.objective import Objective
from tolman.optimization import Group
from tolman.tokenization import TokenSequences

_DRAWN = 8  # steps
_ADAMW = 14
_NEWTON_SCHULZ = 5  # iterations of Muon


@dataclass(frozen=True)
class Effort:
    """Of one training step, in the mean.

    Attributes:
        tokens: that the model reads.
        passes: operations forward and back.
        optimizer: operations of the step itself.
    """

    tokens: float
    passes: float
    optimizer: float

    @property
    def flops(self) -> float:
        """All of them."""
        return self.passes + self.optimizer


def effort_of_step(
    model: nn.Module,
    objectives: Sequence[tuple[float, Objective[Any]]],
    groups: Sequence[Group],
    *,
    seed: int,
    each: int = 1,
) -> Effort | None:
    """Of the first steps of a run with `seed`, of so many batches of each objective; None for a model that nobody has a
    formula for."""
    make = next((ledger for kind, ledger in LEDGERS.items() if isinstance(model, kind)), None)
    if make is None:
        return None
    ledger = make(model)
    for step in range(_DRAWN):
        for number, (_, objective) in enumerate(objectives):
            ledger.prefixes = getattr(objective, "prefixes", ())
            objective.loss(ledger, np.random.default_rng([seed, step, number]))  # its first batch, as `train` draws it
    steps = sum(map(_optimizer_step, groups))
    return Effort(ledger.tokens * each / _DRAWN, ledger.flops * each / _DRAWN, float(steps))


def _optimizer_step(group: Group) -> int:
    if not group.orthogonal:
        return _ADAMW * sum(parameter.numel() for parameter in group.parameters)
    shapes = [sorted(parameter.shape) for parameter in group.parameters]
    return sum(_NEWTON_SCHULZ * (4 * m * m * n + 2 * m**3) for m, n in shapes)


class _Ledger:
    """Stands in for a model.

    Attributes:
        tokens, flops: so far.
        prefixes: dimensions at which the objective of the moment compares vectors.
    """

    def __init__(self) -> None:
        self.tokens, self.flops = 0, 0
        self.prefixes: Sequence[int] = ()

    def _vectors(self, texts: TokenSequences) -> Tensor:
        return torch.ones(len(texts), 1)

    def _compared(self, pairs: int) -> None:
        self.flops += 6 * pairs * pairs * sum(self.prefixes)


class _StaticLedger(_Ledger):
    """Of a `StaticTrunk`."""

    def __init__(self, model: StaticTrunk) -> None:
        super().__init__()
        self.vocabulary, self.dim = model.table_VD.shape

    def __call__(self, batches: Sequence[tuple[TokenSequences, Role]]) -> list[Tensor]:
        for texts, _ in batches:
            self.tokens += len(texts.ids)
            self.flops += 6 * self.dim * term_counts(texts, self.vocabulary).nnz
        self._compared(len(batches[0][0]))
        return [self._vectors(texts) for texts, _ in batches]


class _TransformerLedger(_Ledger):
    """Of a `LearningTransformer`: every method that objectives call, under its own name."""

    def __init__(self, model: LearningTransformer) -> None:
        super().__init__()
        self.frame, self.framed, self.device = model.frame, model.framed, torch.device("cpu")
        trunk = model.start.trunk
        self.words, self.width, self.layers = model.vocabulary, trunk.width, len(trunk.blocks)
        self.weights = sum(
            part.weight.numel()
            for block in trunk.blocks
            for part in (getattr(block, name) for name in block.__dataclass_fields__)
            if isinstance(part, Linear)
        )
        self.latents, self.numbers = 0, 0
        if model.start.bottleneck is not None:
            self.latents = len(model.start.bottleneck.queries_KH)
            self.numbers = model.start.bottleneck.numbers

    def __call__(self, batches: Sequence[tuple[TokenSequences, Role]]) -> list[Tensor]:
        for texts, role in batches:
            self._read(self.framed(texts, role).lengths)
        self._compared(len(batches[0][0]))
        return [self._vectors(texts) for texts, _ in batches]

    def token_loss(self, ids_BL: Tensor, places_M: Tensor, _targets_M: Tensor, *, causal: bool) -> Tensor:
        self._read(np.full(len(ids_BL), ids_BL.shape[1]))
        self._guess(len(places_M))
        return torch.zeros(())

    def reconstruction_loss(
        self, seen: TokenSequences, written: TokenSequences, hidden: float, generator: np.random.Generator
    ) -> Tensor:
        self._read(self.frame.put(seen).lengths)
        self.flops += 12 * self.latents * self.width * len(self.frame.put(seen).ids)
        self.flops += 12 * self.numbers * self.width * len(seen)
        if hidden and self.frame.mask is not None:
            generator.random(len(written.ids))  # as the model draws, so that later draws are those of the run
        self._read(Frame((0,) * self.latents + self.frame.before, (), None).put(written).lengths)
        self._guess(len(written.ids) + len(written))
        return torch.zeros(())

    def _read(self, lengths: NDArray[Any]) -> None:
        tokens = int(lengths.sum())
        self.tokens += tokens
        self.flops += 6 * self.weights * tokens + 12 * self.layers * self.width * int((lengths**2).sum())

    def _guess(self, tokens: int) -> None:
        self.flops += 6 * tokens * self.width * (self.words + self.width)


LEDGERS: dict[type[nn.Module], Callable[[Any], Any]] = {
    StaticTrunk: _StaticLedger,
    LearningTransformer: _TransformerLedger,
}
"""By the kind of model that learns."""
