"""How a run went: losses and held-out quality over time."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Moment:
    """One point of a curve.

    Attributes:
        step, seconds: where in the run.
        losses: in nats, by objective.
        quality: nDCG@10 on held-out questions; None where it wasn't measured.
    """

    step: int
    seconds: float
    losses: Mapping[str, float]
    quality: float | None


@dataclass(frozen=True)
class LearningCurve:
    """A run from its start to its end.

    Attributes:
        name: of what was learned.
        moments: in order of time.
        resumed: steps at which a run that had been killed went on.
    """

    name: str
    moments: tuple[Moment, ...]
    resumed: tuple[int, ...] = ()

    @classmethod
    def of(cls, name: str, points: Iterable[Mapping[str, Any]], resumed: Sequence[int] = ()) -> "LearningCurve":
        """From JSON values (`tolman.training.Point`); numbers that aren't finite are left out."""
        moments = (
            Moment(int(point["step"]), float(point["seconds"]), _finite(point["losses"]), _number(point["quality"]))
            for point in points
        )
        told = (moment for moment in moments if moment.losses or moment.quality is not None)
        return cls(name, tuple(sorted(told, key=lambda moment: moment.seconds)), tuple(resumed))

    def __bool__(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self.moments)

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names, in the order in which they first appear."""
        return tuple(dict.fromkeys(name for moment in self.moments for name in moment.losses))

    def loss(self, objective: str) -> list[tuple[float, float]]:
        """(seconds, nats) of one objective."""
        return [(moment.seconds, moment.losses[objective]) for moment in self.moments if objective in moment.losses]

    @property
    def quality(self) -> list[tuple[float, float]]:
        """(seconds, nDCG@10)."""
        return [(moment.seconds, moment.quality) for moment in self.moments if moment.quality is not None]

    @property
    def resumptions(self) -> list[tuple[float, int]]:
        """(seconds, step) of each."""
        first = ((step, next((m for m in self.moments if m.step >= step), None)) for step in self.resumed)
        return [(moment.seconds, step) for step, moment in first if moment]

    @property
    def summary(self) -> str:
        """The run in one line."""
        last = self.moments[-1]
        told = [f"{last.step:,} steps in {spell_seconds(last.seconds)}"]
        told += [f"{name} {course[0][1]:.3g} to {course[-1][1]:.3g} nats" for name, course in self._losses()]
        if self.quality:
            told.append(f"held-out nDCG@10 {self.quality[0][1]:.3f} to {self.quality[-1][1]:.3f}")
        return "; ".join(told)

    def _losses(self) -> list[tuple[str, list[tuple[float, float]]]]:
        return [(name, self.loss(name)) for name in self.objectives]


def spell_seconds(seconds: float) -> str:
    """`4.2 s`, `12.5 min`, `3.1 h`."""
    for unit, length in (("s", 1.0), ("min", 60.0)):
        if seconds < 120 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds / 3600:.3g} h"


def _finite(losses: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(loss) for name, loss in losses.items() if _number(loss) is not None}


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
