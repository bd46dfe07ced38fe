"""The topics of a space: looked at, placed in, changed by people, found anew.

    topics = space.topics()                 # found the first time; read, and new documents placed, ever after
    for topic in topics.shown: print(topic.id, topic.name, topic.size)
    topics = topics.rename(3, "Refunds")    # written at once; the Topics before stay as they were

Legend for shapes:
    N  documents of the space, in the order of `LatentSpace.table()`
    Q  texts to place
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tolman.errors import QueryError
from tolman.neighbours import Ints
from tolman.progress import Progress, Silent
from tolman.topics.division import NOWHERE
from tolman.topics.finding import BEARABLE, find, find_again
from tolman.topics.keeping import current, material, membership, record_of, revised
from tolman.topics.record import FILE, FOLDER, Record, read, write, writing
from tolman.topics.revision import merge, split
from tolman.topics.tree import Depth, Topic

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace

Period = Literal["year", "month", "day"]
_LETTERS: dict[Period, int] = {"year": 4, "month": 7, "day": 10}  # of an ISO date that name its period
_OVER_TIME = pa.schema(
    [
        *(("period", pa.string()), ("topic", pa.int64()), ("name", pa.string())),
        *(("documents", pa.int64()), ("share", pa.float64())),
    ]
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text belongs.

    Attributes:
        topic: number of the shown topic; None: nowhere.
        nearest: the same, but for a text that belongs nowhere the one it is least far from.
        probability: that it is in `nearest`.
        margin: by how much that is above the next topic's.
    """

    topic: int | None
    nearest: int
    probability: float
    margin: float


class Topics:
    """The topics of a space at one moment; immutable."""

    def __init__(self, space: "LatentSpace", record: Record) -> None:
        self._space, self._record = space, record

    # ---- looking

    @property
    def shown(self) -> list[Topic]:
        """Those to look at first, the largest first."""
        return self._record.tree.at("shown")

    @property
    def broad(self) -> list[Topic]:
        """What puts shown ones together; empty where these are few."""
        return self._record.tree.at("broad")

    @property
    def fine(self) -> list[Topic]:
        """What shown ones consist of, where they are divided."""
        return self._record.tree.at("fine")

    def __iter__(self) -> Iterator[Topic]:
        """All, broad ones first."""
        return iter([*self.broad, *self.shown, *self.fine])

    def __len__(self) -> int:
        return len(self._record.tree.topics)

    def __getitem__(self, topic: int) -> Topic:
        """One by its number.

        Raises:
            QueryError: there is none.
        """
        return self._record.tree[topic]

    def __repr__(self) -> str:
        counts = f"{len(self.broad)} broad, {len(self.shown)} shown, {len(self.fine)} fine"
        return f"Topics({str(self._space.path)!r}: {counts})"

    def children(self, topic: int) -> list[Topic]:
        """The topics that one consists of, the largest first."""
        return self._record.tree.children(self[topic].id)

    @property
    def labels(self) -> Ints:
        """(N,) number of each document's shown topic; -1 for one that belongs nowhere (as sklearn and BERTopic do)."""
        return np.where(self._record.outside_N, NOWHERE, self._record.tree.shown_N)

    @property
    def record(self) -> Record:
        """All that is known."""
        return self._record

    def documents(self, depth: Depth = "shown") -> pa.Table:
        """A row for every document: id, topic (null: nowhere), its name, nearest, probability, margin.

        Exact duplicates, which the space holds as one, have a row each. `probability` and `margin` are those of the
        shown topic.
        """
        record, tree = self._record, self._record.tree
        nearest_N = self._ids_at(depth)
        topic_N = np.where(record.outside_N, NOWHERE, nearest_N)
        names = [None if number < 0 else tree.topics[int(number)].name for number in topic_N]
        table = pa.table(
            {
                "id": record.ids,
                "topic": pa.array(topic_N, mask=topic_N < 0),
                "name": pa.array(names, pa.string()),
                "nearest": pa.array(nearest_N, mask=nearest_N < 0),
                "probability": record.probability_N,
                "margin": record.margin_N,
            }
        )
        return _with_duplicates(table, self._column("duplicate_ids"))

    def members(self, topic: int) -> pa.Table:
        """The rows of `documents()` that are in one topic, of whatever depth, the likeliest first."""
        rows = self.documents(self[topic].depth)
        return rows.filter(pc.equal(rows["topic"], topic)).sort_by([("probability", "descending")])

    def title(self, document: str) -> str:
        """The title of a document, or how its text begins."""
        found = self._space.take([document])[0]
        return found.title or " ".join(found.text[:80].split())

    def place(self, texts: Sequence[str]) -> list[Place]:
        """Where texts belong that aren't in the space. Nothing is changed by it."""
        from tolman.space.space import given_texts

        vectors_QD = self._space.encoder.encode(given_texts("texts", texts))
        numbers, member = membership(self._space, self._record)
        places, _ = member.place(vectors_QD)
        return [
            Place(None if outside else int(numbers[best]), int(numbers[best]), float(probability), float(margin))
            for best, probability, margin, outside in zip(
                places.topic_N, places.probability_N, places.margin_N, places.outside_N, strict=True
            )
        ]

    def over_time(self, column: str, every: Period = "month", depth: Depth = "shown") -> pa.Table:
        """How many documents of each topic fall in each period: period, topic, name, documents, share of the period's.

        Args:
            column: of dates, times, or years.
            every: "year", "month" or "day".
            depth: of the topics.

        Raises:
            QueryError: no such column or period, or it holds no dates.
        """
        if every not in _LETTERS:
            raise QueryError(f"expected a period of year, month or day, got {every!r}")
        if column not in self._space.store.metadata_columns:
            known = ", ".join(self._space.store.metadata_columns) or "none"
            raise QueryError(f"{self._space.path} has no metadata column {column!r}: there are {known}")
        periods = [_period(value, every, column) for value in self._column(column).to_pylist()]
        ids_N = np.where(self._record.outside_N, NOWHERE, self._ids_at(depth))
        counts = Counter((p, n) for p, n in zip(periods, ids_N.tolist(), strict=True) if p is not None and n >= 0)
        totals: Counter[str] = Counter()
        for (period, _), many in counts.items():
            totals[period] += many
        rows = [
            {"period": p, "topic": n, "name": self[n].name, "documents": many, "share": many / totals[p]}
            for (p, n), many in sorted(counts.items())
        ]
        return pa.Table.from_pylist(rows, _OVER_TIME)

    def to_bertopic(self) -> tuple[pa.Table, pa.Table]:
        """The shown topics as BERTopic gives them: what get_topic_info() and get_document_info() return.

        Topic -1 is that of documents that belong nowhere; names are NUMBER_word_word_word.
        """
        labels_N, texts = self.labels, self._column("fulltext")
        nowhere = [{"Topic": NOWHERE, "Count": int((labels_N < 0).sum()), "Name": "-1_nowhere", "Representation": []}]
        rows = [
            {
                "Topic": t.id,
                "Count": t.size,
                "Name": _bertopic_name(t),
                "Representation": [*t.words],
            }
            for t in self.shown
        ]
        names = {row["Topic"]: row["Name"] for row in [*nowhere, *rows]}
        documents = pa.table(
            {
                "Document": texts,
                "Topic": labels_N,
                "Name": [names[int(number)] for number in labels_N],
                "Probability": self._record.probability_N,
                "id": self._record.ids,
            }
        )
        return pa.Table.from_pylist([*(nowhere if nowhere[0]["Count"] else []), *rows]), documents

    def _ids_at(self, depth: Depth) -> Ints:
        """(N,) the topics of one depth; in place of broad ones, where there are none, the shown."""
        ids_N, shown_N = self._record.tree.ids_at(depth), self._record.tree.shown_N
        return np.where(ids_N >= 0, ids_N, shown_N)

    def _column(self, name: str) -> pa.ChunkedArray:
        self._require_content(self._space.store.content_key)
        return self._space.store.read([name])[name]

    def _require_content(self, content_key: str) -> None:
        if content_key != self._record.content_key:
            raise QueryError(f"{self._space.path} has changed since these topics were asked for: ask for them again")

    # ---- changing

    def rename(self, topic: int, name: str) -> "Topics":
        """Call a topic something else; the name stays whatever comes.

        Raises:
            QueryError: no such topic, or an empty name.
            StorageError: the disk refused; nothing was changed.
        """
        if not isinstance(name, str) or not name.strip():
            raise QueryError(f"expected a name for topic {topic}, got {name!r}")
        called = " ".join(name.split())
        return self._change(lambda record: _with_topic(record, topic, name=called, named_by="person"))

    def name_by(
        self, namer: Callable[[Sequence[str], Sequence[str]], str | None], *, progress: Progress | None = None
    ) -> "Topics":
        """Let a language model name all topics that no person named; the names stay whatever comes.

        Args:
            namer: is given the words of a topic and texts of its typical documents, and gives a name, or None for the
                one that the topic has: `tolman.topics.namer.Namer`, or any function.
            progress: who watches.

        Raises:
            QueryError: documents have come or gone since these topics were asked for.
            StorageError: the disk refused; nothing was changed.
        """
        self._require_content(self._space.store.content_key)  # before the model works for minutes
        progress, names = progress or Silent(), dict[int, str]()
        unnamed = [topic for topic in self if topic.named_by != "person"]
        progress.start("naming topics", len(unnamed))
        for topic in unnamed:
            texts = [document.text for document in self._space.take(topic.typical)]
            written = namer(topic.words, texts)
            names |= {topic.id: " ".join(written.split())} if written and written.strip() else {}
            progress.advance()

        def named(record: Record) -> Record:
            for number, name in names.items():
                if number in record.tree.topics and record.tree[number].named_by != "person":
                    record = _with_topic(record, number, name=name, named_by="model")
            return record

        return self._change(named)

    def pin(self, topic: int, pinned: bool = True) -> "Topics":
        """Keep the documents of a shown topic together and in it when topics are found anew, or no longer.

        Raises:
            QueryError: no such topic, or it isn't shown.
        """
        if self[topic].depth != "shown":
            raise QueryError(f"topic {topic} is {self[topic].depth}: only shown topics can be pinned")
        return self._change(lambda record: _with_topic(record, topic, pinned=pinned))

    def merge(self, topics: Sequence[int]) -> "Topics":
        """Make one of several shown topics. It keeps number and name of the first, and is pinned.

        Raises:
            QueryError: fewer than two, or one that isn't there or isn't shown.
        """
        return self._change(lambda record: revised(self._space, replace(record, tree=merge(record.tree, topics))))

    def split(self, topic: int) -> "Topics":
        """Show the finer topics of a shown one in its place, with their own numbers and names; they are pinned.

        Raises:
            QueryError: no such topic, it isn't shown, or it isn't divided.
        """
        return self._change(lambda record: revised(self._space, replace(record, tree=split(record.tree, topic))))

    def find_again(
        self, *, bearable: float = BEARABLE, from_nothing: bool = False, progress: Progress | None = None
    ) -> "Topics":
        """Find topics anew, now that there are other documents.

        Args:
            bearable: of the documents that were in a topic, at most this share get another.
            from_nothing: forget what was, but for numbers and names of topics that are found once more. Then any
                number of documents may change their topic, and what people merged or split is lost.
            progress: who watches.

        Raises:
            QueryError: `bearable` is no share, or there are too few documents.
            StorageError: the disk refused; nothing was changed.
        """
        if not isinstance(bearable, int | float) or not 0 <= bearable <= 1:
            raise QueryError(f"expected a share from 0 to 1 for bearable, got {bearable!r}")
        progress = progress or Silent()
        progress.start("finding topics")
        given = material(self._space)

        def found(record: Record) -> Record:
            before = record.settled
            anew = find(given, before) if from_nothing else find_again(given, before, bearable=bearable)
            return record_of(self._space, anew, record.generation)

        return self._change(found)

    def _change(self, change: Callable[[Record], Record]) -> "Topics":
        """Carried out on what is there by now: others may have renamed a topic, say."""
        self._require_content(self._space.store.content_key)
        with writing(self._space.path):
            newest = read(self._space.path, self._record.encoder) or self._record
            self._require_content(newest.content_key)
            return Topics(self._space, write(self._space.path, change(newest)))


def topics_of(space: "LatentSpace", *, progress: Progress | None = None) -> Topics:
    """The topics of `space`: found now if they never were, else read, with new documents placed. Kept if they can be.

    Raises:
        QueryError: too few documents, or nothing they share.
        SpaceError: topics.json is damaged.
        SpaceMismatch: the topics belong to another encoder.
        MissingExtra: igraph isn't installed, and topics have to be found.
    """
    return Topics(space, current(space, progress or Silent()))


def found_topics(space: "LatentSpace") -> Topics | None:
    """The same where topics were found before; None where nobody asked for any yet."""
    return topics_of(space) if (space.path / FOLDER / FILE).is_file() else None


def _with_topic(record: Record, topic: int, **changed: Any) -> Record:
    tree = record.tree
    return replace(record, tree=tree.with_topic(replace(tree[topic], **changed)))


def _with_duplicates(table: pa.Table, duplicates: pa.ChunkedArray) -> pa.Table:
    """The rows, and after them one more for every exact duplicate."""
    lists = duplicates.combine_chunks()
    rows = pc.list_parent_indices(lists)
    more = table.take(rows).set_column(0, "id", pc.list_flatten(lists).cast(pa.string()))
    return pa.concat_tables([table, more]).combine_chunks()


def _period(value: Any, every: Period, column: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, date | datetime):
        return value.isoformat()[: _LETTERS[every]]
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10_000:
        return f"{value:04d}"
    try:
        return datetime.fromisoformat(str(value)).isoformat()[: _LETTERS[every]]
    except ValueError:
        raise QueryError(f"column {column!r} holds no dates: {value!r}") from None


def _bertopic_name(topic: Topic) -> str:
    words = [topic.name] if topic.named_by == "person" else [word.replace(" ", "_") for word in topic.words[:4]]
    return "_".join([str(topic.id), *words])
