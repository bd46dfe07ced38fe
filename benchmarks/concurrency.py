"""Two processes add to one space at once, a third searches: does everything land, does a search ever fail or see half?

python benchmarks/concurrency.py [--additions 20]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import write_result

from tolman.errors import TolmanError
from tolman.space.space import LatentSpace, open_space

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))
from tiny import tiny_corpus, tiny_encoder  # noqa: E402  the tests' documents

START, GROUP = 1_000, 10
CHILD = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from pathlib import Path
from tiny import tiny_corpus
from tolman.space.space import open_space
first, additions = int(sys.argv[2]), int(sys.argv[3])
for turn in range(additions):
    start = first + {GROUP} * turn
    assert open_space(Path(sys.argv[1])).add(tiny_corpus(range(start, start + {GROUP}))).added == {GROUP}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--additions", type=int, default=20)
    additions = parser.parse_args().additions
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shared.space"
        LatentSpace.create(path, tiny_corpus(range(START)), tiny_encoder())
        began = time.perf_counter()
        writers = [
            subprocess.Popen([sys.executable, "-c", CHILD, str(path), str(first), str(additions)])
            for first in (10_000, 20_000)
        ]
        seconds, failed, half = watch(path, writers)
        lasted = time.perf_counter() - began
        landed = len(open_space(path)) - START
    row = {
        "documents added": 2 * additions * GROUP,
        "landed": landed,
        "writers failed": sum(writer.returncode != 0 for writer in writers),
        "searches": len(seconds),
        "searches failed": failed,
        "saw half a commit": half,
        "median search ms": 1_000 * statistics.median(seconds),
        "seconds": lasted,
    }
    write_result(
        "concurrency", [row], f"{additions} additions of {GROUP} by each of two processes; a third opens and searches."
    )
    if landed != 2 * additions * GROUP or failed or half:
        sys.exit(1)


def watch(path: Path, writers: "list[subprocess.Popen[bytes]]") -> tuple[list[float], int, int]:
    """Open and search until the writers are done: seconds of each, how many failed, how many saw half an addition."""
    seconds, failed, half = [], 0, 0
    while any(writer.poll() is None for writer in writers):
        began = time.perf_counter()
        try:
            opened = open_space(path)
            half += len(opened) % GROUP != 0 or len(opened.search("refund arrived", 10)) != 10
        except TolmanError as error:
            print(error, file=sys.stderr)
            failed += 1
        seconds.append(time.perf_counter() - began)
    return seconds, failed, half


if __name__ == "__main__":
    main()
