"""The documents divided, at up to three depths: about a dozen broad topics, those that are shown first, and finer ones.

The shown ones are found first, at the fineness that the documents insist on; the broad ones put whole shown ones
together, the finer ones divide them. A tree that is built from the bottom or from the top alone has poor levels at the
other end (docs/decisions/0012).

Legend for shapes:
    N  documents
    P  parts
"""

from dataclasses import dataclass

import numpy as np

from tolman.neighbours import Ints
from tolman.topics.graph import Contraction, DocumentGraph, contract, first_neighbour_groups
from tolman.topics.levels import Level, best_level, weigh_levels
from tolman.topics.partition import consensus, refine, settle

NOWHERE = -1

_RUNS = 200
_CORE_RUNS = 120
_CORE_RESOLUTION = 32.0
_CORE_TIES = 0.2  # weight from which on a tie counts for cores; the weaker ones matter for what is coarser
_DOZEN = (4, 20)  # broad topics, fewest (in effect) and most
_FEWER = 2.5  # shown topics to a broad one, at least
_FINER = 4.0  # times the resolution
_LARGEST_SMALLEST = 10  # documents of a topic
_SMALLEST_SMALLEST = 3
_LEAST_WORTH = 0.15  # of a level; below, the documents are no more divided than random vectors
_SHARE = 200  # a topic in a small corpus may be a 200th of it


@dataclass(frozen=True)
class Division:
    """Nested partitions of the documents.

    Attributes:
        broad_N: a part of the broadest level for each document, NOWHERE for one that has no ties; None: there are so
            few shown ones that they are the broadest.
        shown_N: of the level to look at first.
        fine_N: of the finest; where a shown part isn't divided, it is one part here, too.
        level: what is known of the shown level.
    """

    broad_N: Ints | None
    shown_N: Ints
    fine_N: Ints
    level: Level


def smallest_topic(documents: int) -> int:
    """How many documents a topic has at least."""
    return min(_LARGEST_SMALLEST, max(_SMALLEST_SMALLEST, documents // _SHARE))


def divide(graph: DocumentGraph, seed: int = 0) -> Division:
    """Find topics, from nothing.

    The seed is that of the runs which the partitions agree with; levels are weighed with the same draws whatever it is.
    """
    rng = np.random.default_rng(seed)
    groups = contract(graph, first_neighbour_groups(graph))
    level = best_level(weigh_levels(groups))
    if level.worth < _LEAST_WORTH:
        all_N = fold(graph, np.zeros(len(graph), np.int64))
        return Division(None, all_N, all_N, level)
    cores = draw_cores(groups, rng)
    shown_N = fold(graph, refine(graph, consensus(cores, level.resolution, _RUNS, rng)))
    return deepen(graph, cores, shown_N, level, rng)


def draw_cores(groups: Contraction, rng: np.random.Generator) -> Contraction:
    """Groups drawn together to what a very fine division leaves together, some hundreds.

    Divisions of these (Ovelgönne and Geyer-Schulz 2012) take a fraction of the time that those of groups do, and agree
    with each other more often. How fine to divide is weighed without them: whatever they can't tell apart would agree.
    """
    graph = groups.graph
    near = contract(graph.only(graph.weights_E >= _CORE_TIES), groups.groups_N)
    return contract(graph, consensus(near, _CORE_RESOLUTION, _CORE_RUNS, rng))


def deepen(graph: DocumentGraph, cores: Contraction, shown_N: Ints, level: Level, rng: np.random.Generator) -> Division:
    """Add the broader and the finer level to a shown one."""
    broad_N = _broaden(graph, shown_N, level.resolution, rng)
    return Division(broad_N, shown_N, _divide_further(graph, cores, shown_N, level.resolution, rng), level)


def _broaden(graph: DocumentGraph, shown_N: Ints, resolution: float, rng: np.random.Generator) -> Ints | None:
    """About a dozen, each of whole shown ones."""
    fewest, most = _DOZEN
    shown = int(shown_N.max()) + 1
    if shown <= most:
        return None
    topics = contract(graph, np.where(shown_N >= 0, shown_N, shown))
    levels = weigh_levels(topics, [resolution / 2 ** (step / 2) for step in range(12, 0, -1)])
    fitting = [level for level in levels if level.effective >= fewest and level.topics <= min(most, shown / _FEWER)]
    if not fitting:
        return None
    broad_N = consensus(topics, best_level(fitting).resolution, _RUNS, rng)
    return _renumber(np.where(shown_N >= 0, broad_N, NOWHERE))


def _divide_further(
    graph: DocumentGraph, cores: Contraction, shown_N: Ints, resolution: float, rng: np.random.Generator
) -> Ints:
    """Each shown one divided by its own ties alone."""
    inside_E = shown_N[graph.ends_E2[:, 0]] == shown_N[graph.ends_E2[:, 1]]
    inner = graph.only(inside_E)
    nested_N = np.unique(np.column_stack([shown_N, cores.groups_N]), axis=0, return_inverse=True)[1].ravel()
    found_N = consensus(contract(inner, nested_N), _FINER * resolution, _RUNS, rng)
    apart_N = np.unique(np.column_stack([shown_N, found_N]), axis=0, return_inverse=True)[1].ravel()
    return fold(inner, settle(inner, apart_N), within_N=shown_N)


def fold(graph: DocumentGraph, parts_N: Ints, within_N: Ints | None = None) -> Ints:
    """Put parts that are too small to be a topic where most of their ties are; documents without ties go nowhere.

    With `within_N` a small part without ties goes to the largest that is in the same part of that; so no part is small
    but those that are whole parts of `within_N`.
    """
    parts_N = np.where(graph.strengths > 0, parts_N, NOWHERE) if within_N is None else parts_N.copy()
    smallest = smallest_topic(len(graph))
    while True:
        count = int(parts_N.max()) + 1
        sizes_P = np.bincount(parts_N[parts_N >= 0], minlength=count)
        small = [part for part in np.argsort(sizes_P, kind="stable") if 0 < sizes_P[part] < smallest]
        moved = False
        for part in small:
            members = np.flatnonzero(parts_N == part)
            votes_P = graph.votes_of(members, parts_N, count)
            votes_P[part] = 0
            if votes_P.max() > 0:
                parts_N[members], moved = votes_P.argmax(), True
                break
        if not moved:
            break
    if within_N is None:
        lonely = np.isin(parts_N, small)
        return _renumber(np.where(lonely, NOWHERE, parts_N))
    for part in small:  # to the largest part beside it, if there is one
        members = parts_N == part
        beside_N = parts_N[within_N == within_N[members.argmax()]]
        parts_N[members] = np.bincount(beside_N[beside_N >= 0]).argmax()
    return _renumber(np.where(within_N >= 0, parts_N, NOWHERE))


def _renumber(parts_N: Ints) -> Ints:
    """From 0 on, the largest first, without gaps; NOWHERE stays."""
    there = parts_N >= 0
    if not there.any():
        return parts_N
    _, first, inverse, sizes = np.unique(parts_N[there], return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    numbered_N = np.full(len(parts_N), NOWHERE)
    numbered_N[there] = rank[inverse]
    return numbered_N
