"""What people change about topics: several made one, one made several."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tolman.errors import QueryError
from tolman.topics.tree import Topic, Tree


def merge(tree: Tree, topics: Sequence[int]) -> Tree:
    """One of several shown topics: it keeps number, name and place of the first, and is pinned.

    What they consisted of stays as what it consists of. One that wasn't divided becomes a fine topic of it.

    Raises:
        QueryError: fewer than two, or one that isn't there or isn't shown.
    """
    chosen = [tree[topic] for topic in dict.fromkeys(topics)]
    if len(chosen) < 2:
        raise QueryError("expected at least two topics to merge")
    _require_shown(chosen, "merged")
    first, *others = chosen
    shown_N, fine_N, next_id = tree.shown_N.copy(), tree.fine_N.copy(), tree.next_id
    members = dict(tree.topics)
    undivided = fine_N == first.id
    if undivided.any():
        members[next_id] = replace(first, id=next_id, parent=first.id, depth="fine", pinned=False)
        fine_N[undivided] = next_id
        next_id += 1
    for other in others:
        for child in tree.children(other.id):
            members[child.id] = replace(child, parent=first.id)
        if (fine_N == other.id).any():
            members[other.id] = replace(other, parent=first.id, depth="fine", pinned=False)
        else:
            del members[other.id]
        shown_N[shown_N == other.id] = first.id
    size = int((shown_N == first.id).sum())
    members[first.id] = replace(first, pinned=True, size=size)
    return _without_empty(Tree(members, shown_N, fine_N, next_id))


def split(tree: Tree, number: int) -> Tree:
    """The fine topics of a shown one in its place, pinned, with their own numbers and names.

    Its own number goes to none of them, but for the part that has its name: what it was before others were merged in.

    Raises:
        QueryError: it isn't there, isn't shown, or isn't divided.
    """
    topic = tree[number]
    _require_shown([topic], "split")
    parts = tree.children(topic.id)
    if len(parts) < 2:
        raise QueryError(f"topic {topic.id} ({topic.name}) isn't divided any further: there is nothing to split")
    members, shown_N, fine_N = dict(tree.topics), tree.shown_N.copy(), tree.fine_N.copy()
    del members[topic.id]
    for part in parts:
        heir = part.name == topic.name and topic.id not in members
        shown = replace(part, id=topic.id if heir else part.id, parent=topic.parent, depth="shown", pinned=True)
        del members[part.id]
        members[shown.id] = shown
        inside_N = tree.fine_N == part.id
        shown_N[inside_N] = fine_N[inside_N] = shown.id
    return Tree(members, shown_N, fine_N, tree.next_id)


def _require_shown(topics: Sequence[Topic], done: str) -> None:
    for topic in topics:
        if topic.depth != "shown":
            raise QueryError(f"topic {topic.id} is {topic.depth}: only shown topics can be {done}")


def _without_empty(tree: Tree) -> Tree:
    """Broad topics whose last shown one is gone are gone, too."""
    parents = {topic.parent for topic in tree.topics.values()}
    there = {number: topic for number, topic in tree.topics.items() if topic.depth != "broad" or number in parents}
    sizes = dict(zip(*np.unique(tree.ids_at("broad"), return_counts=True), strict=True))
    sized = {n: replace(t, size=int(sizes.get(n, 0))) if t.depth == "broad" else t for n, t in there.items()}
    return replace(tree, topics=sized)
