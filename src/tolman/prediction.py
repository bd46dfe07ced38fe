"""What a run will cost, as far as that can be told before it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tolman.cost import Work

GROUPS = {
    "starting": "starting",
    "reading": "reading",
    "questions for the judge": "questions",
    "tokenizer": "start",
    "compiling": "start",
    "tokenizer and start": "start",
    "learning": "learning",
    "judging": "judging",
    "encoding": "encoding",
    "full-text index": "indexing",
    "dense index": "indexing",
}
"""Stages as they are announced, by the names that predictions use."""
WITHIN_THE_BUDGET = ("start", "learning")


@dataclass(frozen=True)
class Prediction:
    """A run's cost before it.

    Attributes:
        stages: seconds of wall clock each, by the names in `GROUPS`.
        wall_seconds, cpu_seconds, peak_bytes, energy_joules, energy_method: as in `tolman.cost.Cost`.
        work: what training will compute; None where nothing is learned.
        step_seconds: of a training step.
        ceiling: FLOP/s of a large matrix product on this machine, in the precision that learning uses.
        utilization: share of it that training reaches; None where nobody has a formula.
        took_seconds: to find all this out.
    """

    stages: Mapping[str, float]
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    energy_joules: float
    energy_method: str
    work: Work | None
    step_seconds: float | None
    ceiling: float
    utilization: float | None
    took_seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def grouped(stages: Mapping[str, float]) -> dict[str, float]:
    """Seconds by stage as announced, put together under the names that predictions use."""
    told: dict[str, float] = {}
    for stage, seconds in stages.items():
        name = GROUPS.get(stage, stage)
        told[name] = told.get(name, 0.0) + seconds
    return told


def show_flops(flops: float) -> str:
    """`3.1 TFLOP`; 0 is of a model that nobody has a formula for."""
    if not flops:
        return "FLOPs not counted"
    for prefix, size in (("P", 1e15), ("T", 1e12), ("G", 1e9)):
        if flops >= size:
            return f"{flops / size:.3g} {prefix}FLOP"
    return f"{flops / 1e6:.3g} MFLOP"


def show_briefly(prediction: Prediction) -> str:
    """The most important in one line."""
    told = [f"{prediction.wall_seconds:,.0f} s in all"]
    if prediction.work:
        told += [f"{prediction.work.steps:,} steps", f"{prediction.work.tokens:,} tokens"]
        told += [show_flops(prediction.work.flops)]
    return ", ".join([*told, f"{prediction.peak_bytes / 2**20:,.0f} MiB"])


def show_prediction(prediction: Prediction) -> list[tuple[str, str]]:
    """(what, how much), for people."""
    rows = [(name, f"{seconds:,.1f} s") for name, seconds in prediction.stages.items()]
    rows.append(("all of it", f"{prediction.wall_seconds:,.1f} s"))
    if prediction.work:
        rows += [("steps", f"{prediction.work.steps:,}"), ("tokens", f"{prediction.work.tokens:,}")]
        rows.append(("computed", show_flops(prediction.work.flops)))
    rows.append(("matrix products", f"{show_flops(prediction.ceiling)}/s at most on this machine"))
    if prediction.utilization is not None:
        rows.append(("of these", f"{prediction.utilization:.0%} in training"))
    rows += [
        ("CPU time", f"{prediction.cpu_seconds:,.1f} s"),
        ("peak memory", f"{prediction.peak_bytes / 2**20:,.0f} MiB"),
        ("energy", f"{prediction.energy_joules / 3600:.2g} Wh ({prediction.energy_method})"),
        ("found out in", f"{prediction.took_seconds:.1f} s"),
    ]
    return rows
