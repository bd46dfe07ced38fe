import json
import os
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from clustered import clustered
from conftest import tree

from tolman import Map, QueryError, SpaceError, SpaceMismatch, StorageError, open_space
from tolman.progress import Silent
from tolman.projection import files
from tolman.projection.files import FILE, FOLDER, read_map
from tolman.projection.growing import grow_rows, make_rows
from tolman.projection.map import map_of

VECTORS = clustered(700)
IDS = [f"d{row}" for row in range(700)]


def brute_force_trust(vectors_ND, places_N2):
    """The definition: which share of the 15 nearest by cosine is among the 15 nearest on the map."""
    cosines_NN = vectors_ND.astype(float) @ vectors_ND.T.astype(float)
    far_NN = ((places_N2.astype(float)[:, None] - places_N2) ** 2).sum(2)
    np.fill_diagonal(cosines_NN, -np.inf)
    np.fill_diagonal(far_NN, np.inf)
    true, near = np.argsort(-cosines_NN, axis=1)[:, :15], np.argsort(far_NN, axis=1)[:, :15]
    return np.array([len(set(a) & set(b)) / 15 for a, b in zip(true, near, strict=True)], np.float32)


def tied(vectors_ND):
    """(N,): whether the 15th nearest is as near as the next."""
    cosines_NN = vectors_ND.astype(float) @ vectors_ND.T.astype(float)
    np.fill_diagonal(cosines_NN, -np.inf)
    ordered_NN = np.sort(cosines_NN, axis=1)[:, ::-1]
    return ordered_NN[:, 14] - ordered_NN[:, 15] < 1e-6


def made(count: int = 700):
    return make_rows(VECTORS[:count], IDS[:count], 0, Silent())


def test_trust_is_its_definition_when_made_and_when_grown():
    rows = made(500)
    assert rows.trust_N == pytest.approx(brute_force_trust(VECTORS[:500], rows.places_N2))
    for more in (505, 700):  # a few, whose neighbours are found one by one, and many
        rows = grow_rows(rows, VECTORS[:more], IDS[:more], Silent())
        assert rows.trust_N == pytest.approx(brute_force_trust(VECTORS[:more], rows.places_N2))
    kept = np.delete(np.arange(700), np.s_[::9])
    rows = grow_rows(rows, VECTORS[kept], [IDS[row] for row in kept], Silent())
    assert rows.trust_N == pytest.approx(brute_force_trust(VECTORS[kept], rows.places_N2))


def test_growing_moves_nobody_whatever_the_order():
    rows, shuffled = made(500), np.random.default_rng(0).permutation(700)
    grown = grow_rows(rows, VECTORS[shuffled], [IDS[row] for row in shuffled], Silent())
    old = np.flatnonzero(shuffled < 500)
    assert grown.places_N2[old].tobytes() == rows.places_N2[shuffled[old]].tobytes()
    assert grown.placed_N.tolist() == (shuffled >= 500).tolist()


def test_another_order_of_the_documents_gives_the_same_map():
    rows, shuffled = made(), np.random.default_rng(1).permutation(700)
    other = make_rows(VECTORS[shuffled], [IDS[row] for row in shuffled], 0, Silent())
    assert other.places_N2.tobytes() == rows.places_N2[shuffled].tobytes()
    assert other.trust_N.tobytes() == rows.trust_N[shuffled].tobytes()


def test_who_has_another_vector_is_placed_anew_and_nobody_else():
    rows, changed = made(), VECTORS.copy()
    changed[7] = clustered(1, seed=9)
    grown = grow_rows(rows, changed, IDS, Silent())
    assert np.flatnonzero((grown.places_N2 != rows.places_N2).any(axis=1)).tolist() == [7]
    assert np.flatnonzero(grown.placed_N).tolist() == [7]


def test_new_documents_about_something_new_gather():
    strange = clustered(60, clusters=1, seed=77)
    rows = made(500)
    grown = grow_rows(rows, np.concatenate([VECTORS[:500], strange]), [*IDS[:500], *map(str, range(60))], Silent())
    assert grown.places_N2[:500].tobytes() == rows.places_N2.tobytes()
    assert grown.trust_N[500:].mean() > 0.4


def test_of_too_few_that_stayed_nothing_grows():
    rows = made(500)
    assert grow_rows(rows, VECTORS[:3], ["d0", "x", "y"], Silent()) is None


def test_a_map_grows_from_the_smallest():
    rows = made(2)
    for count in (3, 14, 17, 60):
        rows = grow_rows(rows, VECTORS[:count], IDS[:count], Silent())
        assert np.isfinite(rows.places_N2).all()
        assert len(np.unique(rows.places_N2, axis=0)) == count


# ---- in a space


@pytest.fixture(scope="module")
def _mapped(tickets_space, tmp_path_factory):
    path = shutil.copytree(tickets_space, tmp_path_factory.mktemp("mapped") / "tickets.space")
    open_space(path).map()
    return path


@pytest.fixture
def mapped_space(_mapped, tmp_path):
    """A copy of the tickets with their map, to change."""
    return shutil.copytree(_mapped, tmp_path / "mapped.space")


def leave(space, count: int) -> None:
    """Remove all documents but some; exact duplicates come apart when one of them goes."""
    while len(space) > count:
        space.remove(space.table(["id"])["id"].to_pylist()[count:])


def test_a_map_is_kept_and_opens_as_it_was(own_space):
    first = open_space(own_space).map()
    assert isinstance(first, Map)
    kept = tree(own_space / FOLDER)
    again = open_space(own_space).map()
    assert again.positions_N2.tobytes() == first.positions_N2.tobytes()
    assert again.trust_N.tobytes() == first.trust_N.tobytes()
    assert (again.ids, again.seed, again.quality) == (first.ids, first.seed, first.quality)
    assert list(first.ids) == open_space(own_space).table(["id"])["id"].to_pylist()
    vectors_ND = open_space(own_space).vectors()
    plain_N = ~tied(vectors_ND)  # some tickets say the same in another order
    assert plain_N.sum() > 150
    assert first.trust_N[plain_N] == pytest.approx(brute_force_trust(vectors_ND, first.positions_N2)[plain_N])
    assert first.quality["neighbours_kept"] == pytest.approx(first.trust_N.mean())
    assert tree(own_space / FOLDER) == kept
    assert "298 documents" in repr(first)


def test_nothing_in_a_map_changes(mapped_space):
    drawn = open_space(mapped_space).map()
    for array in (drawn.positions_N2, drawn.trust_N):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_added_documents_are_placed_changed_ones_anew_removed_ones_are_gone(mapped_space):
    space = open_space(mapped_space)
    before = dict(zip(space.map().ids, space.map().positions_N2.tolist(), strict=True))
    space.add([{"id": "new", "text": "the courier lost my parcel"}, {"id": "tk-9", "text": "my refund never came"}])
    space.remove(["tk-12"])
    drawn = space.map()
    after = dict(zip(drawn.ids, drawn.positions_N2.tolist(), strict=True))
    assert set(after) == (set(before) | {"new"}) - {"tk-12"}
    assert {name for name in after if before.get(name) != after[name]} == {"new", "tk-9"}
    assert drawn.quality["placed"] == 2
    reopened = open_space(mapped_space).map()
    assert reopened.positions_N2.tobytes() == drawn.positions_N2.tobytes()
    assert len(list((mapped_space / FOLDER).glob("*.arrow"))) == 1


def test_an_earlier_version_is_shown_as_it_was_and_keeps_nothing(mapped_space):
    space = open_space(mapped_space)
    first, version = space.map(), space.version
    space.add([{"id": "new", "text": "the courier lost my parcel"}])
    space.map()
    kept = tree(mapped_space / FOLDER)
    earlier = open_space(mapped_space, version=version).map()
    assert earlier.positions_N2.tobytes() == first.positions_N2.tobytes()
    assert tree(mapped_space / FOLDER) == kept


def test_vectors_are_placed_near_their_like(mapped_space):
    space = open_space(mapped_space)
    drawn, before = space.map(), tree(mapped_space)
    positions_Q2, trust_Q = drawn.place(space.vectors()[:40])
    own = np.linalg.norm(positions_Q2 - drawn.positions_N2[:40], axis=1)
    assert np.median(own) < 0.15 * np.ptp(drawn.positions_N2)
    assert positions_Q2.shape == (40, 2)
    assert ((trust_Q >= 0) & (trust_Q <= 1)).all()
    assert drawn.place(space.vectors()[:0])[0].shape == (0, 2)
    assert tree(mapped_space) == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((2, 3)), "one a row; got 2 x 3"),
        (np.zeros(256), "one a row; got 256"),
        (np.full((1, 256), np.nan), "finite"),
        ("text", "array of vectors, got str"),
    ],
)
def test_what_is_no_vector_of_the_space_is_refused(tickets_space, given, said):
    rows = make_rows(clustered(20, dim=256), IDS[:20], 0, Silent())
    record = files.MapRecord("e", 0, 1, "c", None, 0.0)
    with pytest.raises(QueryError, match=said):
        Map(record, rows, clustered(20, dim=256)).place(given)


def test_another_seed_needs_to_be_meant(mapped_space):
    space = open_space(mapped_space)
    first = space.map()
    with pytest.raises(QueryError, match="made with seed 0"):
        space.map(seed=1)
    again = space.map(seed=1, again=True)
    assert (again.seed, open_space(mapped_space).map().seed) == (1, 1)
    assert again.positions_N2.tobytes() != first.positions_N2.tobytes()


@pytest.mark.parametrize("seed", [-1, 1.5, True, "1"])
def test_a_seed_is_a_whole_number(tickets_space, seed):
    with pytest.raises(QueryError, match="expected a seed"):
        open_space(tickets_space).map(seed=seed)


@pytest.mark.parametrize("left", [0, 1])
def test_a_map_needs_two_documents(own_space, left):
    space = open_space(own_space)
    leave(space, left)
    before = tree(own_space)
    with pytest.raises(SpaceError, match=f"at least 2 documents: .* has {left}"):
        space.map()
    assert tree(own_space) == before


def test_two_documents_make_a_map(own_space):
    space = open_space(own_space)
    leave(space, 2)
    drawn = space.map()
    assert drawn.trust_N.tolist() == [1, 1]
    assert drawn.quality["trustworthiness"] is None


def damages():
    def cut(folder):
        next(folder.glob("*.arrow")).write_bytes(b"ARROW1")

    def lost(folder):
        next(folder.glob("*.arrow")).unlink()

    def edit(**values):
        def change(folder):
            stored = json.loads((folder / FILE).read_text())
            (folder / FILE).write_text(json.dumps({key: v for key, v in (stored | values).items() if v != "gone"}))

        return change

    return {
        "rows cut": (cut, "isn't the file that was written"),
        "rows lost": (lost, "it is missing"),
        "no JSON": (lambda folder: (folder / FILE).write_text("{"), "isn't whole JSON"),
        "deep JSON": (lambda folder: (folder / FILE).write_text("[" * 100_000), "isn't whole JSON"),
        "no object": (lambda folder: (folder / FILE).write_text("[]"), "no usable 'encoder'"),
        "no seed": (edit(seed="gone"), "no usable 'seed'"),
        "odd seed": (edit(seed="x"), "no usable 'seed'"),
        "a way out": (edit(rows="../space.json"), "can't be a name"),
        "newer": (edit(format=99), "format 99, this Tolman reads up to 1"),
    }


@pytest.mark.parametrize("name", damages())
def test_a_damaged_map_says_so_and_changes_nothing(mapped_space, name):
    damage, said = damages()[name]
    damage(mapped_space / FOLDER)
    before = tree(mapped_space)
    with pytest.raises(SpaceError, match=said):
        open_space(mapped_space).map()
    assert tree(mapped_space) == before


def test_a_damaged_map_is_made_anew_when_asked(mapped_space):
    space = open_space(mapped_space)
    first = space.map()
    (mapped_space / FOLDER / FILE).write_text("{")
    assert space.map(again=True).positions_N2.tobytes() == first.positions_N2.tobytes()
    assert open_space(mapped_space).map().positions_N2.tobytes() == first.positions_N2.tobytes()


def test_the_map_of_another_encoder_is_refused(mapped_space):
    space = open_space(mapped_space)
    record, rows = read_map(mapped_space)
    files.write_map(mapped_space, replace(record, encoder="f" * 64), rows)
    with pytest.raises(SpaceMismatch, match="the map in"):
        space.map()
    assert len(space.map(again=True)) == 298


def test_a_folder_that_cannot_be_written_has_a_map_in_memory(own_space, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("os.fsync", full)
    heard = Hearing()
    space = open_space(own_space)
    assert len(space.map(progress=heard)) == 298
    (said,) = heard.said
    rows = re.escape(str(own_space / FOLDER)) + r"/rows-[0-9a-f]{16}\.arrow"
    assert re.fullmatch(f"the map is not kept: can't write {rows}: No space left on device", said)
    with pytest.raises(StorageError, match="No space left"):
        map_of(space, must_keep=True)
    assert list((own_space / FOLDER).iterdir()) == []


def test_a_full_disk_leaves_the_map_that_was_there(mapped_space, monkeypatch):
    space = open_space(mapped_space)
    before = tree(mapped_space / FOLDER)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    space.map(seed=3, again=True)
    assert tree(mapped_space / FOLDER) == before


def test_a_copied_space_has_its_map(mapped_space, tmp_path):
    first = open_space(mapped_space).map()
    moved = shutil.copytree(mapped_space, tmp_path / "elsewhere.space")
    assert open_space(moved).map().positions_N2.tobytes() == first.positions_N2.tobytes()


class Hearing(Silent):
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)
