"""Topics, map and trust of documents whose vectors are given: the whole process, beside BERTopic's with its defaults.

    python benchmarks/topics_and_map.py --spaces A.space B.space [--documents 20000] [--rivals PYTHON] [--repeat 3]

The first documents of these spaces, which must be of one encoder. Every run is a process of its own, from its start to
its end: imports, reading the vectors, whatever is compiled at first use. `topics`, `map`: what of that they took. One
thread. BERTopic (`--rivals`: the Python of an environment with it) makes topics alone: no map, no trust. Runs take
turns; medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from report import Cell, write_result


def gather(spaces: list[Path], documents: int, stored: Path) -> None:
    from tolman import open_space

    opened = [open_space(path) for path in spaces]
    if len({space.description.encoder.fingerprint for space in opened}) != 1:
        raise SystemExit("error: the spaces are of different encoders")
    vectors = np.concatenate([np.array(space.vectors()) for space in opened])[:documents]
    texts = [text for space in opened for text in space.table(["fulltext"])["fulltext"].to_pylist()][:documents]
    np.savez(stored, vectors=vectors, texts=np.array(texts, dtype=object))


def run(python: str, method: str, stored: Path) -> dict[str, float]:
    """One process, and what it took."""
    told, began = stored.with_suffix(".json"), time.perf_counter()
    process = subprocess.Popen([python, __file__, "--child", method, str(stored), str(told)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"error: {method} failed")
    whole = {"CPU s": usage.ru_utime + usage.ru_stime, "wall s": time.perf_counter() - began}
    return whole | {"MB": usage.ru_maxrss / 1024} | json.loads(told.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spaces", nargs="+", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--rivals", help="Python of an environment with bertopic")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    pythons = {"tolman": sys.executable} | ({"bertopic": options.rivals} if options.rivals else {})
    with TemporaryDirectory() as folder:
        stored = Path(folder) / "given.npz"
        gather(options.spaces, options.documents, stored)
        runs: dict[str, list[dict[str, float]]] = {method: [] for method in pythons}
        for _ in range(options.repeat):
            for method, python in pythons.items():
                runs[method].append(run(python, method, stored))
                print(method, runs[method][-1], file=sys.stderr, flush=True)
    rows: list[dict[str, Cell]] = []
    for method, took in runs.items():
        medians = {what: statistics.median(one[what] for one in took) for what in took[0]}
        rows.append({"method": method, "documents": options.documents, **medians})
    write_result("topics-and-map", rows, __doc__ or "")


# ---- in a process of its own


def with_tolman(vectors: np.ndarray, texts: list[str]) -> dict[str, float]:
    from tolman.progress import Silent
    from tolman.projection.growing import make_rows
    from tolman.topics.finding import Material, find

    ids = [str(row) for row in range(len(texts))]
    imported = time.process_time()
    found = find(Material(ids, texts, vectors))
    between = time.process_time()
    made = make_rows(vectors, ids, 0, Silent())
    ended = time.process_time()
    assert len(made.trust_N) == len(texts)
    topics = len(found.tree.at("shown"))
    return {"topics": topics, "topics CPU s": between - imported, "map CPU s": ended - between}


def with_bertopic(vectors: np.ndarray, texts: list[str]) -> dict[str, float]:
    from bertopic import BERTopic

    imported = time.process_time()
    labels = BERTopic(embedding_model=None).fit_transform(texts, vectors)[0]
    return {"topics": len(set(labels) - {-1}), "topics CPU s": time.process_time() - imported}


def child(method: str, stored: str, told: str) -> None:
    with np.load(stored, allow_pickle=True) as given:
        vectors, texts = given["vectors"].astype(np.float32), [str(text) for text in given["texts"]]
    run_ = {"tolman": with_tolman, "bertopic": with_bertopic}[method]
    Path(told).write_text(json.dumps(run_(vectors, texts)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main()
