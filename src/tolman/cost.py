"""What a run costs: a budget read before it, time, memory and energy counted during it.

Energy is read from the processor's own counters where the system shows them (RAPL, Linux), and otherwise estimated as
CPU seconds times a stated power per busy core. The default power is the figure that Lannelongue, Grealey and Inouye
("Green Algorithms", Advanced Science 2021) use for a processor they know nothing about; memory, cooling and idle power
are left out, theirs are not.
"""

import json
import math
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from numbers import Real
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from tolman.errors import BudgetError
from tolman.progress import Progress

WATTS_PER_CORE = 12.0
RAPL = Path("/sys/class/powercap")
STATUS = Path("/proc/self/status")

_KEEP_EVERY_S = 1.0
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_budget(budget: str | float) -> float:
    """The seconds in "60s", "5m", "1.5h"; a number, also as text, is seconds already.

    Raises:
        BudgetError: neither a number nor text of one, with a unit or without, or not more than zero.
    """
    if isinstance(budget, Real) and not isinstance(budget, bool):
        seconds = float(budget)
    else:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(budget).strip().lower())
        seconds = float(match[1]) * _SECONDS[match[2] or "s"] if match else 0.0
    if not 0 < seconds < math.inf:
        raise BudgetError(f"expected a budget above zero, like 60s, 5m or 2h, or in seconds; got {budget!r}")
    return seconds


@dataclass(frozen=True, slots=True)
class Work:
    """What training computed, all that was tried together.

    Attributes:
        steps: of the optimiser.
        tokens: that the model read.
        flops: floating-point operations, see `tolman.effort`; 0 where nobody has a formula.
    """

    steps: int = 0
    tokens: int = 0
    flops: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        """Of both."""
        return Work(self.steps + other.steps, self.tokens + other.tokens, self.flops + other.flops)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took.

    Attributes:
        wall_seconds: from start to end.
        cpu_seconds: of all threads, and of child processes that have ended.
        peak_bytes: the most memory the process has held since it was started, which may be before this run began.
        energy_joules: as `energy_method` says.
        energy_method: how the energy was come by, in words.
        work: what training computed, as `Work`; None where nothing was trained, or nobody counted.
        stages: seconds of wall clock that each stage of the last try took, by its name.
        predicted: the same before the run, and what the guess rests on (`tolman.prediction`); None where nobody asked.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    energy_joules: float
    energy_method: str
    work: Mapping[str, Any] | None = None
    stages: Mapping[str, float] = field(default_factory=dict)
    predicted: Mapping[str, Any] | None = None

    def __add__(self, later: "Cost") -> "Cost":
        """Of two tries at the same work; the peak is that of the hungrier."""
        methods = dict.fromkeys((self.energy_method, later.energy_method))
        return Cost(
            self.wall_seconds + later.wall_seconds,
            self.cpu_seconds + later.cpu_seconds,
            max(self.peak_bytes, later.peak_bytes),
            self.energy_joules + later.energy_joules,
            "; then ".join(methods),
            later.work or self.work,
            later.stages or self.stages,
            later.predicted or self.predicted,
        )

    def to_json(self) -> dict[str, Any]:
        """A mapping that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Self:
        """The cost that `to_json` wrote; what a later Tolman has added is passed over."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in written.items() if name in known})


class Meter:
    """Counts what happens inside its block: `with Meter() as meter: ...`, then `meter.read()`."""

    def __init__(self, watts_per_core: float = WATTS_PER_CORE) -> None:
        self.watts_per_core = watts_per_core
        self._cost: Cost | None = None
        self._earlier: Cost | None = None

    def __enter__(self) -> Self:
        self._cost = self._earlier = None
        self._wall, self._cpu, self._rapl = time.perf_counter(), cpu_seconds(), _rapl_counters()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cost = self._measure()

    def read(self) -> Cost:
        """The cost of the block; inside it, the cost so far."""
        return self._cost or self._measure()

    @contextmanager
    def kept_in(self, path: Path) -> Iterator[None]:
        """Keep the cost so far in `path`, once a second, and count what earlier tries at the same work kept there.

        What a kill takes away is then less than a second of the count.
        """
        self._earlier = _read(path)
        done = Event()

        def keep() -> None:
            while True:
                _write(self.read(), path)
                if done.wait(_KEEP_EVERY_S):
                    return

        keeper = Thread(target=keep, daemon=True)
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.join()
            _write(self.read(), path)

    def _measure(self) -> Cost:
        cpu = cpu_seconds() - self._cpu
        measured = _rapl_joules(self._rapl, _rapl_counters())
        if measured is None:
            energy, method = (
                cpu * self.watts_per_core,
                f"estimated: CPU seconds x {self.watts_per_core:g} W per busy core",
            )
        else:
            energy, method = measured, "measured: processor counters (RAPL), everything on this machine included"
        cost = Cost(time.perf_counter() - self._wall, cpu, peak_bytes(), energy, method)
        return self._earlier + cost if self._earlier else cost


class Stopwatch:
    """A `Progress` that tells another one everything, and keeps how long each stage took.

    Attributes:
        watcher: the other one.
        wall, cpu: seconds by stage; one that is begun again goes on counting. "starting" is what came before the first.
    """

    def __init__(self, watcher: Progress) -> None:
        self.watcher = watcher
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self._stage, self._since = "starting", (time.perf_counter(), cpu_seconds())

    def start(self, stage: str, total: float | None = None) -> None:
        """Another stage."""
        self.lap()
        self._stage = stage
        self.watcher.start(stage, total)

    def advance(self, amount: float = 1.0, **facts: float | str) -> None:
        """Nothing of its own."""
        self.watcher.advance(amount, **facts)

    def say(self, message: str) -> None:
        """Nothing of its own."""
        self.watcher.say(message)

    def lap(self) -> None:
        """Count the stage that runs up to now."""
        now = time.perf_counter(), cpu_seconds()
        self.add(now[0] - self._since[0], now[1] - self._since[1])
        self._since = now

    def add(self, wall: float, cpu: float) -> None:
        """Seconds that the stage that runs would have taken beside those it takes."""
        self.wall[self._stage] = self.wall.get(self._stage, 0.0) + wall
        self.cpu[self._stage] = self.cpu.get(self._stage, 0.0) + cpu


def _read(path: Path) -> Cost | None:
    try:
        return Cost.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(cost: Cost, path: Path) -> None:
    """Whole or not at all. A count that can't be kept is no reason to stop the work that it counts."""
    beside = path.with_name(f"{path.name}.partial")
    with suppress(OSError):
        beside.write_text(json.dumps(cost.to_json()), encoding="utf-8")
        beside.replace(path)


def cpu_seconds() -> float:
    """CPU time this process and its ended children have used so far."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak_bytes() -> int:
    """The most resident memory this process has held so far."""
    if STATUS.exists():  # Linux: unlike ru_maxrss, its high-water mark doesn't begin at that of the parent process
        return _status_bytes("VmHWM")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def resident_bytes() -> int:
    """The resident memory this process holds now; where the system doesn't say, the most it has held."""
    return _status_bytes("VmRSS") if STATUS.exists() else peak_bytes()


def _status_bytes(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def _rapl_counters() -> dict[Path, int]:
    """Microjoules of each processor package; empty where there is no counter or it may not be read."""
    try:
        return {zone: int((zone / "energy_uj").read_text()) for zone in sorted(RAPL.glob("intel-rapl:?"))}
    except OSError:
        return {}


def _rapl_joules(before: Mapping[Path, int], after: Mapping[Path, int]) -> float | None:
    if not before or before.keys() != after.keys():
        return None
    total = 0
    for zone, start in before.items():
        spent = after[zone] - start
        total += spent if spent >= 0 else spent + int((zone / "max_energy_range_uj").read_text())  # the counter wrapped
    return total / 1e6
