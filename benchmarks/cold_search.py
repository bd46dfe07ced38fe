"""A question from a cold start: `tolman search` against sentence-transformers + faiss, whole processes.

Both search the same documents; everything that can be prepared is prepared (the space is learned, the faiss index is
on disk, the model is in a local folder). The two are started by turns, so that a busy minute hits both.

    python benchmarks/cold_search.py [--documents 20000] [--rounds 9]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import faiss
import numpy as np
from report import Cell, write_result

import tolman
from tolman.cost import cpu_seconds
from tolman.models.pretrained import resolve_base

QUERY = "wait until another thread is done"

# What somebody without Tolman would write, and nothing more.
RIVAL = """
import json, sys
import faiss
from sentence_transformers import SentenceTransformer
folder, model, query = sys.argv[1:]
index = faiss.read_index(f"{folder}/index.faiss")
texts = [json.loads(line)["text"] for line in open(f"{folder}/documents.jsonl")]
vectors = SentenceTransformer(model, device="cpu").encode([query], normalize_embeddings=True)
scores, rows = index.search(vectors, 10)
for score, row in zip(scores[0], rows[0]):
    print(f"{score:.3f} {texts[row][:100]!r}")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    model = str(resolve_base("minilm"))
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), options.documents)
        ours, rival = race(Path(folder), model, options.rounds)
    report(ours, rival, options.documents)


def prepare(folder: Path, count: int) -> None:
    """A space learned from the documents; the same documents and a faiss index for the rival."""
    corpus = tolman.Corpus.from_documents(sample_documents(count))
    space = tolman.learn(corpus, folder / "own.space", budget="30s")
    space.search(QUERY)  # builds what is derived, as the rival's index is built
    with (folder / "documents.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": document.content}) + "\n" for document in corpus)
    # An exact search takes as long over any vectors: random ones of MiniLM's width save encoding the documents with it.
    vectors_ND = np.random.default_rng(0).normal(size=(count, 384)).astype(np.float32)
    faiss.normalize_L2(vectors_ND)
    index = faiss.IndexFlatIP(384)
    index.add(vectors_ND)
    faiss.write_index(index, str(folder / "index.faiss"))


def sample_documents(count: int) -> list[tolman.Document]:
    """Docstrings of the packages that Tolman itself needs."""
    sources = ("stdlib", "torch", "transformers", "sklearn", "pandas", "numpy", "scipy", "polars", "pyarrow", "sympy")
    found: dict[str, tolman.Document] = {}
    for source in sources:
        for document in tolman.read_corpus(f"python:{source}"):
            found.setdefault(document.content, replace(document, id=str(len(found))))
            if len(found) == count:
                return list(found.values())
    raise SystemExit(f"only {len(found)} different docstrings are installed here; ask for fewer --documents")


class Took(NamedTuple):
    """One process from start to exit. CPU seconds stay comparable when others use the machine."""

    wall: float
    cpu: float


def race(folder: Path, model: str, rounds: int) -> tuple[list[Took], list[Took]]:
    """What each run of ours and of the rival's took."""
    ours = [str(Path(sys.executable).with_name("tolman")), "search", str(folder / "own.space"), QUERY]
    rival = [sys.executable, "-c", RIVAL, str(folder), model, QUERY]
    for command in (ours, rival):  # once unmeasured, to fill the file cache
        run(command)
    pairs = [(run(ours), run(rival)) for _ in range(rounds)]
    return [own for own, _ in pairs], [other for _, other in pairs]


def run(command: list[str]) -> Took:
    began, used = time.perf_counter(), cpu_seconds()
    subprocess.run(command, check=True, capture_output=True)
    return Took(time.perf_counter() - began, cpu_seconds() - used)


def report(ours: list[Took], rival: list[Took], documents: int) -> None:
    rows: list[dict[str, Cell]] = [
        {
            "what": name,
            "median s": statistics.median(took.wall for took in runs),
            "fastest s": min(took.wall for took in runs),
            "median CPU s": statistics.median(took.cpu for took in runs),
        }
        for name, runs in (("tolman search", ours), ("sentence-transformers + faiss", rival))
    ]
    pairs = list(zip(ours, rival, strict=True))
    rows.append(
        {
            "what": "times faster (median of pairs)",
            "median s": statistics.median(other.wall / own.wall for own, other in pairs),
            "median CPU s": statistics.median(other.cpu / own.cpu for own, other in pairs),
        }
    )
    write_result(
        "cold_search",
        rows,
        f"Whole processes from start to exit over {documents:,} documents, {len(ours)} runs of each by turns, files in "
        "cache. The rival: SentenceTransformer(MiniLM, local folder), faiss.IndexFlatIP read from disk, texts from "
        "JSON Lines.",
    )


if __name__ == "__main__":
    main()
