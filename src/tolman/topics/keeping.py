"""Topics that keep up with their space: documents that came are placed, those that went are forgotten.

A newcomer gets the topic of its nearest. One that is too far from all belongs nowhere; where so many of these are near
to each other that they would make a topic, they do.

Legend for shapes:
    N  documents of the space
    Q  of them, those that came or changed
    D  dimensions
"""

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tolman.errors import StorageError
from tolman.models.encoder import Floats
from tolman.neighbours import Ints, Neighbours, nearest_neighbours
from tolman.progress import Progress
from tolman.topics.division import NOWHERE, smallest_topic
from tolman.topics.finding import Found, Material, find, named
from tolman.topics.graph import centred
from tolman.topics.membership import Membership, distance
from tolman.topics.record import Record, write, writing
from tolman.topics.tree import Tree, plant

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace

_BLOCK = 65_536


def material(space: "LatentSpace") -> Material:
    """The documents of a space, for finding topics in them."""
    table = space.store.read(["id", "fulltext"])
    return Material(table["id"].to_pylist(), table["fulltext"].to_pylist(), np.asarray(space.vectors()))


def current(space: "LatentSpace", record: Record | None, seed: int, progress: Progress) -> Record:
    """The record as it is with the documents of now; made, or brought up to date, and then kept if it can be."""
    if record is None:
        progress.start("finding topics")
        found = find(material(space), seed=seed)
        return _kept(space, _record(space, found, generation=0))
    if record.content_key == space.store.content_key:
        return record
    ids = space.store.read(["id"])["id"].combine_chunks()
    return _kept(space, _caught_up(space, record, ids, digests(space.vectors())))


def digests(vectors_ND: Floats) -> NDArray[np.uint64]:
    """(N,) a number for each vector, another for another."""
    odd_D = np.random.default_rng(0).integers(0, 1 << 62, vectors_ND.shape[1], dtype=np.uint64) * 2 + 1
    parts = [
        (np.ascontiguousarray(vectors_ND[start : start + _BLOCK]).view(np.uint32).astype(np.uint64) * odd_D).sum(axis=1)
        for start in range(0, len(vectors_ND), _BLOCK)
    ]
    return np.concatenate([np.empty(0, np.uint64), *parts])


def membership(space: "LatentSpace", record: Record) -> tuple[Ints, Membership]:
    """Numbers of the shown topics, and what gives vectors one of them, by its place in that list."""
    numbers, parts_N = _parts(record.tree)
    return numbers, Membership(record.placing, centred(np.asarray(space.vectors()), record.placing.center_D), parts_N)


def recorded(space: "LatentSpace", record: Record, tree: Tree, found: Found | None = None) -> Record:
    """The record with another tree, and what is known of documents' places as it is now."""
    if found is not None:
        return replace(_record(space, found, record.generation), found=record.found)
    record = replace(record, tree=tree)
    _, parts_N = _parts(tree)
    moved_ND = centred(np.asarray(space.vectors()), record.placing.center_D)
    near = nearest_neighbours(moved_ND, record.placing.neighbours)
    places = Membership(record.placing, moved_ND, parts_N).judge(moved_ND, near, parts_N)
    tree = named(tree, material(space), moved_ND)
    return replace(record, tree=tree, probability_N=places.probability_N, margin_N=places.margin_N)


def _record(space: "LatentSpace", found: Found, generation: int) -> Record:
    return Record(
        encoder=space.description.encoder.fingerprint,
        ids=space.store.read(["id"])["id"].combine_chunks(),
        tree=found.tree,
        probability_N=found.places.probability_N,
        margin_N=found.places.margin_N,
        outside_N=found.places.outside_N | (found.tree.shown_N < 0),
        newcomers_N=np.zeros(len(found.tree.shown_N), bool),
        digests_N=digests(space.vectors()),
        content_key=space.store.content_key,
        placing=found.placing,
        level=found.level,
        generation=generation,
    )


def _kept(space: "LatentSpace", record: Record) -> Record:
    with suppress(StorageError), writing(space.path):  # a space that can only be read has topics, too
        return write(space.path, record)
    return record


def _parts(tree: Tree) -> tuple[Ints, Ints]:
    numbers, parts_N = np.unique(tree.shown_N, return_inverse=True)
    return numbers[numbers >= 0], parts_N - int(numbers[0] < 0)


def _caught_up(space: "LatentSpace", record: Record, ids: pa.Array, digests_N: NDArray[np.uint64]) -> Record:
    """Rows of documents that went are dropped, those that came or changed are placed."""
    rows_N = pc.fill_null(pc.index_in(ids, record.ids), -1).to_numpy().astype(np.int64)
    same_N = rows_N >= 0
    same_N[same_N] = record.digests_N[rows_N[same_N]] == digests_N[same_N]
    tree = Tree(
        record.tree.topics,
        np.where(same_N, record.tree.shown_N[rows_N], NOWHERE),
        np.where(same_N, record.tree.fine_N[rows_N], NOWHERE),
        record.tree.next_id,
    )
    record = replace(
        record,
        ids=ids,
        tree=tree,
        probability_N=np.where(same_N, record.probability_N[rows_N], 0.0),
        margin_N=np.where(same_N, record.margin_N[rows_N], 0.0),
        outside_N=np.where(same_N, record.outside_N[rows_N], True),
        newcomers_N=np.where(same_N, record.newcomers_N[rows_N], True),
        digests_N=digests_N,
        content_key=space.store.content_key,
    )
    return _placed(space, record, np.flatnonzero(~same_N)) if (tree.shown_N >= 0).any() else record


def _placed(space: "LatentSpace", record: Record, came_Q: Ints) -> Record:
    """Newcomers placed, and piles of those that belong nowhere made topics."""
    tree, vectors_ND = record.tree, np.asarray(space.vectors())
    arrays = {name: getattr(record, name).copy() for name in ("probability_N", "margin_N", "outside_N")}
    shown_N, fine_N = tree.shown_N.copy(), tree.fine_N.copy()
    if len(came_Q):
        numbers, member = membership(space, record)
        places, near = member.place(vectors_ND[came_Q])
        known = np.flatnonzero(tree.shown_N >= 0)
        shown_N[came_Q] = numbers[places.best_N]
        fine_N[came_Q] = _finest(
            shown_N[came_Q], tree.shown_N[known[near.positions_NK]], tree.fine_N[known[near.positions_NK]]
        )
        for name, array_N in arrays.items():
            array_N[came_Q] = getattr(places, name)
    planted = plant(shown_N, fine_N, _broad_of(tree, shown_N), tree, tree.next_id)
    record = replace(record, tree=planted, **arrays)
    return _raised(space, record)


def _finest(shown_Q: Ints, near_shown_QK: Ints, near_fine_QK: Ints) -> Ints:
    """The fine topic of the nearest document that is in the same shown one."""
    same_QK = near_shown_QK == shown_Q[:, None]
    first_Q = same_QK.argmax(axis=1)
    rows = np.arange(len(shown_Q))
    return np.where(same_QK[rows, first_Q], near_fine_QK[rows, first_Q], near_fine_QK[:, 0])


def _broad_of(tree: Tree, shown_N: Ints) -> Ints | None:
    if not tree.at("broad"):
        return None
    parent = {number: topic.parent for number, topic in tree.topics.items() if topic.depth == "shown"}
    numbers, parts_N = np.unique(shown_N, return_inverse=True)
    above = [parent.get(int(number)) for number in numbers]
    return np.array([NOWHERE if number is None else number for number in above])[parts_N]


def _raised(space: "LatentSpace", record: Record) -> Record:
    """Topics for those who belong nowhere but together."""
    pile = np.flatnonzero(record.outside_N)
    smallest = smallest_topic(len(record))
    if len(pile) < smallest:
        return record
    moved_ND = centred(np.asarray(space.vectors())[pile], record.placing.center_D)
    near = nearest_neighbours(moved_ND, min(record.placing.neighbours, smallest - 1))
    groups = _linked(near, record.placing.fence)
    tree, outside_N, newcomers_N = record.tree, record.outside_N.copy(), record.newcomers_N.copy()
    shown_N, fine_N, next_id = tree.shown_N.copy(), tree.fine_N.copy(), tree.next_id
    for group in np.flatnonzero(np.bincount(groups) >= smallest):
        members = pile[groups == group]
        shown_N[members] = fine_N[members] = next_id
        outside_N[members] = newcomers_N[members] = False
        next_id += 1
    planted = plant(shown_N, fine_N, _broad_of(tree, shown_N), tree, next_id)
    if planted.next_id == tree.next_id:
        return record
    return recorded(space, replace(record, outside_N=outside_N, newcomers_N=newcomers_N), planted)


def _linked(near: Neighbours, fence: float) -> Ints:
    """Groups of documents that are each near enough to its nearest, and linked by them; all others are alone."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count, k = near.positions_NK.shape
    linked_NK = (near.cosines_NK >= 1 - fence) & (distance(near) <= fence)[:, None]
    rows, columns = np.repeat(np.arange(count), k)[linked_NK.ravel()], near.positions_NK[linked_NK]
    _, groups_N = connected_components(coo_array((np.ones(len(rows)), (rows, columns)), (count, count)), directed=False)
    return np.asarray(groups_N, np.int64)
