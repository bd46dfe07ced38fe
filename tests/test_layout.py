import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clustered import clustered

from tolman.digests import digests_of
from tolman.projection.layout import lay_out, settle, start_on_plane
from tolman.projection.order import canonical_order, settled_among, settled_neighbours
from tolman.projection.trust import neighbours_on_map, shared

VECTORS = clustered(900)
TRUE = settled_neighbours(VECTORS)


def kept(places_N2) -> float:
    return float(shared(TRUE, neighbours_on_map(places_N2, 15)).mean())


def test_the_layout_keeps_far_more_neighbours_than_the_principal_plane():
    plane_N2 = start_on_plane(VECTORS, seed=0)
    assert kept(lay_out(TRUE, plane_N2)) > max(0.45, 2 * kept(plane_N2))


def test_another_seed_gives_another_map_that_is_as_good():
    first, second = (lay_out(TRUE, start_on_plane(VECTORS, seed)) for seed in (0, 1))
    assert not np.array_equal(first, second)
    assert kept(first) == pytest.approx(kept(second), abs=0.03)


@pytest.mark.parametrize("documents", [2, 3, 5, 17, 40])
def test_few_documents_get_places_of_their_own(documents):
    vectors_ND = clustered(documents)
    places_N2 = lay_out(settled_neighbours(vectors_ND), start_on_plane(vectors_ND, 0))
    assert np.isfinite(places_N2).all()
    assert len(np.unique(places_N2, axis=0)) == documents


def test_vectors_that_are_all_the_same_or_zero_are_laid_out_too():
    for vectors_ND in (np.tile(clustered(1), (30, 1)), np.zeros((30, 8), np.float32)):
        places_N2 = lay_out(settled_neighbours(vectors_ND), start_on_plane(vectors_ND, 0))
        assert np.isfinite(places_N2).all()
        assert len(np.unique(places_N2, axis=0)) == 30


def test_one_dimension_is_enough():
    vectors_ND = np.ones((20, 1), np.float32)
    assert start_on_plane(vectors_ND, 0).shape == (20, 2)


def test_settling_moves_none_of_the_frozen_and_some_of_the_others():
    places_N2 = lay_out(TRUE, start_on_plane(VECTORS, 0))
    settled_N2 = settle(TRUE, places_N2 + np.float32(0.5) * (np.arange(900) >= 800)[:, None], 800)
    assert settled_N2[:800].tobytes() == places_N2[:800].tobytes()
    assert (settled_N2[800:] != places_N2[800:]).any(axis=1).all()


def test_neighbours_are_those_of_brute_force_and_ties_go_by_the_order():
    cosines_NN = VECTORS.astype(float) @ VECTORS.T.astype(float)
    np.fill_diagonal(cosines_NN, -np.inf)
    wanted_NK = np.sort(np.argsort(-cosines_NN, axis=1)[:, :15], axis=1)
    assert (np.sort(TRUE, axis=1) == wanted_NK).all()
    many = np.concatenate([np.tile(clustered(1), (40, 1)), clustered(60, seed=1)])
    assert settled_neighbours(many)[39].tolist() == list(range(15))
    assert settled_neighbours(many)[3].tolist() == [0, 1, 2, *range(4, 16)]
    assert settled_among(many, many[:1]).tolist() == [list(range(15))]


def test_the_order_depends_on_what_is_there_and_not_on_where():
    ids = [f"d{row}" for row in range(900)]
    shuffled = np.random.default_rng(0).permutation(900)
    order_N = canonical_order(digests_of(VECTORS), ids)
    other_N = canonical_order(digests_of(VECTORS[shuffled]), [ids[row] for row in shuffled])
    assert (shuffled[other_N] == order_N).all()


SCRIPT = """
import hashlib, numpy as np
from clustered import clustered
from tolman.progress import Silent
from tolman.projection.growing import grow_rows, make_rows
vectors = clustered(1500, dim=384)
vectors[700:760] = vectors[:60]  # ties
ids = [str(row) for row in range(1500)]
rows = make_rows(vectors[:1300], ids[:1300], 0, Silent())
grown = grow_rows(rows, vectors, ids, Silent())
parts = (rows.places_N2, rows.trust_N, grown.places_N2, grown.trust_N)
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
"""


def test_the_same_bytes_with_one_thread_or_two():
    found = set()
    for threads in ("1", "2"):
        environment = os.environ | {
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        }
        command = [sys.executable, "-c", SCRIPT]
        outcome = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        found.add(outcome.stdout.strip())
    assert len(found) == 1
