"""Topics as people see them: each with a number that stays, a name, words, and its place in a tree.

Legend for shapes:
    N  documents
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tolman.errors import QueryError
from tolman.neighbours import Ints
from tolman.topics.division import NOWHERE

Depth: TypeAlias = Literal["broad", "shown", "fine"]
DEPTHS: tuple[Depth, ...] = ("broad", "shown", "fine")


def numbered(ids_N: Ints) -> tuple[Ints, Ints]:
    """The ids there are, ascending, and by its place among them which one each document has; NOWHERE stays."""
    numbers, parts_N = np.unique(ids_N, return_inverse=True)
    nowhere = int(len(numbers) > 0 and numbers[0] < 0)
    return numbers[nowhere:], np.asarray(parts_N - nowhere, np.int64)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    Attributes:
        id: its number. It stays when documents come, when topics are found anew, and is never given to another.
        parent: number of the broader topic it is part of; None: of none.
        depth: "broad", "shown" (those to look at first) or "fine".
        name: words, or what a person called it.
        size: documents in it.
        words: the words and phrases that tell it from the rest, the best first.
        typical: ids of documents in the middle of it, the most typical first.
        pinned: a person decided what is in it; it keeps its documents, and isn't merged or divided, whatever comes.
        named_by: "words", "person", or "model" (see `Topics.name_by`).
    """

    id: int
    parent: int | None
    depth: Depth
    name: str
    size: int = 0
    words: tuple[str, ...] = ()
    typical: tuple[str, ...] = ()
    pinned: bool = False
    named_by: Literal["words", "person", "model"] = "words"

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Inverse of `to_json`; KeyError or TypeError for anything else."""
        known = {name: stored[name] for name in cls.__slots__}
        return cls(**known | {"words": tuple(stored["words"]), "typical": tuple(stored["typical"])})


@dataclass(frozen=True)
class Tree:
    """All topics of a space, and which of them each document is in.

    Attributes:
        topics: by number.
        shown_N: number of the shown topic that each document is in, or nearest to.
        fine_N: of the finest one.
        next_id: the number of the next new topic.
    """

    topics: dict[int, Topic]
    shown_N: Ints
    fine_N: Ints
    next_id: int

    def __getitem__(self, topic: int) -> Topic:
        """One by its number; QueryError if there is none."""
        try:
            return self.topics[topic]
        except (KeyError, TypeError):
            raise QueryError(f"there is no topic {topic!r}: `tolman topics SPACE` lists them") from None

    def at(self, depth: Depth) -> list[Topic]:
        """Topics of one depth, the largest first."""
        chosen = (topic for topic in self.topics.values() if topic.depth == depth)
        return sorted(chosen, key=lambda topic: (-topic.size, topic.id))

    def ids_at(self, depth: Depth) -> Ints:
        """(N,) number of each document's topic at this depth; NOWHERE where there is none."""
        if depth == "shown":
            return self.shown_N
        if depth == "fine":
            return self.fine_N
        return self.broad_of(self.shown_N)

    def broad_of(self, shown_N: Ints) -> Ints:
        """(N,) number of the broad topic of each shown one; NOWHERE for one that is in none, or isn't known."""
        numbers, parts_N = numbered(shown_N)
        parents = [topic.parent if topic else None for topic in map(self.topics.get, numbers.tolist())]
        above_P = np.array([NOWHERE if parent is None else parent for parent in [*parents, None]], np.int64)
        return above_P[parts_N]

    def sized(self, counted_N: NDArray[np.bool_]) -> "Tree":
        """Each topic with the number of these documents that are in it."""
        sizes: dict[int, int] = {}
        for depth in DEPTHS:
            numbers, many = np.unique(self.ids_at(depth)[counted_N], return_counts=True)
            counted = zip(numbers.tolist(), many.tolist(), strict=True)
            # Who is in a shown topic but in none of its finer ones has its number there, too.
            sizes |= {number: size for number, size in counted if self._is_at(number, depth)}
        topics = {number: replace(topic, size=sizes.get(number, 0)) for number, topic in self.topics.items()}
        return replace(self, topics=topics)

    def _is_at(self, number: int, depth: Depth) -> bool:
        return number in self.topics and self.topics[number].depth == depth

    def children(self, topic: int) -> list[Topic]:
        """The topics that one consists of, the largest first."""
        chosen = (other for other in self.topics.values() if other.parent == topic)
        return sorted(chosen, key=lambda other: (-other.size, other.id))

    def take(self, rows: Ints) -> "Tree":
        """The same topics over these documents, in this order."""
        return replace(self, shown_N=self.shown_N[rows], fine_N=self.fine_N[rows])

    def with_topic(self, topic: Topic) -> "Tree":
        """One changed."""
        return replace(self, topics=self.topics | {topic.id: topic})


def plant(shown_N: Ints, fine_N: Ints, broad_N: Ints | None, before: Tree | None, first_id: int) -> Tree:
    """A tree over nested partitions, without words and sizes yet.

    Args:
        shown_N: numbers of shown topics.
        fine_N: numbers of the finest; those of undivided shown ones are the same.
        broad_N: numbers of broad ones; None: there are none.
        before: whose topics keep their names.
        first_id: at least so high is the number of the next new topic.
    """
    known = {} if before is None else before.topics
    topics: dict[int, Topic] = {}

    def add(depth: Depth, ids_N: Ints, parents_N: Ints | None) -> None:
        for number, row in zip(*np.unique(ids_N, return_index=True), strict=True):
            if number < 0 or int(number) in topics:  # undivided, a shown topic is its own finest
                continue
            above = NOWHERE if parents_N is None else int(parents_N[row])
            old = known.get(int(number), Topic(int(number), None, depth, ""))
            topics[int(number)] = replace(old, parent=None if above < 0 else above, depth=depth)

    if broad_N is not None:
        add("broad", broad_N, None)
    add("shown", shown_N, broad_N)
    add("fine", fine_N, shown_N)
    return Tree(topics, shown_N, fine_N, max([first_id, *(number + 1 for number in topics)]))
