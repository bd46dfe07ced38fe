"""Topics found anew when documents have come, without losing who was where.

The new division starts from the old one, with newcomers in small groups beside it; then Leiden moves documents wherever
modularity gains by it. Of what it would change for the old documents, only so much is done as they can bear: groups of
documents that would move together do so in the order of what a moved document gains, those first that bring the number
of topics nearer to what is wanted, until a given share of the old ones has moved. What is left waits for the next
time. So topics neither drain into each other over many rounds nor lose their documents in one; newcomers are free.

Rivals that were measured (anchor nodes, matching after a cold fit, freezing): docs/decisions/0012.

Legend for shapes:
    N  documents, of which some are old
    C  cells: documents that were in one topic and would go to one
    P  topics
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tolman.leiden import Leiden
from tolman.neighbours import Ints, Weights
from tolman.topics.division import NOWHERE, fold
from tolman.topics.graph import DocumentGraph, contract, first_neighbour_groups, sums
from tolman.topics.partition import refine
from tolman.topics.tree import Tree, numbered


def grow(graph: DocumentGraph, before: Tree, resolution: float, *, bearable: float) -> Ints:
    """Find topics anew from those that were.

    Args:
        graph: of all documents, old and new.
        before: the topics of these documents; NOWHERE for the new, and for who was in none. Pinned ones lose nobody.
        resolution: of the new division.
        bearable: share of the old documents that may change their topic.

    Returns:
        (N,) ids; NOWHERE for documents without ties.
    """
    topics_N, next_id = before.shown_N, before.next_id
    pinned = [topic.id for topic in before.topics.values() if topic.pinned]
    old_N = topics_N >= 0
    placed_N = _place(graph, topics_N, next_id)
    wanted_N = fold(graph, refine(graph, _leiden_from(graph, topics_N, resolution)))
    targets_N = inherit(wanted_N, topics_N, next_id + 1)
    stays_N = (old_N & np.isin(topics_N, pinned)) | (wanted_N < 0)
    targets_N = np.where(stays_N, placed_N, targets_N)
    moved_N = _move(_Cells.of(graph, placed_N, targets_N, old_N), resolution, bearable * old_N.sum(), next_id)
    ids, parts_N = numbered(moved_N)
    settled_N = refine(graph, parts_N, movable_N=~old_N, renumber=False)
    return np.where(graph.strengths > 0, ids[settled_N], NOWHERE)


def inherit(parts_N: Ints, topics_N: Ints, next_id: int) -> Ints:
    """Ids for new parts: each takes that of the old topic it shares most documents with, one to one; the rest new ones.

    The assignment with the most documents that keep their id (Kuhn 1955).

    Args:
        parts_N: from 0 on; NOWHERE: of no part.
        topics_N: ids of the topics that were; NOWHERE: of none.
        next_id: of the first new one.
    """
    from scipy.optimize import linear_sum_assignment

    count = int(parts_N.max()) + 1
    if not count:
        return parts_N
    known = (topics_N >= 0) & (parts_N >= 0)
    ids, places = np.unique(topics_N[known], return_inverse=True)
    cells = parts_N[known] * len(ids) + places
    shared_PI = sums(cells, np.ones(len(cells)), count * len(ids)).reshape(count, len(ids))
    rows, columns = linear_sum_assignment(-shared_PI)
    taken = shared_PI[rows, columns] > 0
    named_P = np.full(count, NOWHERE)
    named_P[rows[taken]] = ids[columns[taken]]
    fresh = named_P < 0
    named_P[fresh] = next_id + np.arange(fresh.sum())
    return np.where(parts_N >= 0, named_P[parts_N], NOWHERE)


def _place(graph: DocumentGraph, topics_N: Ints, next_id: int) -> Ints:
    """Everyone in a topic: who is in none goes where most of its ties are, in as many steps as it takes."""
    ids, parts_N = numbered(topics_N)
    while True:
        lost = np.flatnonzero(parts_N < 0)
        votes_NP = graph.votes(parts_N, len(ids))[lost]
        heard = votes_NP.max(axis=1) > 0
        if not heard.any():
            break
        parts_N[lost[heard]] = votes_NP[heard].argmax(axis=1)
    # No way leads from here to any topic: a topic of their own, to be divided like the rest.
    return np.concatenate([ids, [next_id]])[np.where(parts_N >= 0, parts_N, len(ids))]


def _leiden_from(graph: DocumentGraph, topics_N: Ints, resolution: float) -> Ints:
    """Parts after Leiden has started from the topics that were. Newcomers start in groups, free to become a topic."""
    groups_N = np.where(topics_N >= 0, topics_N, int(topics_N.max()) + 1 + first_neighbour_groups(graph))
    start_N = np.unique(groups_N, return_inverse=True)[1]
    run = Leiden(len(graph), graph.ends_E2)
    return run.at(resolution, graph.weights_E, graph.strengths, seed=0, start_G=start_N)


@dataclass
class _Cells:
    """Groups of documents that would go from one topic to another together.

    Attributes:
        cell_N: of each document.
        at_C, to_C: where each cell is and would go.
        costs_C: old documents in it.
        masses_C: strength.
        ties_CC: between them.
    """

    cell_N: Ints
    at_C: Ints
    to_C: Ints
    costs_C: Weights
    masses_C: Weights
    ties_CC: Weights

    @classmethod
    def of(cls, graph: DocumentGraph, at_N: Ints, to_N: Ints, old_N: NDArray[np.bool_]) -> "_Cells":
        pairs, cell_N = np.unique(np.column_stack([at_N, to_N]), axis=0, return_inverse=True)
        contraction = contract(graph, cell_N.ravel())
        ties_T, masses_C = contraction.weigh(graph.weights_E)
        ties_CC = np.zeros((len(pairs), len(pairs)))
        ties_CC[contraction.ends_T2[:, 0], contraction.ends_T2[:, 1]] = ties_T
        costs_C = sums(cell_N.ravel(), old_N.astype(np.float64), len(pairs))
        return cls(cell_N.ravel(), pairs[:, 0].copy(), pairs[:, 1], costs_C, masses_C, ties_CC + ties_CC.T)

    def gains(self, penalty: float) -> Weights:
        """(C,) of modularity, if each moved alone."""
        count = int(max(self.at_C.max(), self.to_C.max())) + 1
        there_CP = np.zeros((len(self.at_C), count))
        there_CP[np.arange(len(self.at_C)), self.at_C] = 1
        to_topics_CP = self.ties_CC @ there_CP
        masses_P = self.masses_C @ there_CP
        own = np.arange(len(self.at_C))
        nearer_C = to_topics_CP[own, self.to_C] - to_topics_CP[own, self.at_C]
        larger_C = masses_P[self.to_C] - (masses_P[self.at_C] - self.masses_C)
        gained_C: Weights = nearer_C - penalty * self.masses_C * larger_C
        return gained_C

    def makes(self, next_id: int) -> NDArray[np.bool_]:
        """(C,) whether a cell would become a topic, or go to one that is new."""
        return self.to_C >= next_id

    def ends(self) -> NDArray[np.bool_]:
        """(C,) whether nobody would be left where a cell is."""
        _, parts_C, cells_P = np.unique(self.at_C, return_inverse=True, return_counts=True)
        return np.asarray(cells_P[parts_C] == 1)


def _move(cells: _Cells, resolution: float, left: float, next_id: int) -> Ints:
    """(N,) ids after cells moved, the most gain for an old document first; at most `left` old documents.

    While there are fewer topics than wanted, or more, what makes or ends one goes before what changes from one to
    another: else there would always be something that gains a little more, and the number would stay behind the corpus.
    """
    penalty, wanted = resolution / max(float(cells.masses_C.sum()), 1e-12), len(np.unique(cells.to_C))
    while True:
        gains_C = np.where((cells.at_C != cells.to_C) & (cells.costs_C <= left), cells.gains(penalty), 0)
        worth_C = gains_C / (cells.costs_C + 0.5)
        lacking = wanted - len(np.unique(cells.at_C))
        first_C = (gains_C > 0) & (cells.makes(next_id) if lacking > 0 else cells.ends() & (lacking < 0))
        best = int((np.where(first_C, worth_C, 0) if first_C.any() else worth_C).argmax())
        if gains_C[best] <= 0:
            return cells.at_C[cells.cell_N]
        left -= cells.costs_C[best]
        cells.at_C[best] = cells.to_C[best]
