import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tolman.errors import QueryError
from tolman.space.index import DenseIndex, choose_kind, oversampling
from tolman.space.store import PASSAGES, SPANS, VECTOR, DocumentStore, document_schema

DIM = 32
Made = tuple[DocumentStore, np.ndarray, list[np.ndarray]]


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def make(folder: Path, documents: int, *, passages: Callable[[int], int] = lambda _: 0) -> Made:
    """A store of random clustered vectors; document i has `passages(i)` further ones."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((40, DIM))
    vectors = unit(centres[random.integers(0, 40, documents)] + 0.7 * random.standard_normal((documents, DIM)))
    extra = [unit(random.standard_normal((passages(i), DIM))) for i in range(documents)]
    schema = document_schema(DIM, pa.schema([]))
    columns = {
        "id": pa.array([str(i) for i in range(documents)]),
        VECTOR: pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIM),
        SPANS: pa.array([[0, 1] * len(e) if len(e) else None for e in extra], pa.list_(pa.int32())),
        PASSAGES: pa.array([e.ravel() if len(e) else None for e in extra], pa.list_(pa.float32())),
    }
    store = DocumentStore.create(folder / "documents.lance", schema)
    store.append(pa.table([columns.get(f.name, pa.nulls(documents, f.type)) for f in schema], schema=schema))
    return store, vectors, extra


def reference(vectors: np.ndarray, extra: list[np.ndarray], query: np.ndarray) -> np.ndarray:
    """Cosine of every document by its nearest row."""
    return np.array([np.max(np.vstack([v[None], e]) @ query) for v, e in zip(vectors, extra, strict=True)])


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Made]:
    folder = tmp_path_factory.mktemp("large")
    return folder, make(folder, 6_000, passages=lambda i: 3 if i % 50 == 0 else 0)


@pytest.mark.parametrize("passages", [lambda _: 0, lambda i: i % 3])
def test_exact_is_exact(tmp_path: Path, passages: Callable[[int], int]) -> None:
    store, vectors, extra = make(tmp_path, 200, passages=passages)
    index = DenseIndex.open(store, tmp_path / "derived")
    queries = unit(np.random.default_rng(1).standard_normal((9, DIM)))
    assert index.kind == "exact"
    np.testing.assert_array_equal(index.vectors(), vectors)
    for query, found in zip(queries, index.search(queries, 12), strict=True):
        cosines = reference(vectors, extra, query)
        assert found.positions_K.tolist() == np.argsort(-cosines)[:12].tolist()
        np.testing.assert_allclose(found.cosines_K, np.sort(cosines)[::-1][:12], atol=1e-6)
        np.testing.assert_allclose(index.cosines(query, np.array([7, 7, 3])), cosines[[7, 7, 3]], atol=1e-6)


@pytest.mark.parametrize("kind", ["auto", "scan", "ivf"])
def test_approximate_finds_nearly_all_with_exact_cosines(large: tuple[Path, Made], kind: str) -> None:
    folder, (store, vectors, extra) = large
    index = DenseIndex.open(store, folder / "derived", kind)
    queries = unit(vectors[::300] + 0.2 * np.random.default_rng(2).standard_normal((20, DIM)))
    assert index.kind == ("ivf" if kind == "ivf" else "scan")
    assert index.bytes_per_vector <= DIM * 4 / 8
    recalls = []
    for query, found in zip(queries, index.search(queries, 10), strict=True):
        cosines = reference(vectors, extra, query)
        np.testing.assert_allclose(found.cosines_K, cosines[found.positions_K], atol=1e-5)
        assert len(set(found.positions_K.tolist())) == 10
        recalls.append(len(set(found.positions_K.tolist()) & set(np.argsort(-cosines)[:10].tolist())) / 10)
    assert np.mean(recalls) > (0.9 if kind == "ivf" else 0.97)


def test_a_batch_is_its_queries_one_by_one(large: tuple[Path, Made]) -> None:
    folder, (store, vectors, _) = large
    index = DenseIndex.open(store, folder / "derived")
    for query, found in zip(vectors[:5], index.search(vectors[:5], 7), strict=True):
        assert index.search(query[None], 7)[0].positions_K.tolist() == found.positions_K.tolist()


def test_a_filter_is_exact_among_the_allowed(large: tuple[Path, Made]) -> None:
    folder, (store, vectors, extra) = large
    index = DenseIndex.open(store, folder / "derived")
    allowed = np.arange(0, 6_000, 25)
    found = index.search(vectors[:1], 10, allowed)[0]
    cosines = reference(vectors, extra, vectors[0])[allowed]
    assert found.positions_K.tolist() == allowed[np.argsort(-cosines)[:10]].tolist()
    assert len(index.search(vectors[:1], 10, allowed[:3])[0].positions_K) == 3
    assert len(index.search(vectors[:1], 10, allowed[:0])[0].positions_K) == 0


def test_all_documents_can_be_asked_for(large: tuple[Path, Made]) -> None:
    folder, (store, vectors, _) = large
    found = DenseIndex.open(store, folder / "derived").search(vectors[:1], 6_000)[0]
    assert sorted(found.positions_K.tolist()) == list(range(6_000))


@pytest.mark.parametrize("damage", ["truncate vectors", "truncate codes", "lose a file", "lose all", "half-built"])
def test_derived_files_are_made_anew(tmp_path: Path, large: tuple[Path, Made], damage: str) -> None:
    _, (store, vectors, _) = large
    expected = DenseIndex.open(store, tmp_path).search(vectors[:3], 10)
    (folder,) = tmp_path.iterdir()
    match damage:
        case "truncate vectors":
            (folder / "vectors.npy").write_bytes((folder / "vectors.npy").read_bytes()[:1000])
        case "truncate codes":
            (folder / "coarse.faiss").write_bytes((folder / "coarse.faiss").read_bytes()[:1000])
        case "lose a file":
            (folder / "vectors.npy").unlink()
        case "lose all":
            shutil.rmtree(folder)
        case "half-built":
            folder.rename(folder.with_name(f"{folder.name}.1.partial"))
    found = DenseIndex.open(store, tmp_path).search(vectors[:3], 10)
    assert [f.positions_K.tolist() for f in found] == [e.positions_K.tolist() for e in expected]


@pytest.mark.parametrize("kind", ["scan", "ivf"])
def test_what_was_learned_about_some_rows_does_for_a_few_more(tmp_path: Path, kind: str) -> None:
    store, vectors, _ = make(tmp_path, 5_000, passages=lambda i: int(i % 50 == 0))
    before = DenseIndex.open(store, tmp_path / "derived", kind)
    store.append(store.take(range(300), store.schema.names))
    grown = DenseIndex.open(store, tmp_path / "derived", kind, before)
    assert (before.trained_on, grown.trained_on) == (5_100, 5_100)
    assert DenseIndex.open(store, tmp_path / "derived", kind).trained_on == 5_100  # told by its files
    anew = DenseIndex.open(store, tmp_path / "anew", kind)
    assert anew.trained_on == 5_406
    same = [
        len(set(one.positions_K.tolist()) & set(other.positions_K.tolist()))
        for one, other in zip(grown.search(vectors[::100], 10), anew.search(vectors[::100], 10), strict=True)
    ]
    assert np.mean(same) > (8.5 if kind == "ivf" else 9.7)
    store.append(store.take(range(1_500), store.schema.names))
    assert DenseIndex.open(store, tmp_path / "derived", kind, grown).trained_on > 6_500  # too many more


def test_without_room_for_files_it_is_made_in_memory(large: tuple[Path, Made]) -> None:
    _, (store, vectors, _) = large
    index = DenseIndex.open(store, Path("/proc/nowhere"))
    assert index.kind == "scan"
    assert index.search(vectors[:1], 1)[0].positions_K.tolist() == [0]


def test_files_of_older_versions_are_swept(tmp_path: Path) -> None:
    store, _, _ = make(tmp_path, 50)
    for number in range(4):
        store.remove([str(number)])
        index = DenseIndex.open(store, tmp_path / "derived")
        assert len(index.vectors()) == 49 - number
    assert len(list((tmp_path / "derived").iterdir())) == 2


def test_what_kills_left_is_swept_once_nobody_works_on_it(tmp_path: Path) -> None:
    store, _, _ = make(tmp_path, 50)
    derived = tmp_path / "derived"
    for age in ("old", "new"):
        (derived / f"adding-{age}").mkdir(parents=True)
        (derived / f"adding-{age}" / "rows.arrow").touch()
        (derived / f"dense-1-auto-{age}.7.partial").mkdir()
        (derived / f"verified.json.{age}.partial").touch()
    (derived / "adding-busy").mkdir()
    hours_ago = time.time() - 7_200
    for found in (*derived.glob("*old*"), derived / "adding-old" / "rows.arrow", derived / "adding-busy"):
        os.utime(found, (hours_ago, hours_ago))
    (derived / "adding-busy" / "rows.arrow").touch()  # written to, though the folder is old
    os.utime(derived / "adding-busy", (hours_ago, hours_ago))
    DenseIndex.open(store, derived)
    assert sorted(found.name for found in derived.iterdir() if not found.name.endswith(store.content_key)) == [
        "adding-busy",
        "adding-new",
        "dense-1-auto-new.7.partial",
        "verified.json.new.partial",
    ]


def test_nothing_is_found_in_nothing(tmp_path: Path) -> None:
    store, vectors, _ = make(tmp_path, 3)
    store.remove(["0", "1", "2"])
    assert len(DenseIndex.open(store, tmp_path / "derived").search(vectors[:2], 5)[1].positions_K) == 0


def test_kinds_are_chosen_by_size() -> None:
    assert [choose_kind(rows, 384) for rows in (100, 20_000, 1_000_000, 20_000_000)] == ["exact", "scan", "scan", "ivf"]
    assert choose_kind(20_000, 30) == "exact"
    assert oversampling(20_000) < oversampling(200_000) < oversampling(1_000_000)


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="exact, scan, ivf"):
        DenseIndex.open(make(tmp_path, 3)[0], tmp_path / "derived", "fastest")
