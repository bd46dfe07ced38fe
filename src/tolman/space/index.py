"""The dense index: which documents lie nearest to a query.

Rows are all document vectors, then the passage vectors of long documents; a document scores by the nearest of its rows.
Three ways to look, chosen by how many rows there are:

- `exact`: every row, float32.
- `scan`: every row at one bit a dimension, then the best candidates again in float32. After a random rotation, which
  spreads the variance evenly over the dimensions, four dimensions at a time are quantised to the nearest of 16 learned
  centroids and scored from tables that fit a register (André et al., "Cache locality is not enough", 2015; in FAISS
  "PQ fast-scan"). At the same size this is closer to the cosine than the sign bits of RaBitQ (Gao and Long 2024) or a
  Hamming distance, because the query stays unquantised and the centroids are fitted; docs/decisions has the numbers.
- `ivf`: the same candidates from the nearest cells of an inverted file alone, by RaBitQ codes, for millions of rows.

The float32 vectors lie in a file of their own, mapped and not read: a search touches only its candidates.

Legend for shapes:
    N  documents
    R  rows: documents and passages
    D  dimensions
    Q  queries
    C  candidates of one query
"""

import json
import math
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, cast, get_args

import faiss
import numpy as np
import pyarrow.compute as pc
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from tolman.errors import QueryError
from tolman.inner_products import inner_products
from tolman.space.store import PASSAGES, VECTOR, DocumentStore

Kind: TypeAlias = Literal["exact", "scan", "ivf"]
Choice: TypeAlias = Kind | Literal["auto"]
Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]

SCAN_FROM = 4_096
IVF_FROM = 2_000_000
FILES, PARTIAL, ADDING = "dense", ".partial", "adding-"
_ABANDONED_AFTER = 3_600  # seconds without a change to a file of work in progress
_LAYOUT = 1  # of the files in derived/, part of their folder's name
_TRAINING_ROWS, _TRAINING_ROUNDS = 16_384, 10  # sixteen centroids in four dimensions need no more
_ADDED_ROWS = 8_192
_FEW_OF_A_DOCUMENT = 2  # rows among the candidates, on average
_OUTGROWN = 1.25  # times the rows that centroids were learned from: then they are learned anew
_TRAINED = "trained.json"
_FEWEST_TO_TRAIN = 1_024
_QUERY_BLOCK = 256  # bounds the (Q, R) matrix of an exact scan
_EXACT_CELLS = 64_000_000


def choose_kind(rows: int, dim: int) -> Kind:
    """How `rows` vectors are searched when nobody says otherwise."""
    if rows < SCAN_FROM or dim % 8:  # codes are packed eight dimensions at a time
        return "exact"
    return "scan" if rows < IVF_FROM else "ivf"


def oversampling(rows: int) -> int:
    """Candidates per wanted hit: the more rows, the more of them the coarse distances can't tell apart."""
    return max(10, math.ceil(10 * math.log10(rows / 1000)))


@dataclass(frozen=True, slots=True)
class Rows:
    """What an index is made of.

    Attributes:
        vectors_RD: unit vectors: the documents', in scan order, then the passages'.
        owner_R: position of each row's document; None if there are no passages.
        coarse: FAISS index over the rows that finds candidates; None: exact.
        trained_on: how many rows there were when its centroids were learned.
    """

    vectors_RD: Floats
    owner_R: Ints | None
    coarse: Any
    trained_on: int


@dataclass(frozen=True, slots=True)
class Nearest:
    """The documents nearest to one query, best first.

    Attributes:
        positions_K: place of each document in the scan order of its store.
        cosines_K: cosine of its nearest row.
    """

    positions_K: Ints
    cosines_K: Floats


class DenseIndex:
    """Nearest documents by cosine, over one version of a store. Read-only; safe to share between threads."""

    def __init__(self, rows: Rows, documents: int) -> None:
        """`rows` of a space with N `documents`."""
        self._vectors_RD, self._owner_R, self._coarse = rows.vectors_RD, rows.owner_R, rows.coarse
        self._documents, self._trained_on = documents, rows.trained_on

    @property
    def kind(self) -> Kind:
        """How it looks."""
        if self._coarse is None:
            return "exact"
        return "ivf" if isinstance(_innermost(self._coarse), faiss.IndexIVF) else "scan"

    @property
    def bytes_per_vector(self) -> float:
        """What the first stage reads or holds for each row."""
        if self._coarse is None:
            return 4.0 * int(self._vectors_RD.shape[1])
        size: int = _innermost(self._coarse).code_size
        return float(size)

    def vectors(self) -> Floats:
        """The documents' vectors (N, D), in scan order, without a copy."""
        return self._vectors_RD[: self._documents]

    @classmethod
    def open(cls, store: DocumentStore, derived: Path, kind: str = "auto", before: "DenseIndex | None" = None) -> Self:
        """The index of this version of `store`: from its files in `derived`, which are made if missing or damaged.

        Where they can't be written the index is made in memory, for this process alone.

        Args:
            store: the version.
            derived: folder of the files.
            kind: one of `Choice`.
            before: of another version of the same documents. What it learned about them is used again, unless there
                are many more now.

        Raises:
            QueryError: `kind` isn't one.
        """
        if kind not in ("auto", *get_args(Kind)):
            raise QueryError(f"expected an index of kind auto, {', '.join(get_args(Kind))}; got {kind!r}")
        chosen = cast(Choice, kind)
        folder = derived / f"{FILES}-{_LAYOUT}-{kind}-{store.content_key}"
        rows = _read(folder, len(store))
        if rows is None:
            with suppress(OSError, RuntimeError):  # FAISS raises RuntimeError where the disk is full
                _write(folder, store, chosen, before)
            rows = _read(folder, len(store))
        return cls(rows or _assemble(store, chosen, None, before), len(store))

    def empty_coarse(self, rows: int, kind: Kind) -> Any:
        """What finds candidates, without any row, but with what it learned; None where that doesn't do for `rows`."""
        if self._coarse is None or self.kind != kind or rows > _OUTGROWN * self._trained_on:
            return None
        coarse = faiss.clone_index(self._coarse)
        coarse.reset()
        return coarse

    @property
    def trained_on(self) -> int:
        """Rows there were when the centroids of the codes were learned."""
        return self._trained_on

    def search(self, queries_QD: Floats, k: int, allowed: Ints | None = None) -> list[Nearest]:
        """The `k` nearest documents of each query; fewer if there are fewer.

        Args:
            queries_QD: unit vectors.
            k: how many, at least 1.
            allowed: positions of the only documents to consider; these are compared exactly.
        """
        queries_QD = np.ascontiguousarray(queries_QD, dtype=np.float32)
        k = min(k, self._documents if allowed is None else len(allowed))
        if not k or not len(queries_QD):
            return [Nearest(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries_QD]
        if allowed is not None:
            return self._search_exact(queries_QD, k, self._rows_of(allowed))
        if self._coarse is None or k * 4 > self._documents:
            return self._search_exact(queries_QD, k, None)
        return self._search_coarse(queries_QD, k)

    def cosines(self, query_D: Floats, positions: Ints) -> Floats:
        """Exact cosine of a query with each of these documents (its nearest row)."""
        if self._owner_R is None:
            return inner_products(self._vectors_RD, query_D, positions)
        rows = self._rows_of(positions)
        best_N = np.full(self._documents, -np.inf, np.float32)
        np.maximum.at(best_N, self._owner_R[rows], inner_products(self._vectors_RD, query_D, rows))
        return best_N[positions]

    # ---- inside

    def _search_exact(self, queries_QD: Floats, k: int, rows: Ints | None) -> list[Nearest]:
        compared_RD = self._vectors_RD if rows is None else self._vectors_RD[rows]
        found = []
        block = max(1, min(_QUERY_BLOCK, _EXACT_CELLS // max(1, len(compared_RD))))
        for start in range(0, len(queries_QD), block):
            for cosines_R in queries_QD[start : start + block] @ compared_RD.T:
                found.append(self._best_of_all(cosines_R, rows, k))
        return found

    def _best_of_all(self, cosines_R: Floats, rows_R: Ints | None, k: int) -> Nearest:
        """The `k` best documents, given the cosines of all rows or of all rows of some documents."""
        if self._owner_R is None:
            best = _top(cosines_R, k)
            return Nearest(best if rows_R is None else rows_R[best], cosines_R[best])
        best_N = np.full(self._documents, -np.inf, np.float32)
        np.maximum.at(best_N, self._owner_R if rows_R is None else self._owner_R[rows_R], cosines_R)
        best = _top(best_N, k)
        return Nearest(best, best_N[best])

    def _search_coarse(self, queries_QD: Floats, k: int) -> list[Nearest]:
        """Candidates by short codes, compared again in float32."""
        wanted = k * oversampling(len(self._vectors_RD))
        rows_QC = self._coarse.search(queries_QD, min(wanted, len(self._vectors_RD)))[1]
        found = []
        for query_D, padded_C in zip(queries_QD, rows_QC, strict=True):
            rows_C = padded_C[padded_C >= 0]
            nearest = self._best_of_candidates(inner_products(self._vectors_RD, query_D, rows_C), rows_C, k)
            if len(nearest.positions_K) < k:  # passages of few documents crowd the others out
                nearest = self._search_exact(query_D[None], k, None)[0]
            found.append(nearest)
        return found

    def _best_of_candidates(self, cosines_C: Floats, rows_C: Ints, k: int) -> Nearest:
        """The `k` best documents among some rows: each counts once, by its nearest row."""
        if self._owner_R is None:
            best = _top(cosines_C, k)
            return Nearest(rows_C[best], cosines_C[best])
        for considered in (_FEW_OF_A_DOCUMENT * k, len(rows_C)):  # nearly always the first of these is enough
            best = _top(cosines_C, considered)
            owners = self._owner_R[rows_C[best]]
            first = np.sort(np.unique(owners, return_index=True)[1])[:k]
            if len(first) == k:
                break
        return Nearest(owners[first], cosines_C[best[first]])

    def _rows_of(self, positions: Ints) -> Ints:
        """Own row and passage rows of some documents."""
        if self._owner_R is None:
            return positions
        chosen = np.zeros(self._documents, bool)
        chosen[positions] = True
        return np.flatnonzero(chosen[self._owner_R])


def _top(scores: Floats, k: int) -> Ints:
    """Places of the `k` highest scores, highest first; of equal ones the earlier first."""
    if k < len(scores):
        kth = np.partition(scores, len(scores) - k)[len(scores) - k]
        above = np.flatnonzero(scores > kth)
        chosen = np.concatenate([above, np.flatnonzero(scores == kth)[: k - len(above)]])
    else:
        chosen = np.arange(len(scores))
    return chosen[np.lexsort((chosen, -scores[chosen]))]


# ---- files: vectors.npy, owner.npy (with passages), coarse.faiss (unless exact), trained.json (if its centroids were
# learned from another number of rows), done.json written last


def _read(folder: Path, documents: int) -> Rows | None:
    """What `_write` wrote; None if it isn't there or not whole."""
    try:
        sizes = json.loads((folder / "done.json").read_text())
        if any((folder / name).stat().st_size != size for name, size in sizes.items()):
            return None
        vectors_RD = np.load(folder / "vectors.npy", mmap_mode="r")
        owner_R = np.load(folder / "owner.npy") if "owner.npy" in sizes else None
        coarse = faiss.read_index(str(folder / "coarse.faiss")) if "coarse.faiss" in sizes else None
        trained_on = json.loads((folder / _TRAINED).read_text()) if _TRAINED in sizes else len(vectors_RD)
    except (OSError, ValueError, RuntimeError, AttributeError):
        return None
    rows = len(vectors_RD)
    whole = rows >= documents and (owner_R is None or len(owner_R) == rows) and (not coarse or coarse.ntotal == rows)
    return Rows(vectors_RD, owner_R, coarse, trained_on) if whole else None


def _write(folder: Path, store: DocumentStore, kind: Choice, before: DenseIndex | None) -> None:
    """Build beside, then rename: whoever reads sees all of it or nothing. Indexes of other versions go."""
    beside = folder.with_name(f"{folder.name}.{os.getpid()}{PARTIAL}")
    try:
        beside.mkdir(parents=True, exist_ok=True)
        rows = _assemble(store, kind, beside / "vectors.npy", before)
        if rows.owner_R is not None:
            np.save(beside / "owner.npy", rows.owner_R)
        if rows.coarse is not None:
            faiss.write_index(rows.coarse, str(beside / "coarse.faiss"))
        if rows.trained_on != len(rows.vectors_RD):
            (beside / _TRAINED).write_text(json.dumps(rows.trained_on))
        sizes = {file.name: file.stat().st_size for file in sorted(beside.iterdir())}
        (beside / "done.json").write_text(json.dumps(sizes))
        if _read(folder, len(store)) is None:
            shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)  # fails if another process was faster; its index is the same
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        _sweep(folder)


def _sweep(folder: Path) -> None:
    """Drop what kills left in `derived/`, and indexes of other versions but the newest: someone may just open it."""
    derived = folder.parent
    others = (found for found in derived.glob(f"{FILES}-*") if found != folder and found.suffix != PARTIAL)
    outdated = sorted(others, key=_modified, reverse=True)[1:]
    unfinished = (*derived.glob(f"*{PARTIAL}"), *derived.glob(f"{ADDING}*"))
    abandoned = [found for found in unfinished if time.time() - _modified(found) > _ABANDONED_AFTER]
    for old in (*outdated, *abandoned):
        with suppress(OSError):  # another process swept it, or it may not be
            shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink()


def _modified(path: Path) -> float:
    """When a file, or the newest file of a folder, was last written to."""
    times = [0.0]
    for found in (path, *path.glob("*")):
        with suppress(OSError):  # another process swept it
            times.append(found.stat().st_mtime)
    return max(times)


def _assemble(store: DocumentStore, kind: Choice, file: Path | None, before: DenseIndex | None = None) -> Rows:
    """Vectors out of the store, batch by batch, into a mapped `file` or memory, and codes over them."""
    dim = store.schema.field(VECTOR).type.list_size
    documents, passages_N = len(store), _passage_counts(store, dim)
    vectors_RD = _allocate(documents + int(passages_N.sum()), dim, file)
    document, passage = 0, documents
    for batch in store.batches([VECTOR, PASSAGES]):
        vectors_RD[document : document + len(batch)] = batch[VECTOR].flatten().to_numpy().reshape(-1, dim)
        document += len(batch)
        extra_PD = batch[PASSAGES].flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
        vectors_RD[passage : passage + len(extra_PD)] = extra_PD
        passage += len(extra_PD)
    owner_R = None
    if len(vectors_RD) > documents:
        owner_R = np.concatenate([np.arange(documents), np.repeat(np.arange(documents), passages_N)])
    kind = choose_kind(*vectors_RD.shape) if kind == "auto" else kind
    coarse = None if before is None else before.empty_coarse(len(vectors_RD), kind)
    if before is None or coarse is None:
        return Rows(vectors_RD, owner_R, _build_coarse(vectors_RD, kind), len(vectors_RD))
    return Rows(vectors_RD, owner_R, _filled(coarse, vectors_RD), before.trained_on)


def _passage_counts(store: DocumentStore, dim: int) -> Ints:
    """(N,) how many passages each document was cut into; 0: encoded in one piece."""
    lengths = [pc.fill_null(pc.list_value_length(batch[PASSAGES]), 0).to_numpy() for batch in store.batches([PASSAGES])]
    return np.concatenate([np.empty(0, np.int64), *lengths]).astype(np.int64) // dim


def _allocate(rows: int, dim: int, file: Path | None) -> Floats:
    """Room for vectors. On disk it is reserved first: writing to a mapped page that has none would kill the process."""
    if file is None or not rows:
        vectors_RD = np.empty((rows, dim), np.float32)
        if file is not None:
            np.save(file, vectors_RD)
        return vectors_RD
    mapped: Floats = open_memmap(file, mode="w+", dtype=np.float32, shape=(rows, dim))
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    return mapped


def _build_coarse(vectors_RD: Floats, kind: Kind) -> Any:
    """Codes for the first stage; None for an exact index."""
    rows, dim = vectors_RD.shape
    if kind == "exact" or rows < _FEWEST_TO_TRAIN or dim % 8:
        return None
    codes = f"PQ{_pieces(dim)}x4fs" if kind == "scan" else f"IVF{_cells(rows)},RaBitQfs"
    coarse = faiss.index_factory(dim, f"RR,{codes}", faiss.METRIC_INNER_PRODUCT)
    if kind == "ivf":
        _innermost(coarse).nprobe = max(16, _cells(rows) // 32)
        sample = 40 * _cells(rows)
    else:
        _innermost(coarse).pq.cp.niter = _TRAINING_ROUNDS
        sample = _TRAINING_ROWS
    chosen = np.random.default_rng(0).choice(rows, min(rows, sample), replace=False)
    coarse.train(vectors_RD[np.sort(chosen)])
    return _filled(coarse, vectors_RD)


def _filled(coarse: Any, vectors_RD: Floats) -> Any:
    """`coarse`, which learned its centroids and holds no row, with these."""
    for start in range(0, len(vectors_RD), _ADDED_ROWS):
        coarse.add(np.ascontiguousarray(vectors_RD[start : start + _ADDED_ROWS]))
    return coarse


def _pieces(dim: int) -> int:
    """How many pieces of a vector get four bits each: of four dimensions, or fewer where codes would be too short."""
    return dim // 4 if dim >= 256 else dim // 2 if dim >= 128 else dim


def _cells(rows: int) -> int:
    return int(4 * math.sqrt(rows))


def _innermost(coarse: Any) -> Any:
    """The FAISS index that holds the codes, under the rotation."""
    return faiss.downcast_index(coarse.index)
