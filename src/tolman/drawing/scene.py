"""What is drawn of a map: points, what they are called, and by what they may be coloured.

Legend for shapes:
    N  documents
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tolman.counting import counted
from tolman.drawing.colors import MOST_GROUPS, SHADES
from tolman.errors import QueryError
from tolman.models.encoder import Floats
from tolman.progress import Progress
from tolman.projection.map import Map
from tolman.topics.topics import Topics, found_topics

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace

TRUST, TOPIC = "trust", "topic"
_NOWHERE = "nowhere"
_TEXT_BYTES = 8_000_000  # of titles and beginnings together, so that a page with very many points still opens
_TITLE, _SNIPPET = 90, 240  # characters at most
_FEW_NUMBERS = 10  # a column of so many different numbers is one of categories
_NO_COLORS = ("id", "title", "text", "duplicate_ids")


@dataclass(frozen=True, slots=True)
class Label:
    """Words over a place of the map, like the name of a topic.

    Attributes:
        x, y: where.
        text: which.
        weight: where there is room for one only, the one with more is shown.
    """

    x: float
    y: float
    text: str
    weight: float = 1.0


@dataclass(frozen=True, eq=False, slots=True)
class Coloring:
    """One way to colour the points.

    Attributes:
        name: of the column.
        index_N: which of `groups`, or which shade from low to high.
        groups: names, the largest first; none where shades stand for numbers.
        counts: how many points each group has.
        rest: which of `groups` is what has no colour of its own; None: there is no rest.
        ends: what the first and last shade stand for.
    """

    name: str
    index_N: NDArray[np.uint8]
    groups: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    rest: int | None = None
    ends: tuple[str, str] = ("", "")


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """All that a painter needs.

    Attributes:
        name: of the space.
        told: the map in one line.
        places_N2: of the points.
        kept_N: how many of the `neighbours` of each are near it.
        neighbours: of each.
        titles, snippets: what to call each, and how it goes on.
        colorings: at least one; the first is shown first.
        labels: words over the map.
    """

    name: str
    told: str
    places_N2: Floats
    kept_N: NDArray[np.uint8]
    neighbours: int
    titles: tuple[str, ...]
    snippets: tuple[str, ...]
    colorings: tuple[Coloring, ...]
    labels: tuple[Label, ...] = ()


def scene_of(
    space: "LatentSpace",
    drawn: Map,
    color: str | None = None,
    labels: Sequence[Label] | None = None,
    *,
    progress: Progress | None = None,
) -> Scene:
    """What is drawn of the map of `space`.

    Args:
        space: at the version that the map is of.
        drawn: its map.
        color: a column, "label", "topic" or "trust"; None: the first of label, topic, trust that there is.
        labels: words over it; None: the names of its topics, where these were found or are asked for.
        progress: who watches.

    Raises:
        QueryError: no such column, or none that can be told in colours; or there are no topics to be found.
        MissingExtra: coloured by topics that have to be found, without igraph.
    """
    require_color(space, color)
    topics = space.topics(progress=progress) if color == TOPIC and not _is_column(space, TOPIC) else found_topics(space)
    wanted = _wanted(space, color, topics)
    table = space.table(["title", "text", *(name for name in wanted if _is_column(space, name))])
    neighbours = min(15, len(drawn) - 1)
    colorings = [
        coloring_of(name, table[name].combine_chunks()) if _is_column(space, name) else _computed(name, drawn, topics)
        for name in wanted
    ]
    titles, snippets = _texts(table["title"].to_pylist(), table["text"].to_pylist())
    kept_N = np.round(drawn.trust_N * neighbours).astype(np.uint8)
    told = (
        f"{counted(len(drawn), 'document')}; of the {neighbours} nearest of each {drawn.trust_N.mean():.0%} are near it"
    )
    return Scene(
        space.path.name.removesuffix(".space"),
        told,
        drawn.positions_N2,
        kept_N,
        neighbours,
        titles,
        snippets,
        tuple(colorings),
        tuple(topic_labels(drawn, topics) if labels is None else labels),
    )


def topic_labels(drawn: Map, topics: Topics | None) -> list[Label]:
    """The name of each shown topic over the middle of its documents."""
    if topics is None:
        return []
    places = {topic.id: drawn.positions_N2[topics.labels == topic.id] for topic in topics.shown}
    return [
        Label(float(x), float(y), topic.name, float(topic.size))
        for topic in topics.shown
        if len(places[topic.id])
        for x, y in [np.median(places[topic.id], axis=0)]
    ]


def require_color(space: "LatentSpace", color: str | None) -> None:
    """Refuse what the points can't be coloured by.

    Raises:
        QueryError: no such column, or one that holds a text of its own for each document.
    """
    known = list(dict.fromkeys(["label", TOPIC, TRUST, *space.store.metadata_columns]))
    if color is not None and color not in known:
        why = "can't be told in colours" if color in _NO_COLORS else "is no column of this space"
        raise QueryError(f"{color!r} {why}: expected one of {', '.join(known)}")


def _is_column(space: "LatentSpace", name: str) -> bool:
    """Whether it is read from the space; a column may be called as what we count ourselves."""
    return name == "label" or name in space.store.metadata_columns


def _wanted(space: "LatentSpace", color: str | None, topics: Topics | None) -> list[str]:
    """The one asked for, then the others that a page offers."""
    labelled = space.table(["label"])["label"].null_count < len(space)
    offered = (["label"] if labelled else []) + ([TOPIC] if topics is not None else []) + [TRUST]
    return list(dict.fromkeys([color or offered[0], *offered]))


def _computed(name: str, drawn: Map, topics: Topics | None) -> Coloring:
    if name == TRUST or topics is None:
        return Coloring(TRUST, np.round(drawn.trust_N * (SHADES - 1)).astype(np.uint8), ends=("none kept", "all kept"))
    names = {topic.id: topic.name for topic in topics.shown}
    return _by_category(TOPIC, [names.get(number, _NOWHERE) for number in topics.labels.tolist()])


def coloring_of(name: str, column: pa.Array) -> Coloring:
    """By a column: shades for numbers and dates, else a colour for each of the largest categories.

    Raises:
        QueryError: a column of another type than these.
    """
    kind = column.type
    if pa.types.is_temporal(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        if pc.count_distinct(column).as_py() > _FEW_NUMBERS:
            return _by_number(name, column)
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind)):
        raise QueryError(f"column {name!r} is of type {kind}: expected text, numbers, dates or true and false")
    return _by_category(name, column.to_pylist())


def _by_number(name: str, column: pa.Array) -> Coloring:
    """Shades by rank, so that one number far out doesn't take them all; what has none is as low as can be."""
    values_N = np.asarray(column.cast(pa.int64() if pa.types.is_integer(column.type) else _plain(column.type)))
    numbers_N = np.nan_to_num(values_N.astype(np.float64), nan=-np.inf)
    ascending = np.sort(numbers_N)
    rank_N = np.searchsorted(ascending, numbers_N, side="left") / max(1, len(numbers_N) - 1)
    ends = pc.min_max(column).as_py()
    shades_N = np.round(np.minimum(rank_N, 1) * (SHADES - 1)).astype(np.uint8)
    return Coloring(name, shades_N, ends=(_show(ends["min"]), _show(ends["max"])))


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.float64() if pa.types.is_floating(kind) else kind


def _show(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()[:10]
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _by_category(name: str, values: Sequence[Any]) -> Coloring:
    count = Counter("none" if value is None else str(value) for value in values)
    ordered = [group for group, _ in sorted(count.items(), key=lambda item: (-item[1], item[0]))]
    shown, others = ordered[:MOST_GROUPS], ordered[MOST_GROUPS:]
    place = {group: index for index, group in enumerate(shown)}
    index_N = np.array([place.get("none" if v is None else str(v), len(shown)) for v in values], np.uint8)
    counts = [count[group] for group in shown]
    if not others:
        return Coloring(name, index_N, tuple(shown), tuple(counts))
    rest = f"{len(others):,} more"
    return Coloring(name, index_N, (*shown, rest), (*counts, sum(count[group] for group in others)), len(shown))


def _texts(titles: Sequence[str | None], texts: Sequence[str | None]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Titles, or how the text begins where there is none; and how it goes on, shorter the more documents there are."""
    room = max(40, min(_TITLE + _SNIPPET, _TEXT_BYTES // max(1, len(titles))))
    title_room = min(_TITLE, room)
    named, going_on = [], []
    for title, text in zip(titles, texts, strict=True):
        words = " ".join((text or "")[: 2 * room].split())
        named.append(_cut(title or words, title_room))
        going_on.append(_cut(words if title else words[len(named[-1].rstrip("…")) :].strip(), room - title_room))
    return tuple(named), tuple(going_on)


def _cut(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    return text[: max(0, room - 1)].rsplit(" ", 1)[0].rstrip() + "…" if room > 1 else ""
