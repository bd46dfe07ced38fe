"""Time and memory of making a space from documents and an encoder; learning is left out.

    OMP_NUM_THREADS=1 python benchmarks/space.py --data DATA [--sizes 20000,200000] [--encoder FOLDER]

The documents are four-sentence runs of Wikipedia. The encoder is the LSA start that `tolman learn` makes from the first
20,000 of them, or the one in --encoder. Each size runs in a process of its own, whose peak memory is counted from its
start.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import Cell, write_result
from wiki import paragraphs

import tolman
from tolman.progress import Silent
from tolman.space.space import LatentSpace


class Stopwatch(Silent):
    """Seconds of each stage."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self._stage, self._began = "", time.perf_counter()

    def start(self, stage: str, total: float | None = None) -> None:
        self.stop()
        self._stage = stage

    def stop(self) -> None:
        now = time.perf_counter()
        if self._stage:
            self.stages[self._stage] = now - self._began
        self._began = now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sizes", default="20000,200000")
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(build(*map(Path, options.one))))
        return
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory() as folder:
        encoder = options.encoder or learn_encoder(options.data, Path(folder))
        for size in map(int, options.sizes.split(",")):
            source = write_documents(options.data, size, Path(folder))
            command = [sys.executable, __file__, "--one", str(source), str(encoder), f"{folder}/{size}.space"]
            rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
    write_result(
        "space", rows, "Seconds of wall clock; peak memory of the whole process, interpreter and imports included."
    )


def build(source: Path, encoder_folder: Path, target: Path) -> dict[str, Cell]:
    """One line of the table, measured in this process."""
    encoder = tolman.load_encoder(encoder_folder)
    began = time.perf_counter()
    corpus = tolman.read_corpus(source)
    read, before = time.perf_counter() - began, peak_mb()
    watch = Stopwatch()
    began = time.perf_counter()
    space = LatentSpace.create(target, corpus, encoder, progress=watch)
    made = time.perf_counter() - began
    watch.stop()
    return {
        "documents": len(space),
        "encoder": f"{encoder.family} {encoder.dim}-d",
        "read s": read,
        "create s": made,
        **{f"{stage} s": seconds for stage, seconds in watch.stages.items()},
        "peak MB": peak_mb(),
        "peak MB before create": before,
        "vectors MB": len(space) * space.dim * 4 / 1e6,
        "on disk MB": sum(file.stat().st_size for file in target.rglob("*") if file.is_file()) / 1e6,
    }


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def learn_encoder(data: Path, folder: Path) -> Path:
    corpus = tolman.Corpus.from_documents(paragraphs(data, 20_000))
    return tolman.learn(corpus, folder / "learned.space", objectives="none", budget="60s").path / "encoder"


def write_documents(data: Path, count: int, folder: Path) -> Path:
    path = folder / f"{count}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for document in paragraphs(data, count):
            row = {"id": document.id, "title": document.title, "text": document.text, **document.metadata}
            file.write(json.dumps(row) + "\n")
    return path


if __name__ == "__main__":
    main()
