"""Topics that keep up with their space: documents that came are placed, those that went are forgotten.

A newcomer gets the topic of its nearest. One that is too far from all belongs nowhere; where so many of these are near
to each other that they would make a topic, they do.

Legend for shapes:
    N  documents of the space
    Q  of them, those that came or changed
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tolman.digests import Digests, digests_of
from tolman.errors import StorageError
from tolman.neighbours import Ints, Neighbours, nearest_neighbours
from tolman.progress import Progress
from tolman.topics.division import NOWHERE, smallest_topic
from tolman.topics.finding import Found, Material, find, named
from tolman.topics.graph import centred
from tolman.topics.membership import Membership, distance
from tolman.topics.record import Record, read, write, writing
from tolman.topics.tree import numbered, plant

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace


def material(space: "LatentSpace") -> Material:
    """The documents of a space, for finding topics in them."""
    table = space.store.read(["id", "fulltext"])
    return Material(table["id"].to_pylist(), table["fulltext"].to_pylist(), np.asarray(space.vectors()))


def current(space: "LatentSpace", progress: Progress) -> Record:
    """The topics of the documents of now: made, or brought up to date, and then kept if they can be.

    Raises:
        QueryError, SpaceError, SpaceMismatch, MissingExtra: see `topics_of`.
    """
    known = _read(space)
    if known is None:
        progress.start("finding topics")
        known = record_of(space, find(material(space)))  # before a folder is made: there may be nothing to find
    elif known.content_key == space.store.content_key:
        return known
    try:
        with writing(space.path):
            return write(space.path, _up_to_date(space, _read(space) or known))  # others may have been here meanwhile
    except StorageError:  # a space that can only be read has topics, too
        return _up_to_date(space, known)


def membership(space: "LatentSpace", record: Record) -> tuple[Ints, Membership]:
    """Numbers of the shown topics, and what gives vectors one of them, by its place in that list."""
    numbers, parts_N = numbered(record.tree.shown_N)
    settled_N = np.where(record.outside_N, NOWHERE, parts_N)
    return numbers, Membership(record.placing, _centred(space, record), settled_N)


def record_of(space: "LatentSpace", found: Found, generation: int = 0) -> Record:
    """What was found in the documents of a space, to be kept."""
    return Record(
        encoder=space.description.encoder.fingerprint,
        ids=space.store.read(["id"])["id"].combine_chunks(),
        tree=found.tree,
        probability_N=found.places.probability_N,
        margin_N=found.places.margin_N,
        outside_N=found.places.outside_N,
        newcomers_N=np.zeros(len(found.tree.shown_N), bool),
        digests_N=digests_of(space.vectors()),
        content_key=space.store.content_key,
        placing=found.placing,
        level=found.level,
        generation=generation,
    )


def revised(space: "LatentSpace", record: Record) -> Record:
    """The record after its tree was changed: sizes, words and probabilities as they are now."""
    moved_ND = _centred(space, record)
    near = nearest_neighbours(moved_ND, record.placing.neighbours)
    _, parts_N = numbered(record.tree.shown_N)
    places = Membership(record.placing, moved_ND, parts_N).judge(moved_ND, near, parts_N, own_N=parts_N)
    tree = named(record.tree, material(space), moved_ND).sized(~record.outside_N)
    return replace(record, tree=tree, probability_N=places.probability_N, margin_N=places.margin_N)


def _read(space: "LatentSpace") -> Record | None:
    return read(space.path, space.description.encoder.fingerprint)


def _centred(space: "LatentSpace", record: Record) -> np.ndarray:
    return centred(np.asarray(space.vectors()), record.placing.center_D)


def _up_to_date(space: "LatentSpace", record: Record) -> Record:
    return record if record.content_key == space.store.content_key else _caught_up(space, record)


def _caught_up(space: "LatentSpace", record: Record) -> Record:
    """Rows of documents that went are dropped, those that came or changed are placed."""
    ids, digests_N = space.store.read(["id"])["id"].combine_chunks(), digests_of(space.vectors())
    record, same_N = _aligned(record, ids, digests_N)
    record = replace(record, content_key=space.store.content_key)
    if not (record.tree.shown_N[~record.outside_N] >= 0).any():  # nobody is left who knows a topic
        return record_of(space, find(material(space), record.tree), record.generation)
    came = np.flatnonzero(~same_N)
    placed = _placed(space, record, came) if len(came) else record
    raised = _raised(space, placed)
    return raised if raised is not None else replace(placed, tree=placed.tree.sized(~placed.outside_N))


def _aligned(record: Record, ids: pa.Array, digests_N: Digests) -> tuple[Record, np.ndarray]:
    """The record over these documents, and of which of them it knows the very vector."""
    rows_N = pc.fill_null(pc.index_in(ids, record.ids), -1).to_numpy().astype(np.int64)
    same_N = (rows_N >= 0) & (record.digests_N[rows_N] == digests_N)

    def known(values_N: np.ndarray, otherwise: float | bool) -> np.ndarray:
        return np.where(same_N, values_N[rows_N], otherwise)

    tree = replace(record.tree, shown_N=known(record.tree.shown_N, NOWHERE), fine_N=known(record.tree.fine_N, NOWHERE))
    aligned = replace(
        record,
        ids=ids,
        tree=tree,
        probability_N=known(record.probability_N, 0.0),
        margin_N=known(record.margin_N, 0.0),
        outside_N=known(record.outside_N, True),
        newcomers_N=known(record.newcomers_N, True),
        digests_N=digests_N,
    )
    return aligned, same_N


def _placed(space: "LatentSpace", record: Record, came: Ints) -> Record:
    """Newcomers placed among those that are in a topic."""
    tree = record.tree
    numbers, member = membership(space, record)
    places, near = member.place(np.asarray(space.vectors())[came])
    shown_Q = numbers[places.topic_N]
    known = np.flatnonzero((tree.shown_N >= 0) & ~record.outside_N)[near.positions_NK]
    fine_Q = _finest(shown_Q, tree.shown_N[known], tree.fine_N[known])

    def with_new(values_N: np.ndarray, new_Q: np.ndarray) -> np.ndarray:
        values_N = values_N.copy()
        values_N[came] = new_Q
        return values_N

    return replace(
        record,
        tree=replace(tree, shown_N=with_new(tree.shown_N, shown_Q), fine_N=with_new(tree.fine_N, fine_Q)),
        probability_N=with_new(record.probability_N, places.probability_N),
        margin_N=with_new(record.margin_N, places.margin_N),
        outside_N=with_new(record.outside_N, places.outside_N),
    )


def _finest(shown_Q: Ints, near_shown_QK: Ints, near_fine_QK: Ints) -> Ints:
    """The fine topic of the nearest document that is in the same shown one."""
    same_QK = near_shown_QK == shown_Q[:, None]
    first_Q = same_QK.argmax(axis=1)
    rows = np.arange(len(shown_Q))
    return np.where(same_QK[rows, first_Q], near_fine_QK[rows, first_Q], near_fine_QK[:, 0])


def _raised(space: "LatentSpace", record: Record) -> Record | None:
    """With topics for those who belong nowhere but together; None: there are none."""
    pile, smallest = np.flatnonzero(record.outside_N), smallest_topic(len(record))
    if len(pile) < smallest:
        return None
    near = nearest_neighbours(_centred(space, record)[pile], min(record.placing.neighbours, smallest - 1))
    groups = _linked(near, record.placing.fence)
    large = np.flatnonzero(np.bincount(groups) >= smallest)
    if not len(large):
        return None
    tree, outside_N, newcomers_N = record.tree, record.outside_N.copy(), record.newcomers_N.copy()
    shown_N, fine_N = tree.shown_N.copy(), tree.fine_N.copy()
    for number, group in enumerate(large, start=tree.next_id):
        members = pile[groups == group]
        shown_N[members] = fine_N[members] = number
        outside_N[members] = newcomers_N[members] = False
    broad_N = tree.broad_of(shown_N) if tree.at("broad") else None
    planted = plant(shown_N, fine_N, broad_N, tree, tree.next_id)
    return revised(space, replace(record, tree=planted, outside_N=outside_N, newcomers_N=newcomers_N))


def _linked(near: Neighbours, fence: float) -> Ints:
    """Groups of documents that are each near enough to its nearest, and linked by them; all others are alone."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count, k = near.positions_NK.shape
    linked_NK = (near.cosines_NK >= 1 - fence) & (distance(near) <= fence)[:, None]
    rows, columns = np.repeat(np.arange(count), k)[linked_NK.ravel()], near.positions_NK[linked_NK]
    _, groups_N = connected_components(coo_array((np.ones(len(rows)), (rows, columns)), (count, count)), directed=False)
    return np.asarray(groups_N, np.int64)
