"""Does `tolman learn --dry-run` tell what a run will cost?

    python benchmarks/cost.py --data DIR [--only NAME] [--repeats 3]

Each run is predicted in a process of its own, then made in another, by the same command, one right after the other; and
again. Every number is predicted / counted, the middle one of the repetitions. Seconds beside the budget are those of
all stages but the start and learning.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from report import Cell, write_result
from sets import SETS

from tolman.prediction import WITHIN_THE_BUDGET, grouped


@dataclass(frozen=True)
class Case:
    documents: str  # a name in SETS
    options: tuple[str, ...]


CASES = {
    "static, small": Case("cranfield", ("--budget", "30s")),
    "static, large": Case("reuters", ("--budget", "60s")),
    "transformer, tiny": Case("cranfield", ("--budget", "60s", "--base", "transformer", "--size", "tiny")),
}
NOTES = (
    "predicted / counted. FLOPs of both sides by the same formula (tolman/effort.py), times the steps. wall and CPU: "
    "of the whole run. Both sides shared the machine with whatever else ran on it."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    chosen = [options.only] if options.only else list(CASES)
    rows = [compare(name, CASES[name], options.data, options.repeats) for name in chosen]
    write_result("cost", rows, f"{NOTES} Repetitions: {options.repeats}.")


def compare(name: str, case: Case, data: Path, repeats: int) -> dict[str, Cell]:
    with tempfile.TemporaryDirectory() as folder:
        source = write_documents(case.documents, data, Path(folder) / "documents.jsonl")
        pairs = [measure(source, Path(folder) / "x.space", case) for _ in range(repeats)]
    ratios = [{key: predicted[key] / counted[key] for key in counted} for predicted, counted in pairs]
    _, counted = pairs[-1]
    row: dict[str, Cell] = {"run": name, "documents": case.documents}
    row |= {"seconds": counted["wall"], "steps": counted["steps"], "rehearsed in s": pairs[-1][0]["took"]}
    return row | {f"{key}, ratio": statistics.median(ratio[key] for ratio in ratios) for key in counted}


def write_documents(name: str, data: Path, path: Path) -> Path:
    documents = SETS[name](data)
    with path.open("w", encoding="utf-8") as file:
        for id_, title, text in zip(documents.ids, documents.titles, documents.texts, strict=True):
            file.write(json.dumps({"id": id_, "title": title, "text": text}) + "\n")
    return path


def measure(source: Path, space: Path, case: Case) -> tuple[dict[str, float], dict[str, float]]:
    """(predicted, counted), by the same keys and `took`."""
    command = [sys.executable, "-m", "tolman", "learn", str(source), "-o", str(space), *case.options]
    said = subprocess.run([*command, "--dry-run", "--json"], check=True, stdout=subprocess.PIPE).stdout
    predicted = json.loads(said)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    cost = json.loads((space / "space.json").read_text())["cost"]
    counted = facts(cost, grouped(cost["stages"]))
    print(json.dumps({"predicted": predicted, "counted": cost}), file=sys.stderr)
    return facts(predicted, predicted["stages"]) | {"took": predicted["took_seconds"]}, counted


def facts(cost: dict[str, Any], stages: dict[str, float]) -> dict[str, float]:
    return {
        "beside the budget": sum(seconds for name, seconds in stages.items() if name not in WITHIN_THE_BUDGET),
        "wall": cost["wall_seconds"],
        "CPU": cost["cpu_seconds"],
        **{name: cost["work"][name] for name in ("steps", "tokens", "flops")},
        "peak memory": cost["peak_bytes"],
        "energy": cost["energy_joules"],
    }


if __name__ == "__main__":
    main()
