import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tolman import cost
from tolman.cost import Cost, Meter, Stopwatch, parse_budget
from tolman.errors import BudgetError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("5m", 300), ("2h", 7200), (" 1.5M ", 90), ("0.5s", 0.5), ("20", 20), ("1.5", 1.5)],
)
def test_budgets(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("seconds", [60, 0.5, 1e-6, 1e6, np.int64(60), np.float32(0.5)])
def test_a_number_is_seconds(seconds: float) -> None:
    assert parse_budget(seconds) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "0s",
        "abc",
        "",
        "-5s",
        "-5",
        "60 s s",
        "60x",
        "s",
        "nan",
        "inf",
        "1e3s",
        "9" * 400 + "h",
        "٣s5",
        True,
        False,
    ],
)
def test_no_budget(text: str | bool) -> None:
    with pytest.raises(BudgetError, match="above zero, like 60s, 5m or 2h, or in seconds; got"):
        parse_budget(text)


def burn(seconds: float) -> str:
    return f"import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass"


def test_cpu_time_of_this_process_and_of_its_children_is_counted() -> None:
    with Meter() as meter:
        exec(burn(0.1))
        subprocess.run([sys.executable, "-c", burn(0.2)], check=True)
    assert 0.28 <= meter.read().cpu_seconds < 2  # the clock ticks in hundredths
    assert meter.read().wall_seconds >= 0.29


def test_sleeping_takes_wall_time_only() -> None:
    with Meter() as meter:
        time.sleep(0.2)
        assert meter.read().wall_seconds >= 0.2  # readable before the end
    assert meter.read().cpu_seconds < 0.15
    assert meter.read() == meter.read()


def test_peak_memory_sees_a_big_allocation() -> None:
    script = """
from tolman.cost import Meter
with Meter() as meter:
    before = meter.read().peak_bytes
    block = b"x" * 200_000_000
print(meter.read().peak_bytes - before)
"""
    grown = int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
    assert 180e6 < grown < 220e6


def test_energy_without_counters_is_cpu_time_times_the_stated_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "RAPL", tmp_path)
    with Meter(watts_per_core=5) as meter:
        exec(burn(0.05))
    got = meter.read()
    assert got.energy_joules == pytest.approx(5 * got.cpu_seconds)
    assert "5 W" in got.energy_method


def test_energy_counters_are_summed_and_may_wrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "RAPL", tmp_path)
    for zone, start in (("intel-rapl:0", 900), ("intel-rapl:1", 100)):
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "energy_uj").write_text(f"{start}000000\n")
        (tmp_path / zone / "max_energy_range_uj").write_text("1000000000\n")
    with Meter() as meter:
        (tmp_path / "intel-rapl:0" / "energy_uj").write_text("50000000\n")  # wrapped: 100 J to the top, 50 J after it
        (tmp_path / "intel-rapl:1" / "energy_uj").write_text("130000000\n")
    assert meter.read().energy_joules == pytest.approx(180)
    assert meter.read().energy_method.startswith("measured")


def test_what_earlier_tries_took_is_counted_too(tmp_path: Path) -> None:
    for tries in (1, 2, 3):
        with Meter() as meter, meter.kept_in(tmp_path / "cost.json"):
            exec(burn(0.1))
            inside = meter.read()
        assert meter.read().cpu_seconds >= inside.cpu_seconds >= 0.08 * tries  # the clock ticks in hundredths
        assert meter.read().wall_seconds >= 0.1 * tries
        assert meter.read().energy_joules >= inside.energy_joules
    kept = Cost.from_json(json.loads((tmp_path / "cost.json").read_text()))
    assert kept.cpu_seconds == pytest.approx(meter.read().cpu_seconds, abs=0.05)
    assert meter.read().energy_method.count("estimated") <= 1


def test_the_count_of_a_try_that_is_killed_is_at_most_a_second_short(tmp_path: Path) -> None:
    script = f"""
import time
from pathlib import Path
from tolman.cost import Meter
with Meter() as meter, meter.kept_in(Path({str(tmp_path / "cost.json")!r})):
    time.sleep(1.5)
    print(meter.read().wall_seconds, flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        counted = float(child.stdout.readline())
        child.kill()
    kept = Cost.from_json(json.loads((tmp_path / "cost.json").read_text()))
    assert kept.wall_seconds > counted - 1.2


def test_a_count_that_cannot_be_kept_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "cost.json").write_text("[damaged")
    with Meter() as meter, meter.kept_in(tmp_path / "cost.json"):
        pass
    with Meter() as meter, meter.kept_in(tmp_path / "no such folder" / "cost.json"):
        pass
    assert meter.read().wall_seconds < 60


def test_a_cost_survives_json() -> None:
    with Meter() as meter:
        pass
    assert Cost.from_json(json.loads(json.dumps(meter.read().to_json()))) == meter.read()


def test_what_a_later_tolman_counts_is_passed_over() -> None:
    cost = Cost(1.0, 2.0, 3, 4.0, "by hand", work={"steps": 5, "tokens": 6, "flops": 7.0}, stages={"reading": 1.0})
    assert Cost.from_json(cost.to_json() | {"carbon": 8}) == cost
    older = {name: value for name, value in cost.to_json().items() if name not in ("work", "stages", "predicted")}
    assert Cost.from_json(older).work is None


def test_of_two_tries_the_later_one_knows_what_was_computed() -> None:
    first = Cost(1.0, 1.0, 1, 1.0, "a", predicted={"wall_seconds": 9.0}, stages={"reading": 1.0})
    second = Cost(1.0, 1.0, 1, 1.0, "a", work={"steps": 5}, stages={"reading": 2.0})
    both = first + second
    assert (both.work, both.stages, both.predicted) == ({"steps": 5}, {"reading": 2.0}, {"wall_seconds": 9.0})


def test_a_stopwatch_counts_stages_and_passes_everything_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    heard: list[object] = []

    class Heard:
        def start(self, stage: str, total: float | None = None) -> None:
            heard.append((stage, total))

        def advance(self, amount: float = 1.0, **facts: float | str) -> None:
            heard.append((amount, facts))

        def say(self, message: str) -> None:
            heard.append(message)

    watch = Stopwatch(Heard())
    for stage, seconds in (("reading", 2.0), ("learning", 3.0), ("reading", 4.0)):
        clock[0] += 1.0
        watch.start(stage, 7)
        watch.advance(2, loss=0.5)
        clock[0] += seconds
    watch.say("done")
    watch.add(10.0, 0.0)
    watch.lap()
    assert watch.wall == {"starting": 1.0, "reading": 17.0, "learning": 4.0}
    stages = [[(stage, 7), (2, {"loss": 0.5})] for stage in ("reading", "learning", "reading")]
    assert heard == [*stages[0], *stages[1], *stages[2], "done"]
