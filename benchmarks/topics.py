"""Topics against classes that people gave: Tolman, k-means at the true number, and where installed BERTopic and evoc.

    python benchmarks/topics.py --data DATA --cache DIR [--sets banking77,...] [--bases minilm,...] [--rivals PYTHON]

AMI is the adjusted mutual information with the classes over all documents, those that are in no topic being one more
part (as BERTopic's and evoc's are). k-means is told the true number of classes, the others nothing. `--rivals` names
the Python of an environment with bertopic and evoc; all get the same vectors, one thread, and are timed by CPU: for
Tolman all of `find`: graph, levels, tree, names, places; for BERTopic all of `fit_transform` with its defaults, without
what numba compiles at first use. `nowhere` is the share of documents in no topic. Spaces lie in DIR, or are made there.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from classes import LabelledSpace, labelled_spaces, parser_for_spaces
from report import Cell, write_result
from sklearn.metrics import adjusted_mutual_info_score

from tolman.topics.division import NOWHERE
from tolman.topics.finding import Material, find

RIVALS = ("bertopic", "evoc")


def row(method: str, labels: np.ndarray, given: LabelledSpace, seconds: float) -> dict[str, Cell]:
    return {
        "method": method,
        "topics": len(set(labels.tolist()) - {NOWHERE}),
        "AMI": float(adjusted_mutual_info_score(given.labels, labels)),
        "nowhere": float((labels == NOWHERE).mean()),
        "CPU s": seconds,
    }


def ours(given: LabelledSpace) -> list[dict[str, Cell]]:
    started = time.process_time()
    found = find(Material([str(i) for i in range(len(given.contents))], given.contents, given.vectors))
    seconds = time.process_time() - started
    rows = []
    for depth in ("shown", "broad", "fine"):
        labels = np.where(found.places.outside_N, NOWHERE, found.tree.ids_at(depth))
        if len(found.tree.at(depth)):
            rows.append(row(f"tolman, {depth}", labels, given, seconds))
    return rows


def rival(method: str, python: str, given: LabelledSpace) -> dict[str, Cell]:
    with TemporaryDirectory() as folder:
        stored, out = Path(folder) / "given.npz", Path(folder) / "out.json"
        contents = np.array(given.contents, dtype=object)
        np.savez(stored, vectors=given.vectors, contents=contents, classes=len(set(given.labels)))
        script = Path(__file__).parent / "topic_rivals.py"
        subprocess.run([python, script, method, stored, out], check=True, capture_output=True)
        found = json.loads(out.read_text())
    return row(method, np.array(found["labels"]), given, found["cpu_seconds"])


def main() -> None:
    parser = parser_for_spaces(__doc__)
    parser.add_argument("--rivals", help="Python of an environment with bertopic and evoc")
    options = parser.parse_args()
    rows: list[dict[str, Cell]] = []
    for given in labelled_spaces(options):
        known: dict[str, Cell] = {"set": given.name, "base": given.base, "documents": len(given.labels)}
        found = [*ours(given), rival("kmeans", sys.executable, given)]
        found += [rival(method, options.rivals, given) for method in RIVALS if options.rivals]
        for each in found:
            rows.append(known | each)
            print(rows[-1], flush=True)
        write_result(f"topics{options.name}", rows, __doc__ or "")
    if not options.rivals:
        print("without --rivals: bertopic and evoc were not run", file=sys.stderr)


if __name__ == "__main__":
    main()
