"""What every benchmark ends with: a table on the screen and a dated file under `results/`."""

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

Cell = str | int | float | None

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    *("tolman", "torch", "numpy", "tokenizers", "transformers", "sentence-transformers"),
    *("faiss-cpu", "pylance", "scikit-learn"),
)


def write_result(name: str, rows: Sequence[Mapping[str, Cell]], notes: str = "") -> Path:
    """Print `rows` as a table and keep them in `results/NAME-DATE.json`.

    Args:
        name: of the benchmark, as in its file name.
        rows: one mapping a line; columns in the order in which they first appear.
        notes: what a reader needs in order to judge the numbers: data, repetitions, what is compared.

    Returns:
        The written file. A second run on one day replaces the first.
    """
    print(format_table(rows))
    if notes:
        print(f"\n{notes}")
    now = datetime.now(UTC)
    result = {
        "benchmark": name,
        "date": now.isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": describe_machine(),
        "versions": _versions(),
        "notes": notes,
        "rows": [dict(row) for row in rows],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{now:%Y-%m-%d}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def format_table(rows: Sequence[Mapping[str, Cell]]) -> str:
    """`rows` as aligned columns; numbers to the right, four significant digits."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [columns, *([_show(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    numeric = [all(isinstance(row.get(column), int | float | None) for row in rows) for column in columns]
    lines = ["  ".join(map(_align, line, widths, numeric)) for line in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def describe_machine() -> dict[str, Cell]:
    """What the numbers depend on: processor, its matrix instructions, GPU, cores, threads, memory."""
    cpuinfo = _read("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.+)", cpuinfo)
    flags = re.search(r"flags\s*:\s*(.+)", cpuinfo)
    known = flags.group(1).split() if flags else []
    memory = re.search(r"MemTotal:\s*(\d+) kB", _read("/proc/meminfo"))
    return {
        "processor": model.group(1).strip() if model else platform.processor(),
        "instructions": " ".join(flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in known),
        "gpu": _gpu(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "unset"),
        "memory_gb": round(int(memory.group(1)) / 2**20, 1) if memory else None,
        "python": platform.python_version(),
    }


def _gpu() -> str | None:
    """Of a process that has PyTorch loaded, which those that compute on a GPU have."""
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None


def _align(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def _show(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.4g}" if abs(cell) < 10_000 else f"{cell:,.0f}"
    return str(cell)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
