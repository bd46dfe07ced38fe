"""Documents on disk: one Lance dataset in which every change is one atomic commit.

A reader keeps the version it opened; a writer works on the newest. Two writers at once both land: Lance commits
optimistically, a commit that lost the race is tried again on top of the one that won, and the id is declared the key of
the dataset, so that the same new id added twice becomes one document.

Legend for shapes:
    N  documents of this version, in the order of a scan
    D  dimensions of the latent space
"""

import hashlib
import json
import operator
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lance.query import MatchQuery
from numpy.typing import NDArray

from tolman.errors import QueryError, SourceError, SpaceError
from tolman.space.filters import check_filter, explain_refusal
from tolman.space.fulltext import Terms, searchable
from tolman.space.inverted import InvertedIndex
from tolman.space.lance_errors import is_about_the_filter, lance_errors, without_source
from tolman.space.postings import Postings
from tolman.space.row_memory import Name, RowMemory

TEXT_FIELDS = (
    pa.field("id", pa.string(), nullable=False, metadata={"lance-schema:unenforced-primary-key": "true"}),
    pa.field("title", pa.string()),
    pa.field("text", pa.string()),
    pa.field("label", pa.string()),
    pa.field("duplicate_ids", pa.list_(pa.string())),
)
# What is derived from the text. `fulltext` is Document.content: BM25 over title and text as one field was measured
# better than over two (docs/decisions).
FULLTEXT, VECTOR, SPANS, PASSAGES = "fulltext", "vector", "passage_spans", "passage_vectors"
OWN_COLUMNS = (*(field.name for field in TEXT_FIELDS), FULLTEXT, VECTOR, SPANS, PASSAGES)

_INDEXES = "/_indices/"  # in the path of every file of an index

_MOST_LISTED = 12  # versions in a message
_READ_ROWS = 2_048  # at a time: what is read ahead counts against memory
_FRAGMENT_BITS, _OFFSET_MASK = 32, 2**32 - 1  # a row id is the fragment's, and the row's place in it


@dataclass(frozen=True, slots=True)
class SpaceVersion:
    """One committed state of a space.

    Attributes:
        version: its number, for `open_space(path, version=...)`.
        when: it was committed.
        documents: how many it holds.
    """

    version: int
    when: datetime
    documents: int


def document_schema(dim: int, metadata: pa.Schema) -> pa.Schema:
    """The columns of `documents.lance` for vectors of `dim` and these metadata columns.

    Raises:
        SourceError: a metadata column has a name that Tolman uses itself.
    """
    taken = [name for name in metadata.names if name in OWN_COLUMNS or name.startswith("_")]
    if taken:
        raise SourceError(f"column {taken[0]!r} has a name that Tolman uses itself: rename it in the source")
    # A column of nothing but nulls has no type yet; text can hold whatever comes later.
    columns = [field.with_type(pa.string()) if pa.types.is_null(field.type) else field for field in metadata]
    derived = [
        pa.field(FULLTEXT, pa.string()),
        pa.field(VECTOR, pa.list_(pa.float32(), dim)),
        pa.field(SPANS, pa.list_(pa.int32())),
        pa.field(PASSAGES, pa.list_(pa.float32())),
    ]
    return pa.schema([*TEXT_FIELDS, *columns, *derived])


class DocumentStore:
    """One version of the documents of a space, and the way to make the next.

    Every method that changes something commits once and then shows the newest version, with what others committed
    meanwhile. A store opened at an earlier version can only be read.
    """

    def __init__(self, path: Path, *, version: int | None = None, called: Mapping[str, str] | None = None) -> None:
        """Open the dataset in `path`, at its newest version or at `version`.

        Args:
            path: of the dataset.
            version: None: the newest.
            called: name in the source -> column, where they differ; for messages about filters.

        Raises:
            SpaceError: no dataset there, a damaged one, or no such version.
        """
        self._path, self._called = path, called or {}
        self._remembering, self._rows = False, RowMemory()
        self._inverted: InvertedIndex | None = None
        self._pinned = version is not None
        number = None if version is None else _whole(version)
        if not (path / "_versions").is_dir():
            raise SpaceError(f"{path.parent} has no readable {path.name}: restore it from a backup, or learn it again")
        try:
            with lance_errors(f"can't open {path}" + (f" at version {number}" if number is not None else "")):
                self._dataset = lance.dataset(str(path), version=number)
        except (SpaceError, OverflowError):
            if number is None or self._has_version(number):
                raise
            raise SpaceError(f"{path.parent} has no version {number}: there {_listed(self.versions())}") from None

    def _has_version(self, number: int) -> bool:
        with lance_errors(f"can't open {self._path}"):
            return any(version["version"] == number for version in lance.dataset(str(self._path)).versions())

    @classmethod
    def create(cls, path: Path, schema: pa.Schema) -> Self:
        """An empty dataset. Fails if one is there already."""
        with lance_errors(f"can't write {path}"):
            lance.write_dataset(pa.table({f.name: pa.array([], f.type) for f in schema}, schema=schema), str(path))
        return cls(path)

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _count(self) -> int:
        return int(self._dataset.count_rows())

    @property
    def version(self) -> int:
        """Number of the version that is shown."""
        return int(self._dataset.version)

    @property
    def schema(self) -> pa.Schema:
        """All columns."""
        return self._dataset.schema

    @property
    def metadata_columns(self) -> tuple[str, ...]:
        """Names of the columns that came with the documents beyond id, title, text and label."""
        return tuple(name for name in self.schema.names if name not in OWN_COLUMNS)

    @cached_property
    def content_key(self) -> str:
        """Equal for two versions if and only if they hold the same rows in the same order: caches are named by it."""
        fragments = [fragment.metadata.to_json() for fragment in self._dataset.get_fragments()]
        return hashlib.sha256(json.dumps(fragments, sort_keys=True).encode()).hexdigest()[:16]

    @cached_property
    def row_ids(self) -> NDArray[np.uint64]:
        """(N,) Lance's own name of each row."""
        return _numbers(self._scan(columns=[], with_row_id=True)["_rowid"])

    # ---- reading

    def read(self, columns: Sequence[str], where: str | None = None) -> pa.Table:
        """Whole columns, in scan order."""
        return self._scan(where, columns=list(columns))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The same, a few thousand rows at a time."""
        with lance_errors(f"can't read {self._path}"):
            yield from self._dataset.to_batches(columns=list(columns), batch_size=_READ_ROWS, batch_readahead=2)

    def take(self, positions: Sequence[int] | NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Rows by their place in the scan, in the order asked for."""
        with lance_errors(f"can't read {self._path}"):
            return self._dataset.take([int(position) for position in positions], columns=list(columns))

    def positions(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Where each document is in the scan; -1 if it isn't."""
        return _numbers(pc.fill_null(pc.index_in(pa.array(ids, pa.string()), self._ids), -1)).astype(np.int64)

    def matching(self, where: str) -> NDArray[np.int64]:
        """Positions of the documents that fulfil an SQL condition on the columns.

        Raises:
            QueryError: not a condition, or it names no column of this space.
        """
        found = self._scan(where, columns=[], with_row_id=True)["_rowid"]
        return self._positions_of(_numbers(found))

    def lexical(self, query: str, k: int, where: str | None = None) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The `k` best documents by BM25 (k1 = 1.2, b = 0.75), with their scores; fewer if fewer share a word.

        Raises:
            QueryError: `where` is not a condition, or it names no column of this space.
            SpaceError: damaged; if it is only the full-text index, says so.
        """
        if where is None and self._inverted is not None:
            return self._inverted.best(searchable(query), k)
        if where is None and self._remembering:
            return self._postings.best(searchable(query), k)
        return self._lexical(searchable(query), k, where)

    def best_lexical(self, query: str) -> float:
        """BM25 of the best document; 0 where none shares a word.

        Raises:
            SpaceError: see `lexical`.
        """
        if self._inverted is not None:
            return self._inverted.best_score(searchable(query))
        return float(self.lexical(query, 1)[1].max(initial=0.0))

    def _lexical(self, query: str, k: int, where: str | None) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        asked = MatchQuery(query, FULLTEXT)
        try:
            found = self._scan(
                where, columns=["_score"], full_text_query=asked, prefilter=True, limit=k, with_row_id=True
            )
        except SpaceError as error:
            if _INDEXES not in str(error.__cause__):
                raise
            raise SpaceError(
                f"the full-text index of {self._path.parent} is lost or damaged: LatentSpace.compact() makes it anew, "
                "and so does the next `tolman add` of something new"
            ) from error
        scores = _numbers(found["_score"]).astype(np.float32)
        best = np.argsort(-scores, kind="stable")
        return self._positions_of(_numbers(found["_rowid"]))[best], scores[best]

    def rows(self, positions: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Rows as plain values, by their place in the scan; from memory where words are remembered."""

        def read(places: Sequence[int]) -> list[dict[str, Any]]:
            return list(self.take([positions[place] for place in places], columns).to_pylist())

        if not self._remembering:
            return read(range(len(positions)))
        return self._rows.get(self._names(positions), tuple(columns), read)

    def _names(self, positions: Sequence[int]) -> list[Name]:
        """Of rows, the same in all versions that have them."""
        row_ids = self.row_ids[np.asarray(positions, np.int64)].tolist()
        return [(self._files[row_id >> _FRAGMENT_BITS], row_id & _OFFSET_MASK) for row_id in row_ids]

    @cached_property
    def _files(self) -> dict[int, str]:
        """The files of each fragment, as one text: Lance names files at random, and never changes one."""
        fragments = self._dataset.get_fragments()
        return {each.fragment_id: " ".join(file.path for file in each.data_files()) for each in fragments}

    def remember_words(self) -> None:
        """Answer full text and read rows from memory where they were asked for before: for who asks many queries."""
        self._remembering = True

    def load_fulltext(self) -> None:
        """Answer full text from memory altogether, from then on, if it isn't too large for that.

        Raises:
            SpaceError: damaged.
        """
        index = self._fulltext_index()
        if index is not None:
            parts = (batch[FULLTEXT].to_pylist() for batch in self.batches([FULLTEXT]))
            self._inverted = _prepared(InvertedIndex.empty(Terms(index)).successor(np.full(len(self), -1), parts))

    def _fulltext_index(self) -> dict[str, Any] | None:
        """How the full-text index was made; None where there is none."""
        with lance_errors(f"can't read {self._path}"):
            names = [index.name for index in self._dataset.describe_indices() if FULLTEXT in index.field_names]
            return dict(self._dataset.stats.index_stats(names[0])["indices"][0]["params"]) if names else None

    def take_over(self, before: "DocumentStore") -> None:
        """Go on with what `before`, another version, holds in memory, as far as it is still right.

        Raises:
            SpaceError: damaged.
        """
        self._remembering, self._rows = before._remembering, before._rows
        if before._inverted is None:
            return
        origin_N, index = self.origin(before), self._fulltext_index()
        if index is None or not before._inverted.terms.are_those_of(index) or (origin_N < 0).all():
            self.load_fulltext()
            return
        fresh = np.flatnonzero(origin_N < 0)
        parts = (self.take(part, [FULLTEXT])[FULLTEXT].to_pylist() for part in _runs(fresh, _READ_ROWS))
        self._inverted = _prepared(before._inverted.successor(origin_N, parts))

    def origin(self, before: "DocumentStore") -> NDArray[np.int64]:
        """(N,) where each row was in `before`, another version; -1 if it wasn't there."""
        same = [fragment for fragment, files in self._files.items() if before._files.get(fragment) == files]
        shared_N = np.isin(self.row_ids >> _FRAGMENT_BITS, np.array(same, np.uint64))
        ascending, position = before._by_row_id
        if not len(ascending):
            return np.full(len(self), -1, np.int64)
        place_N = np.minimum(np.searchsorted(ascending, self.row_ids), len(ascending) - 1)
        return np.where(shared_N & (ascending[place_N] == self.row_ids), position[place_N], -1)

    @property
    def memory_is_full(self) -> bool:
        """Whether rows were forgotten for others."""
        return self._rows.is_full

    @property
    def remembers_words(self) -> bool:
        """Whether that is so."""
        return self._remembering

    @cached_property
    def _postings(self) -> Postings:
        return Postings(lambda word: self._lexical(word, len(self), None), len(self))

    def versions(self) -> list[SpaceVersion]:
        """Committed states, oldest first. Commits that only brought an index up to date are left out."""
        with lance_errors(f"can't read {self._path}"):
            known = lance.dataset(str(self._path)).versions()
        # Of several commits with the same rows the last one has the fullest index.
        states = {json.dumps(version["metadata"], sort_keys=True): version for version in known}
        return [
            SpaceVersion(v["version"], v["timestamp"].astimezone(), int(v["metadata"].get("total_rows", 0)))
            for v in sorted(states.values(), key=lambda v: int(v["version"]))
        ]

    # ---- writing

    def append(self, rows: pa.Table) -> None:
        """Add rows whose ids are known to be new."""
        with self._commit("add to"):
            lance.write_dataset(rows, str(self._path), mode="append", schema=self.schema)

    def upsert(self, rows: pa.RecordBatchReader | pa.Table) -> tuple[int, int]:
        """Add rows, or replace those with the same id, in one commit: (added, updated)."""
        with self._commit("add to") as newest:
            merge = newest.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            done = merge.conflict_retries(50).retry_timeout(timedelta(minutes=10)).execute(rows)
        self._update_fulltext()
        return int(done["num_inserted_rows"]), int(done["num_updated_rows"])

    def remove(self, ids: Sequence[str]) -> int:
        """Delete rows by id in one commit; how many there were."""
        quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in ids)
        if not ids:
            return 0
        with self._commit("remove from") as newest:
            done = newest.delete(f"id IN ({quoted})", conflict_retries=50, retry_timeout=timedelta(minutes=10))
        return int(done["num_deleted_rows"])

    def compact(self) -> None:
        """Rewrite rows without the deleted ones, in few files, and bring the full-text index up to date.

        Earlier versions stay; `forget` drops them.
        """
        with self._commit("compact") as newest:
            newest.optimize.compact_files(materialize_deletions_threshold=0.0)
        self._update_fulltext(merge_all=True)

    def forget(self, older_than: timedelta) -> None:
        """Drop versions older than this, and the files only they used. The newest version always stays."""
        with self._commit("clean up") as newest:
            newest.cleanup_old_versions(older_than=older_than)

    def index_fulltext(self, language: str | None) -> None:
        """Build the full-text index: Unicode words, lower case, accents folded.

        Args:
            language: its stop words are left out and its words stemmed; None: neither.
        """
        known = {"language": language, "stem": True, "remove_stop_words": True}
        words = known if language else {"stem": False, "remove_stop_words": False}
        with self._commit("index") as newest:
            newest.create_scalar_index(FULLTEXT, "INVERTED", base_tokenizer="icu/split", **words)

    def repair_fulltext(self, language: str | None) -> None:
        """Build it anew if it is lost or damaged: to bring it up to date, Lance would pass over it without a word."""
        try:
            self._scan(columns=["_score"], full_text_query=MatchQuery("a", FULLTEXT), limit=1)
        except SpaceError as error:
            if _INDEXES not in str(error.__cause__):
                raise
            self.index_fulltext(language)

    def _update_fulltext(self, *, merge_all: bool = False) -> None:
        """Bring the index up to date. Rows it doesn't hold yet are found all the same, only slower."""
        try:
            with self._commit("index") as newest:
                if newest.describe_indices():
                    newest.optimize.optimize_indices(num_indices_to_merge=None if merge_all else 1)
        except SpaceError as error:
            if "conflict" not in str(error):  # another writer was faster: its update, or the next, covers these rows
                raise
            self._refresh()

    # ---- inside

    @contextmanager
    def _commit(self, doing: str) -> Iterator[Any]:
        """The newest version to write on; afterwards this store shows what became of it."""
        if self._pinned:
            raise SpaceError(f"can't {doing} {self._path.parent}: it was opened at version {self.version}, to be read")
        with lance_errors(f"can't {doing} {self._path.parent}"):
            yield lance.dataset(str(self._path))
        self._refresh()

    def _refresh(self) -> None:
        self._dataset = lance.dataset(str(self._path))
        for cached in ("content_key", "row_ids", "_ids", "_by_row_id", "_postings", "_files", "_count"):
            self.__dict__.pop(cached, None)
        self._inverted = None

    @cached_property
    def _ids(self) -> pa.ChunkedArray:
        return self._scan(columns=["id"])["id"]

    @cached_property
    def _by_row_id(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Row ids in ascending order, and the position of each."""
        order = np.argsort(self.row_ids, kind="stable")
        return self.row_ids[order], order.astype(np.int64)

    def _positions_of(self, row_ids: NDArray[Any]) -> NDArray[np.int64]:
        ascending, position = self._by_row_id
        return position[np.searchsorted(ascending, row_ids)]

    def _scan(self, where: str | None = None, **options: Any) -> pa.Table:
        """One query of the dataset. What the filter's author got wrong is a QueryError; all else is damage."""
        with lance_errors(f"can't read {self._path}"):
            try:
                checked = None if where is None else check_filter(where)
                return self._dataset.scanner(**options, filter=checked).to_table()
            except ValueError as error:
                if where is None or not is_about_the_filter(error):
                    raise
                columns = ("id", "title", "text", "label", *self.metadata_columns)
                raise QueryError(explain_refusal(where, without_source(error), columns, self._called)) from None


def _whole(version: object) -> int:
    """The number of a version, of numpy too."""
    try:
        if isinstance(version, bool):
            raise TypeError
        return operator.index(version)  # type: ignore[arg-type]
    except TypeError:
        raise SpaceError(f"expected the number of a version, got {version!r}") from None


def _listed(versions: Sequence[SpaceVersion]) -> str:
    """ "is 1", "are 1, 4 and 7", "are 80, from 1 to 94"."""
    numbers = [str(version.version) for version in versions]
    if len(numbers) > _MOST_LISTED:
        return f"are {len(numbers):,}, from {numbers[0]} to {numbers[-1]}, which `tolman info` lists"
    return f"is {numbers[0]}" if len(numbers) == 1 else f"are {', '.join(numbers[:-1])} and {numbers[-1]}"


def _prepared(index: InvertedIndex | None) -> InvertedIndex | None:
    return None if index is None else index.prepare()


def _runs(places: NDArray[np.int64], longest: int) -> Iterator[NDArray[np.int64]]:
    return (places[start : start + longest] for start in range(0, len(places), longest))


def _numbers(column: pa.ChunkedArray | pa.Array) -> NDArray[Any]:
    return np.asarray(column.to_numpy())
