"""Successive halving over recipes of a static encoder (Jamieson and Talwalkar 2016, arXiv:1502.07943).

Many candidates are trained briefly, the best third of them three times as long, and so on while there is time. Where
we differ: what goes up a rung is trained anew, not on. Its learning rate is annealed to its own end, so every trial is
what its recipe alone would give, and the steps that it was trained for are one of the numbers that are chosen.

Legend for shapes:
    A  documents that the judge asked for
    C  candidates
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tolman.models.encoder import Floats
from tolman.recipe import ScratchRecipe

ETA = 3
"""How many times longer, and how many times fewer, from one rung to the next."""
_TEMPERATURES = (0.05, 0.08, 0.12, 0.2, 0.3)
_DROPOUTS = (0.3, 0.6, 0.8)
_HEADS_SHARES = (0.5, 0.75, 1.0)  # no smaller: the judge asks for sentences, and favours who learned from spans alone
_RATES = (0.5, 1.0, 2.0)  # times the usual one
_DIMENSIONS = (0.5, 1.0)  # times the usual ones
_MIXED = 60  # drawn from the whole space, after those that differ in one number
_RESAMPLED = 1_000


def candidates(usual: ScratchRecipe, *, seed: int) -> Iterator[ScratchRecipe]:
    """Recipes that differ from the usual one in one number, the most telling first; then such as differ in several.

    All have the steps of the usual one, and each comes once.
    """
    seen = {usual}
    for recipe in (*_neighbours(usual), *_mixed(usual, seed)):
        if recipe not in seen:
            seen.add(recipe)
            yield recipe


def _neighbours(usual: ScratchRecipe) -> Iterator[ScratchRecipe]:
    yield from (replace(usual, temperature=value) for value in reversed(_TEMPERATURES))
    yield from (replace(usual, document_dropout=value) for value in reversed(_DROPOUTS))
    yield from (replace(usual, rate=usual.rate * times) for times in _RATES)
    yield from (replace(usual, heads_share=value) for value in _HEADS_SHARES)
    yield from (replace(usual, dim=max(1, round(usual.dim * times))) for times in _DIMENSIONS)


def _mixed(usual: ScratchRecipe, seed: int) -> Iterator[ScratchRecipe]:
    generator = np.random.default_rng([seed, 9])
    for _ in range(_MIXED):
        yield replace(
            usual,
            temperature=float(generator.choice(_TEMPERATURES)),
            document_dropout=float(generator.choice(_DROPOUTS)),
            heads_share=float(generator.choice(_HEADS_SHARES)),
            rate=usual.rate * float(generator.choice(_RATES)),
            dim=max(1, round(usual.dim * float(generator.choice(_DIMENSIONS)))),
        )


@dataclass(frozen=True)
class Rung:
    """How many candidates are trained, and for how many steps each."""

    candidates: int
    steps: int


def rungs(steps: int, affordable: float, judged: float = math.inf) -> list[Rung]:
    """Rungs at a third, all and three times `steps`, as many candidates as fit; none where there is no time for one.

    Args:
        steps: of the usual recipe.
        affordable: steps that there is time for in all.
        judged: trials that there is time for to judge.
    """
    for lengths in ((steps / ETA, steps, steps * ETA), (steps / ETA, steps), (steps,)):
        fewest = ETA ** (len(lengths) - 1)
        built = _built(lengths, fewest)
        if _cost(built) > affordable or _trials(built) > judged:
            continue
        count = fewest
        while (
            _cost(larger := _built(lengths, count + 1)) <= affordable and _trials(larger) <= judged and count < _MIXED
        ):
            built, count = larger, count + 1
        return built
    return []


def _built(lengths: Sequence[float], count: int) -> list[Rung]:
    return [Rung(max(1, count // ETA**level), max(1, round(length))) for level, length in enumerate(lengths)]


def _cost(built: Sequence[Rung]) -> int:
    return sum(rung.candidates * rung.steps for rung in built)


def _trials(built: Sequence[Rung]) -> int:
    return sum(rung.candidates for rung in built)


@dataclass(frozen=True)
class Certainty:
    """How sure the judge is of its choice.

    Attributes:
        best: how often the chosen candidate is the best one when the judge's documents are drawn anew, 0 to 1.
        lead: mean grade of the chosen candidate less that of the usual recipe.
        error: standard error of `lead`, over documents.
        regret: grade that the chosen candidate lacks to the best one, in the mean over draws.
    """

    best: float
    lead: float
    error: float
    regret: float

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {"best": self.best, "lead": self.lead, "error": self.error, "regret": self.regret}


def certainty(grades_CA: Floats, chosen: int, usual: int, *, seed: int) -> Certainty:
    """By the bootstrap over documents (Efron 1979), all candidates on the same draws.

    Args:
        grades_CA: of every candidate for every document.
        chosen, usual: rows.
        seed: of the draws.
    """
    asked = grades_CA.shape[1]
    draws_RA = np.random.default_rng([seed, 10]).multinomial(asked, np.full(asked, 1 / asked), _RESAMPLED) / asked
    means_RC = draws_RA @ grades_CA.T.astype(np.float64)
    best_R = means_RC.max(axis=1)
    lead_A = grades_CA[chosen].astype(np.float64) - grades_CA[usual]
    return Certainty(
        best=float((means_RC[:, chosen] >= best_R - 1e-12).mean()),
        lead=float(lead_A.mean()),
        error=float(lead_A.std() / np.sqrt(asked)),
        regret=float((best_R - means_RC[:, chosen]).mean()),
    )
