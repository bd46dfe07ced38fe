"""The map beside UMAP, openTSNE and LocalMAP: how much of the latent space is kept, for how much time.

    OMP_NUM_THREADS=1 python benchmarks/map.py --set NAME=VECTORS [--set ...] [--others PYTHON] [--only tolman,umap]

VECTORS is the folder of a space, an .npy of vectors, or an .npz with them under `v`. Four fifths are laid out, the last
fifth (drawn at random) is placed on that. Each method runs in a process of its own; the others in the environment of
the interpreter --others, which needs umap-learn, openTSNE and pacmap. What isn't installed there is a row that says so.

Neighbours kept: the share of the 15 nearest by cosine that are among the 15 nearest on the map. Trustworthiness at 15.
Both by this script's own count, alike for every method. For placed points, both are among those laid out.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from report import Cell, write_result
from scipy.spatial import KDTree

K, SAMPLE = 15, 2_000
WARM = 4_500  # rows: below 4,096 UMAP compares all with all, and compiles its search for neighbours later
TIED = 1e-6  # cosines in float32 are no more exact


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", required=True, metavar="NAME=VECTORS")
    parser.add_argument("--others", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--only", default=",".join(METHODS))
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--name", default="map")
    options = parser.parse_args()
    rows: list[dict[str, Cell]] = []
    for named in options.set:
        name, _, source = named.partition("=")
        rows += measure_set(name, vectors_of(Path(source)), options.only.split(","), options.others, options.repeat)
    notes = (
        f"One thread (OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}). Process CPU seconds, median of "
        f"{options.repeat}, methods by turns. whole: a new process, with imports and compiling; fit: in a process that "
        f"laid out {WARM:,} rows before. Neither holds placing. Of Tolman both hold neighbours, layout and trust. "
        f"Trustworthiness on {SAMPLE:,} points. moved: the farthest that a point that was laid out moves when the "
        "placed ones are added to the map. wrong trust: points whose trust is not what brute force counts, but for "
        "those whose 15th and 16th neighbours are as near (tied)."
    )
    write_result(options.name, rows, notes)


def measure_set(
    name: str, vectors_ND: np.ndarray, methods: list[str], others: str, repeat: int
) -> list[dict[str, Cell]]:
    order = np.random.default_rng(0).permutation(len(vectors_ND))
    cut = int(0.8 * len(order))
    fitted_ND, new_QD = vectors_ND[np.sort(order[:cut])], vectors_ND[np.sort(order[cut:])]
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/vectors.npz", fitted=fitted_ND, new=new_QD)
        runs: dict[str, list[dict[str, np.ndarray] | str]] = {method: [] for method in methods}
        for _ in range(repeat):
            for method in methods:
                runs[method].append(run_both(method, Path(folder), others))
    rows = []
    for method, found in runs.items():
        row: dict[str, Cell] = {"set": name, "documents": len(vectors_ND), "method": method}
        failed = next((one for one in found if isinstance(one, str)), None)
        if failed is not None:
            rows.append(row | {"note": failed})
            continue
        results = [one for one in found if not isinstance(one, str)]
        rows.append(row | scores(fitted_ND, new_QD, results))
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def run_both(method: str, folder: Path, others: str) -> dict[str, np.ndarray] | str:
    """What the method made, or why it made nothing: in a process that began cold, then in one that was warm."""
    cold, warm = (run_child(way, method, folder, others) for way in ("--cold", "--warm"))
    if isinstance(cold, str) or isinstance(warm, str):
        return cold if isinstance(cold, str) else str(warm)
    return warm | {"whole_s": cold["whole_s"]}


def run_child(way: str, method: str, folder: Path, others: str) -> dict[str, np.ndarray] | str:
    python = sys.executable if method == "tolman" else others
    command = [python, __file__, way, method, str(folder)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        return (outcome.stderr.strip().splitlines() or ["failed"])[-1][:120]
    with np.load(folder / f"{method}.npz") as made:
        return dict(made)


def scores(fitted_ND: np.ndarray, new_QD: np.ndarray, runs: list[dict[str, np.ndarray]]) -> dict[str, Cell]:
    first, n = runs[0], len(fitted_ND)
    true_NK, tied_N = nearest(fitted_ND, fitted_ND, own=True)
    near_NK = near_on_map(first["fitted"], first["fitted"], own=True)
    kept_N = kept(true_NK, near_NK)
    row: dict[str, Cell] = {
        "kept, fitted": float(kept_N.mean()),
        "trustw., fitted": trustworthiness(fitted_ND, fitted_ND, near_NK, own=True),
    }
    if len(first["new"]):
        near_QK = near_on_map(first["fitted"], first["new"], own=False)
        row["kept, placed"] = float(kept(nearest(fitted_ND, new_QD, own=False)[0], near_QK).mean())
        row["trustw., placed"] = trustworthiness(fitted_ND, new_QD, near_QK, own=False)
    for what in ("whole", "fit", "place"):
        row[f"{what} CPU s"] = statistics.median(float(run[f"{what}_s"]) for run in runs)
    row["same map each time"] = str(all(np.array_equal(run["fitted"], first["fitted"]) for run in runs))
    if "trust" in first:
        row["moved"] = float(np.abs(first["grown"][:n] - first["fitted"]).max())
        row["wrong trust"] = int(((np.abs(first["trust"] - kept_N) > 1e-6) & ~tied_N).sum())
        row["tied"] = int(tied_N.sum())
    return row


def nearest(vectors_ND: np.ndarray, asked_QD: np.ndarray, *, own: bool) -> tuple[np.ndarray, np.ndarray]:
    """(Q, K) by brute force, and whether the next is as near as the last; `own`: those asked about are the rows."""
    found, tied = [], []
    for start in range(0, len(asked_QD), 500):
        cosines = asked_QD[start : start + 500] @ vectors_ND.T
        if own:
            cosines[np.arange(len(cosines)), start + np.arange(len(cosines))] = -np.inf
        first = np.argpartition(-cosines, K, axis=1)[:, : K + 1]
        near = np.take_along_axis(cosines, first, axis=1)
        tied.append(near[:, :K].min(axis=1) - near[:, K] < TIED)
        found.append(first[:, :K])
    return np.concatenate(found), np.concatenate(tied)


def near_on_map(places_N2: np.ndarray, asked_Q2: np.ndarray, *, own: bool) -> np.ndarray:
    _, found = KDTree(places_N2).query(asked_Q2, k=K + 1)
    if not own:
        return found[:, :K]
    others = found != np.arange(len(found))[:, None]
    others[others.all(axis=1), -1] = False
    return found[others].reshape(len(found), K)


def kept(true_QK: np.ndarray, near_QK: np.ndarray) -> np.ndarray:
    return np.array([len(np.intersect1d(true, near)) for true, near in zip(true_QK, near_QK, strict=True)]) / K


def trustworthiness(vectors_ND: np.ndarray, asked_QD: np.ndarray, near_QK: np.ndarray, *, own: bool) -> float:
    n = len(vectors_ND)
    sample = np.sort(np.random.default_rng(0).permutation(len(asked_QD))[:SAMPLE])
    excess = 0
    for row in sample:
        cosines = vectors_ND @ asked_QD[row]
        if own:
            cosines[row] = -np.inf
        ranks = (cosines[None] > cosines[near_QK[row]][:, None]).sum(axis=1) + 1
        excess += int(np.maximum(ranks - K, 0).sum())
    return 1 - 2 * excess / (len(sample) * K * (2 * n - 3 * K - 1))


def vectors_of(source: Path) -> np.ndarray:
    if source.is_dir():
        import tolman

        vectors = np.array(tolman.open_space(source).vectors())
    else:
        loaded = np.load(source)
        vectors = loaded["v"] if source.suffix == ".npz" else loaded
    vectors = vectors.astype(np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


# ---- in a process of its own


Made = dict[str, Any]


def with_tolman(fitted_ND: np.ndarray, new_QD: np.ndarray) -> Made:
    from tolman.neighbours import nearest_among
    from tolman.progress import Silent
    from tolman.projection.growing import grow_rows, make_rows
    from tolman.projection.placing import place_among

    ids = [str(row) for row in range(len(fitted_ND) + len(new_QD))]
    rows, fit_s = timed(lambda: make_rows(fitted_ND, ids[: len(fitted_ND)], 0, Silent()))
    place = lambda: place_among(rows.places_N2, nearest_among(fitted_ND, new_QD, K).positions_NK)  # noqa: E731
    placed, place_s = timed(place)
    grown, grow_s = timed(lambda: grow_rows(rows, np.concatenate([fitted_ND, new_QD]), ids, Silent()))
    return {
        **{"fitted": rows.places_N2, "new": placed, "trust": rows.trust_N, "grown": grown.places_N2},
        **{"fit_s": fit_s, "place_s": place_s, "grow_s": grow_s},
    }


def with_umap(fitted_ND: np.ndarray, new_QD: np.ndarray) -> Made:
    import umap

    model = umap.UMAP(random_state=0, n_jobs=1, metric="cosine")
    fitted, fit_s = timed(lambda: model.fit_transform(fitted_ND))
    placed, place_s = timed(lambda: model.transform(new_QD))
    return {"fitted": fitted, "new": placed, "fit_s": fit_s, "place_s": place_s}


def with_opentsne(fitted_ND: np.ndarray, new_QD: np.ndarray) -> Made:
    import openTSNE

    fitted, fit_s = timed(lambda: openTSNE.TSNE(n_jobs=1, random_state=0, metric="cosine").fit(fitted_ND))
    placed, place_s = timed(lambda: fitted.transform(new_QD))
    return {"fitted": np.array(fitted), "new": np.array(placed), "fit_s": fit_s, "place_s": place_s}


def with_localmap(fitted_ND: np.ndarray, new_QD: np.ndarray) -> Made:
    """It places nothing later on."""
    import pacmap

    fitted, fit_s = timed(lambda: pacmap.LocalMAP(random_state=0).fit_transform(fitted_ND))
    return {"fitted": fitted, "new": np.empty((0, 2)), "fit_s": fit_s, "place_s": 0.0}


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], Made]] = {
    "tolman": with_tolman,
    "umap": with_umap,
    "opentsne": with_opentsne,
    "localmap": with_localmap,
}


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    return work(), time.process_time() - began


def child(method: str, folder: Path, *, cold: bool) -> None:
    """Cold: once, and how long all of it took. Warm: some rows first, to import and compile, then all."""
    os.environ.setdefault("NUMBA_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    with np.load(folder / "vectors.npz") as stored:
        fitted_ND, new_QD = stored["fitted"], stored["new"]
    if not cold:
        METHODS[method](fitted_ND[:WARM], new_QD[:20])
    made, all_s = timed(lambda: METHODS[method](fitted_ND, new_QD))
    np.savez(folder / f"{method}.npz", whole_s=all_s - made["place_s"] - made.get("grow_s", 0.0), **made)


if __name__ == "__main__":
    if sys.argv[1:2] in (["--cold"], ["--warm"]):
        child(sys.argv[2], Path(sys.argv[3]), cold=sys.argv[1] == "--cold")
    else:
        main()
