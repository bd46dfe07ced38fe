"""How many topics to show: the resolution at which the documents themselves insist on the parts, without labels.

At every resolution the documents are weighed at random (the Bayesian bootstrap, Rubin 1981: a tie counts as much as its
two documents together) and divided anew, several times. A level is worth the share of ties inside its parts beyond
chance (modularity) times how well these divisions agree (adjusted Rand index): the first alone favours one particular
fineness whatever the corpus, the second alone favours three parts over ten. Levels next to each other vouch for each
other. What this chose, against labels: docs/decisions/0012.

Legend for shapes:
    N  documents
    G  groups of documents
    L  levels
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tolman.leiden import Leiden, modularity
from tolman.neighbours import Ints, Weights
from tolman.topics.graph import Contraction
from tolman.topics.partition import mean_agreement

RESOLUTIONS = tuple(2 ** (step / 2) for step in range(-5, 7))
_FIRST_RUNS, _RUNS, _HOPEFUL = 4, 12, 4


@dataclass(frozen=True, slots=True)
class Level:
    """One fineness of the division, as it was weighed.

    Attributes:
        resolution: of modularity.
        topics: mean number of parts.
        effective: as many parts of equal size would be as diverse (inverse Simpson index).
        agreement: adjusted Rand index of divisions of the corpus weighed anew, in the mean.
        modularity: at resolution 1.
        worth: agreement x modularity, with half of the mean of the levels beside it.
    """

    resolution: float
    topics: float = 0.0
    effective: float = 0.0
    agreement: float = 0.0
    modularity: float = 0.0
    worth: float = 0.0


def weigh_levels(contraction: Contraction, resolutions: Sequence[float] = RESOLUTIONS) -> list[Level]:
    """Each resolution, in the order given, the coarsest first. The same draws every time.

    All are looked at with a few runs, and those that are then worth most with many.
    """
    rng = np.random.default_rng(0)
    run = Leiden(len(contraction), contraction.ends_T2)
    drawn = [contraction.weigh(_drawn(contraction, rng)) for _ in range(_RUNS)]
    plain = contraction.weigh(contraction.graph.weights_E)
    parts: list[list[Ints]] = [[] for _ in resolutions]
    levels: list[Level] = [Level(resolution) for resolution in resolutions]

    def look(places: Iterable[int], runs: range) -> None:
        for place in places:
            parts[place] += [run.at(resolutions[place], *drawn[seed], seed) for seed in runs]
            levels[place] = _level(contraction, plain, resolutions[place], parts[place])

    look(range(len(levels)), range(_FIRST_RUNS))
    worth = [level.worth for level in _with_worth(levels)]
    look(sorted(range(len(levels)), key=lambda place: -worth[place])[:_HOPEFUL], range(_FIRST_RUNS, _RUNS))
    return _with_worth(levels)


def _level(contraction: Contraction, plain: tuple[Weights, Weights], resolution: float, parts: Sequence[Ints]) -> Level:
    return Level(
        resolution,
        float(np.mean([found.max() + 1 for found in parts])),
        float(np.mean([_effective(found, contraction.sizes) for found in parts])),
        mean_agreement(parts, contraction.sizes),
        float(np.mean([modularity(contraction.ends_T2, *plain, found) for found in parts])),
    )


def best_level(levels: list[Level]) -> Level:
    """The one worth most; of equals the coarser."""
    return max(levels, key=lambda level: level.worth)


def _effective(parts_G: Ints, sizes_G: Ints) -> float:
    shares = np.bincount(parts_G, sizes_G) / sizes_G.sum()
    return 1 / float((shares**2).sum())


def _drawn(contraction: Contraction, rng: np.random.Generator) -> Weights:
    graph = contraction.graph
    counts_N = rng.exponential(size=len(graph))
    drawn_E: Weights = graph.weights_E * counts_N[graph.ends_E2].prod(axis=1)
    return drawn_E


def _with_worth(levels: list[Level]) -> list[Level]:
    own_L = np.array([level.agreement * level.modularity for level in levels])
    beside_L = np.concatenate([own_L[:1], own_L, own_L[-1:]])
    worth_L = own_L / 2 + (beside_L[:-2] + beside_L[2:]) / 4
    return [replace(level, worth=float(worth)) for level, worth in zip(levels, worth_L, strict=True)]
