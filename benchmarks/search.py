"""Speed and recall of the dense index, beside an exact scan of the same vectors, one thread.

    OMP_NUM_THREADS=1 python benchmarks/search.py --data DATA [--vectors FILE.npy ...] [--sizes 20000,200000,1000000]

Without --vectors it makes its own from the Wikipedia text under DATA/wiki_en: overlapping spans of one to three
sentences, TF-IDF, truncated to 384 dimensions (LSA). --vectors takes any .npy of unit vectors, for instance what
`tolman encode` wrote. The last 1,000 rows are the queries and not in the index.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from report import Cell, write_result
from wiki import sentence_spans

from tolman.space.index import DenseIndex
from tolman.space.store import VECTOR, DocumentStore, document_schema

K, QUERIES, DIM = 10, 1_000, 384
Floats = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vectors", type=Path, nargs="*", default=[])
    parser.add_argument("--sizes", default="20000,200000,1000000")
    parser.add_argument("--kinds", default="exact,auto")
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    sizes = [int(size) for size in options.sizes.split(",")]
    sources = [(file.stem, np.load(file, mmap_mode="r")) for file in options.vectors]
    if not sources:
        sources = [("LSA of Wikipedia sentences", lsa_vectors(options.data, max(sizes) + QUERIES))]
    rows: list[dict[str, Cell]] = []
    for name, vectors in sources:
        for size in sizes:
            if size + QUERIES <= len(vectors):
                rows += measure(name, vectors, size, options.kinds.split(","))
    notes = (
        f"One thread (OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}), k = {K}. Batch: {QUERIES} queries "
        "in one call (fewer where the scan is slow); single: one call each. Median of 3. Recall against an exact scan. "
        "The ratio is to the exact scan of faiss.IndexFlatIP, query by query, in the same run."
    )
    write_result("search", rows, notes)


def measure(name: str, vectors: NDArray[np.float32], size: int, kinds: list[str]) -> Iterator[dict[str, Cell]]:
    """One line for faiss alone and one for each kind of index."""
    base_ND = np.ascontiguousarray(vectors[:size], dtype=np.float32)
    queries_QD = np.ascontiguousarray(vectors[-QUERIES:], dtype=np.float32)
    flat = faiss.IndexFlatIP(base_ND.shape[1])
    flat.add(base_ND)
    truth = flat.search(queries_QD, K)[0][:, -1]
    few = max(20, min(QUERIES, 4_000_000 // size))
    scan = rate(lambda: [flat.search(q[None], K) for q in queries_QD[:few]], few)
    batch = rate(lambda: flat.search(queries_QD, K), QUERIES)
    yield line(name, size, "faiss IndexFlatIP", batch=batch, single=scan) | {"times exact": 1.0, "recall@10": 1.0}
    with tempfile.TemporaryDirectory() as folder:
        store = store_of(Path(folder), base_ND)
        for kind in kinds:
            began = time.perf_counter()
            index = DenseIndex.open(store, Path(folder) / "derived", kind)
            built = time.perf_counter() - began
            some = QUERIES if index.kind != "exact" else few
            single = rate(lambda index=index, some=some: [index.search(q[None], K) for q in queries_QD[:some]], some)
            batch = rate(lambda index=index, some=some: index.search(queries_QD[:some], K), some)
            # By cosine and not by row, for texts that stand twice have the same vector.
            found = [
                near.cosines_K >= limit - 1e-6 for near, limit in zip(index.search(queries_QD, K), truth, strict=True)
            ]
            yield line(name, size, index.kind, batch=batch, single=single) | {
                "times exact": single / scan,
                "recall@10": float(np.mean(found)),
                "bytes a vector": index.bytes_per_vector,
                "build s": built,
            }


def line(name: str, size: int, kind: str, *, batch: float, single: float) -> dict[str, Cell]:
    return {"vectors": name, "rows": size, "index": kind, "batch q/s": batch, "single q/s": single}


def rate(work: Callable[[], object], count: int) -> float:
    """Queries a second, median of three runs."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return count / statistics.median(times)


def store_of(folder: Path, vectors_ND: Floats) -> DocumentStore:
    """A store of nothing but vectors."""
    schema = document_schema(vectors_ND.shape[1], pa.schema([]))
    store = DocumentStore.create(folder / "documents.lance", schema)
    for start in range(0, len(vectors_ND), 100_000):
        part = vectors_ND[start : start + 100_000]
        columns = {
            "id": pa.array([str(start + row) for row in range(len(part))]),
            VECTOR: pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), part.shape[1]),
        }
        store.append(pa.table([columns.get(f.name, pa.nulls(len(part), f.type)) for f in schema], schema=schema))
    return store


def lsa_vectors(data: Path, count: int) -> Floats:
    """`count` real, cheap vectors; their spectrum falls off as that of learned ones does."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    spans = sentence_spans(data, count + count // 50)
    words = TfidfVectorizer(sublinear_tf=True, min_df=5, max_features=40_000, stop_words="english", dtype=np.float32)
    words.fit(spans[:60_000])
    reduction = TruncatedSVD(DIM, n_iter=2, random_state=0).fit(words.transform(spans[:60_000]))
    parts = [
        reduction.transform(words.transform(spans[start : start + 20_000])).astype(np.float32)
        for start in range(0, len(spans), 20_000)
    ]
    vectors = np.concatenate(parts)
    lengths = np.linalg.norm(vectors, axis=1)
    return (vectors[lengths > 1e-6] / lengths[lengths > 1e-6, None])[:count]


if __name__ == "__main__":
    main()
