"""From vectors and texts to a tree of topics: the first time, and every time after."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tolman.errors import QueryError
from tolman.models.encoder import Floats
from tolman.neighbours import Ints
from tolman.topics.division import NOWHERE, Division, deepen, divide, draw_cores
from tolman.topics.graph import DocumentGraph, build_graph, canonical_order, contract, first_neighbour_groups
from tolman.topics.growth import grow, inherit
from tolman.topics.levels import Level, best_level, weigh_levels
from tolman.topics.membership import Membership, Places, Placing, fit_placing
from tolman.topics.naming import Vocabulary, describe, distinct, typical
from tolman.topics.tree import DEPTHS, Depth, Tree, numbered, plant

BEARABLE = 0.02
"""Share of the documents that may change their topic when topics are found anew."""
FEWEST = 20
"""Documents in which topics are looked for."""
_TYPICAL = 5


@dataclass(frozen=True)
class Material:
    """What topics are found in.

    Attributes:
        ids: of the documents.
        texts: of the documents.
        vectors_ND: unit vectors.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    vectors_ND: Floats

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Ints) -> "Material":
        """These documents, in this order."""
        return Material([self.ids[row] for row in rows], [self.texts[row] for row in rows], self.vectors_ND[rows])


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        tree: the topics, and which of them each document is in.
        places: how sure that is.
        placing: what places further documents.
        level: the fineness that was chosen.
    """

    tree: Tree
    places: Places
    placing: Placing
    level: Level


def find(material: Material, before: Tree | None = None, *, seed: int = 0) -> Found:
    """Find topics from nothing.

    Args:
        material: in whatever order: the same documents give the same topics.
        before: topics that were; those that are like them take over their numbers and names.
        seed: of the runs that partitions agree with.

    Raises:
        QueryError: too few documents, or they have nothing in common.
    """
    _require_enough(material)
    order = canonical_order(material.vectors_ND)
    sorted_, before = material.take(order), None if before is None else before.take(order)
    graph = build_graph(sorted_.vectors_ND)
    _require_ties(graph)
    division = divide(graph, seed)
    number = _Numbering(before)
    shown_N = number(division.shown_N, "shown")
    return _describe(sorted_, graph, division, _plant(division, shown_N, number), np.argsort(order))


def find_again(material: Material, before: Tree, *, bearable: float = BEARABLE, seed: int = 0) -> Found:
    """Find topics anew from those that were, changing those of at most a share `bearable` of the documents.

    Args:
        material: all documents.
        before: their topics; NOWHERE for documents that came since.
        bearable: 0 to 1.
        seed: of the runs that partitions agree with.

    Raises:
        QueryError: too few documents, or they have nothing in common.
    """
    if not (before.shown_N >= 0).any():
        return find(material, before, seed=seed)
    _require_enough(material)
    order = canonical_order(material.vectors_ND)
    sorted_, known = material.take(order), before.take(order)
    graph = build_graph(sorted_.vectors_ND)
    _require_ties(graph)
    rng = np.random.default_rng(seed)
    groups = contract(graph, first_neighbour_groups(graph))
    level = best_level(weigh_levels(groups))
    shown_N = grow(graph, known, level.resolution, bearable=bearable)
    division = deepen(graph, draw_cores(groups, rng), numbered(shown_N)[1], level, rng)
    number = _Numbering(known)
    number.above(shown_N)
    found = _describe(sorted_, graph, division, _plant(division, shown_N, number), np.argsort(order))
    # Sent nowhere, an old document would have lost its topic, and nobody counted it as bearable.
    outside_N = found.places.outside_N & (before.shown_N < 0)
    return replace(found, tree=found.tree.sized(~outside_N), places=replace(found.places, outside_N=outside_N))


def _require_enough(material: Material) -> None:
    if len(material) < FEWEST:
        raise QueryError(f"topics need at least {FEWEST} documents, here are {len(material)}")


def _require_ties(graph: DocumentGraph) -> None:
    if len(graph.ends_E2) < FEWEST:
        raise QueryError(
            "the encoder sees nothing that some of these documents share and others do not: there are no topics to find"
        )


def _describe(material: Material, graph: DocumentGraph, division: Division, tree: Tree, place: Ints) -> Found:
    """Name what was found and say how sure it is; `place`: where each document was before all were sorted."""
    _, parts_N = numbered(tree.shown_N)
    placing = fit_placing(graph, parts_N)
    member = Membership(placing, graph.vectors_ND, parts_N)
    places = member.judge(graph.vectors_ND, graph.neighbours, parts_N, own_N=parts_N)
    tree = named(tree, material, graph.vectors_ND).sized(~places.outside_N)
    return Found(tree.take(place), places.take(place), placing, division.level)


class _Numbering:
    """Numbers for parts: those of the like topics before, or new ones."""

    def __init__(self, before: Tree | None) -> None:
        self.before = before
        self.next_id = 0 if before is None else before.next_id

    def __call__(self, parts_N: Ints, depth: Depth) -> Ints:
        ids_N = inherit(parts_N, self._known(depth, len(parts_N)), self.next_id)
        self.above(ids_N)
        return ids_N

    def _known(self, depth: Depth, documents: int) -> Ints:
        """(N,) numbers of the topics before that were of this depth; an undivided shown one is no fine one."""
        if self.before is None:
            return np.full(documents, NOWHERE)
        ids_N = self.before.ids_at(depth)
        return np.where(np.isin(ids_N, [topic.id for topic in self.before.at(depth)]), ids_N, NOWHERE)

    def above(self, ids_N: Ints) -> None:
        """These are taken."""
        self.next_id = max(self.next_id, int(ids_N.max()) + 1)


def _plant(division: Division, shown_N: Ints, number: _Numbering) -> Tree:
    """The tree, once the shown topics have their numbers."""
    broad_N = None if division.broad_N is None else number(division.broad_N, "broad")
    divided_N = _divided(division)
    fine_N = np.where(divided_N, number(np.where(divided_N, division.fine_N, NOWHERE), "fine"), shown_N)
    return plant(shown_N, fine_N, broad_N, number.before, number.next_id)


def _divided(division: Division) -> NDArray[np.bool_]:
    """(N,) whether a document's shown topic has finer ones; one that hasn't is its own finest."""
    pairs = np.unique(np.column_stack([division.shown_N, division.fine_N]), axis=0)
    shown, times = np.unique(pairs[:, 0], return_counts=True)
    return np.isin(division.shown_N, shown[(times > 1) & (shown >= 0)])


def named(tree: Tree, material: Material, moved_ND: Floats) -> Tree:
    """The tree with words, typical documents and names; names that were given stay."""
    said = Vocabulary(material.texts)
    above: dict[Depth, Depth] = {"shown": "broad", "fine": "shown"}
    topics = dict(tree.topics)
    for depth in DEPTHS:
        numbers, parts_N = numbered(tree.ids_at(depth))
        words = describe(said, parts_N, tree.ids_at(above[depth]) if depth in above else None)
        found = zip(numbers.tolist(), distinct(words), words, typical(moved_ND, parts_N, _TYPICAL), strict=True)
        for number, fresh, its_words, nearest in found:
            topic = topics[number]
            if topic.depth == depth:  # undivided, a shown topic is its own finest: it is named as a shown one
                ids = tuple(material.ids[place] for place in nearest)
                topics[number] = replace(topic, name=topic.name or fresh, words=its_words, typical=ids)
    return replace(tree, topics=topics)
