"""LatentSpace: one folder with documents, their vectors, and the encoder that made them.

Everything that learns makes one; everything that uses a latent space reads one. `docs/format.md` describes the folder.

Legend for shapes:
    N  documents
    P  passages of long documents
    D  dimensions
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from tolman.corpus.corpus import slices
from tolman.corpus.document import Document
from tolman.counting import counted
from tolman.errors import QueryError, SourceError, SpaceError, SpaceMismatch, StorageError, TolmanError
from tolman.models import load_encoder
from tolman.models.encoder import Encoder, Floats
from tolman.progress import Progress, Silent
from tolman.space.derived import DERIVED
from tolman.space.description import CorpusRecord, EncoderRecord, SpaceDescription, is_space, now, space_path
from tolman.space.filling import column_schema, fill
from tolman.space.index import ADDING, DenseIndex
from tolman.space.language import guess_language
from tolman.space.rows import NAMES, Holdings, as_rows, conform
from tolman.space.seal import digests, verify
from tolman.space.staging import Staging
from tolman.space.store import VECTOR, DocumentStore, SpaceVersion
from tolman.windows import WindowMemory

if TYPE_CHECKING:
    from tolman.corpus.corpus import Corpus
    from tolman.projection.map import Map
    from tolman.search import Mode, SearchResult
    from tolman.senses.word_senses import WordSenses
    from tolman.topics.topics import Topics
    from tolman.words import Words

DOCUMENTS, ENCODER = "documents.lance", "encoder"
BATCH = 4_096
KEPT_VERSIONS = timedelta(days=14)
_LANGUAGE_SAMPLE = 500


@dataclass(frozen=True, slots=True)
class AddReport:
    """What `LatentSpace.add` did.

    Attributes:
        added: documents with new ids.
        updated: documents whose id was there, with another title, text, label or metadata.
        unchanged: documents that were there just so; they were not encoded again.
        ignored_columns: metadata columns of the source that the space doesn't have.
    """

    added: int
    updated: int
    unchanged: int
    ignored_columns: tuple[str, ...] = ()


class LatentSpace:
    """An open space, at one version of its documents.

    What others add meanwhile is seen by who opens anew; what is added through this object is seen at once, with what
    others had committed by then.

    Attributes:
        path: its folder.
        description: the content of its space.json.
    """

    def __init__(
        self, path: Path, description: SpaceDescription, store: DocumentStore, encoder: Encoder | None
    ) -> None:
        self.path, self.description, self.store = path, description, store
        self._encoder = encoder

    @classmethod
    def open(cls, path: str | Path, *, version: int | None = None, encoder: Encoder | None = None) -> Self:
        """Open the space in `path`.

        Args:
            path: a folder that `create` or `tolman learn` made.
            version: one of `versions()`, to be read only; None: the newest.
            encoder: the space's own encoder, if it is in memory already.

        Raises:
            SpaceError: no space, a damaged one, one of a newer format, or no such version.
            SpaceMismatch: `encoder` is another than the space's.
        """
        path = space_path(path)
        description = SpaceDescription.read(path)
        if encoder is not None:
            _require_same(f"the encoder given for {path}", description, encoder.fingerprint)
        called = {column: role for role, column in description.corpus.columns.items()}
        return cls(path, description, DocumentStore(path / DOCUMENTS, version=version, called=called), encoder)

    @classmethod
    def create(
        cls,
        path: str | Path,
        corpus: "Corpus",
        encoder: Encoder,
        *,
        description: SpaceDescription | None = None,
        progress: Progress | None = None,
        finish: "Callable[[LatentSpace], None] | None" = None,
    ) -> Self:
        """Encode `corpus` and make a space of it. Killed, it goes on where it stopped when called again.

        Args:
            path: where; a space that is there is replaced, in one step, when the new one is whole.
            corpus: at least one document.
            encoder: any.
            description: recipe, quality, cost, parents, search settings; the rest is filled in.
            progress: who watches.
            finish: called with the whole space before it takes its place, to measure it and write into its folder.

        Raises:
            SpaceError: something other than a space is at `path`.
            SourceError: no documents, or a metadata column has a name that Tolman uses.
            StorageError: the disk refused; a space that was there is untouched.
        """
        path, progress = space_path(path), progress or Silent()
        if not len(corpus):
            raise SourceError("a space needs at least one document: the corpus is empty")
        column_schema(corpus, encoder)  # refuse before anything is written
        identity = {"encoder": encoder.fingerprint, "corpus": corpus.fingerprint}
        with Staging(path, identity) as staging:
            space = cls._stage(staging, corpus, encoder, description or SpaceDescription(), progress)
            if finish is not None:
                finish(space)
            del space  # closes mapped files before their folder is moved
            staging.publish()
        return cls.open(path, encoder=encoder)

    @classmethod
    def _stage(
        cls, staging: Staging, corpus: "Corpus", encoder: Encoder, description: SpaceDescription, progress: Progress
    ) -> Self:
        """Everything a space has, in the staging folder."""
        folder = staging.folder
        language = guess_language(corpus.contents(range(min(len(corpus), _LANGUAGE_SAMPLE))))
        fill(folder / DOCUMENTS, corpus, encoder, progress, together=BATCH)
        progress.start("full-text index")
        store = DocumentStore(folder / DOCUMENTS)
        store.index_fulltext(language)
        store.forget(timedelta(0))
        encoder.save(folder / ENCODER)
        description = replace(
            description,
            created=now(),
            encoder=EncoderRecord(encoder.family, encoder.fingerprint, encoder.dim, digests(folder / ENCODER)),
            corpus=CorpusRecord(
                corpus.fingerprint, corpus.report.source, len(corpus), language, dict(corpus.report.columns)
            ),
        )
        description.write(folder)
        progress.start("dense index")
        space = cls(folder, description, store, encoder)
        space.index  # noqa: B018  built now, so that the first search needn't
        return space

    # ---- what it is

    def __len__(self) -> int:
        return len(self.store)

    def __repr__(self) -> str:
        held, size = counted(len(self), "document"), counted(self.dim, "dimension")
        return f"LatentSpace({str(self.path)!r}, {held}, {size}, version {self.version})"

    @property
    def dim(self) -> int:
        """D."""
        return self.description.encoder.dim

    @property
    def version(self) -> int:
        """Number of the open version."""
        return self.store.version

    @property
    def encoder(self) -> Encoder:
        """The encoder of the space, loaded when it is first asked for.

        Raises:
            SpaceError, ModelError: see `verify`.
        """
        self.verify()
        if self._encoder is None:
            self._encoder = load_encoder(self.path / ENCODER)
        return self._encoder

    def verify(self) -> None:
        """Check that the encoder in the folder is the one that made the space. What was checked once is remembered.

        Raises:
            SpaceError: its files are missing, or not those that made the space, or space.json says otherwise.
            SpaceMismatch: space.json names another encoder.
            ModelError: it can't be loaded.
        """
        if self._encoder is None:
            self._encoder = verify(self.path / ENCODER, self.description.encoder, self.path / DERIVED)

    @cached_property
    def index(self) -> DenseIndex:
        """Over the open version; kept in `derived/`."""
        return DenseIndex.open(self.store, self.path / DERIVED, self.description.search.index)

    @cached_property
    def windows(self) -> WindowMemory:
        """Windows of texts that searches found lately, from which snippets are chosen."""
        return WindowMemory(self.encoder)

    # ---- reading

    def vectors(self) -> Floats:
        """The documents' vectors (N, D), in the order of `table()`, mapped from disk: read-only, without a copy."""
        return self.index.vectors()

    def table(self, columns: Sequence[str] | None = None, where: str | None = None) -> pa.Table:
        """Documents as an Arrow table; its `to_pandas()`, or `polars.from_arrow` on it, give data frames.

        Args:
            columns: which; None: what came with the documents.
            where: an SQL condition on them.

        Raises:
            QueryError: `where` is not a condition, or `columns` is no list of texts.
            SpaceError: no such column.
        """
        known = ("id", "title", "text", "label", "duplicate_ids", *self.store.metadata_columns)
        columns = known if columns is None else given_texts("columns", columns)
        missing = [name for name in columns if name not in self.store.schema.names]
        if missing:
            raise SpaceError(f"{self.path} has no column {missing[0]!r}: there are {', '.join((*known, VECTOR))}")
        return self.store.read(columns, where)

    def take(self, ids: Sequence[str]) -> list[Document]:
        """Documents by id, in the order asked for.

        Raises:
            SpaceError: an id that isn't there.
            QueryError: `ids` is no list of texts.
        """
        ids = given_texts("ids", ids)
        positions = self.store.positions(ids)
        missing = [name for name, position in zip(ids, positions, strict=True) if position < 0]
        if missing:
            raise SpaceError(f"{self.path} holds no document with id {missing[0]!r}")
        metadata = self.store.metadata_columns
        rows = self.store.take(positions, ["id", "title", "text", "label", "duplicate_ids", *metadata]).to_pylist()
        return [
            Document(
                *(row["id"], row["text"], row["title"] or "", row["label"]),
                metadata={name: row[name] for name in metadata},
                duplicate_ids=tuple(row["duplicate_ids"] or ()),
            )
            for row in rows
        ]

    def versions(self) -> list[SpaceVersion]:
        """Committed versions, oldest first; each can be opened."""
        return self.store.versions()

    def search(
        self,
        query: str,
        k: int | None = None,
        *,
        mode: "Mode" = "hybrid",
        where: str | None = None,
        snippets: bool = True,
    ) -> "SearchResult":
        """The `k` best documents for `query`: see `tolman.search.search`."""
        return self.search_many([query], k, mode=mode, where=where, snippets=snippets)[0]

    def search_many(
        self,
        queries: Sequence[str],
        k: int | None = None,
        *,
        mode: "Mode" = "hybrid",
        where: str | None = None,
        snippets: bool = True,
    ) -> "list[SearchResult]":
        """The same for each of many queries, faster than one by one."""
        from tolman.search import search

        return search(self, given_texts("queries", queries), k, mode=mode, where=where, snippets=snippets)

    def senses(self, word: str, *, exact: bool = False, progress: Progress | None = None) -> "WordSenses":
        """The senses of `word`, told apart by where it stands: see `tolman.senses.finding.find_senses`."""
        from tolman.senses.finding import find_senses

        return find_senses(self, word, exact=exact, progress=progress)

    def words(self, *, progress: Progress | None = None) -> "Words":
        """The words and phrases of the documents, in their latent space: see `tolman.words.Words`."""
        from tolman.words import words_of

        return words_of(self, progress=progress)

    def topics(self, *, progress: Progress | None = None) -> "Topics":
        """What the documents are about: see `tolman.topics.topics.Topics`. Found once, then kept up with the space."""
        from tolman.topics.topics import topics_of

        return topics_of(self, progress=progress)

    def map(self, *, seed: int | None = None, again: bool = False, progress: Progress | None = None) -> "Map":
        """Where every document lies in the plane, and stays: see `tolman.projection.map.map_of`."""
        from tolman.projection.map import map_of

        return map_of(self, seed=seed, again=again, progress=progress)

    # ---- changing

    def add(
        self,
        source: Any,
        *,
        progress: Progress | None = None,
        text: str | None = None,
        title: str | None = None,
        id: str | None = None,
        label: str | None = None,
    ) -> AddReport:
        """Add documents, or update those whose id is there, in one commit.

        Args:
            source: anything `read_corpus` reads, a Corpus, or another space with the same encoder (open, or its path),
                whose vectors are then taken as they are.
            progress: who watches.
            text, title, id, label: columns of the source, if they aren't to be guessed.

        Raises:
            SourceError: the source can't be read, or a column has another type than in the space.
            SpaceError: the source is a space that can't be read.
            SpaceMismatch: the source is a space of another encoder.
            StorageError: the disk refused; nothing was changed.
        """
        progress = progress or Silent()
        if isinstance(source, str | Path) and is_space(Path(source).expanduser()):
            source = LatentSpace.open(Path(source).expanduser())
        if isinstance(source, LatentSpace):
            return self._add_space(source)
        from tolman.corpus.reading import read_corpus

        source = read_corpus(source, text=text, title=title, id=id, label=label, progress=progress)
        self.verify()
        documents, ignored = conform(source.table, self.store.schema)
        if ignored:
            progress.say(f"left out columns that {self.path} doesn't have: {', '.join(ignored)}")
        return self._merge(documents, ignored, lambda part: as_rows(self.encoder, part, self.store.schema), progress)

    def _add_space(self, other: "LatentSpace") -> AddReport:
        _require_same(f"{other.path}", self.description, other.description.encoder.fingerprint)
        rows, ignored = conform(other.store.read(other.store.schema.names), self.store.schema)
        return self._merge(rows, ignored, lambda part: part, Silent())

    def _merge(
        self,
        documents: pa.Table,
        ignored: tuple[str, ...],
        complete: Callable[[pa.Table], pa.Table],
        progress: Progress,
    ) -> AddReport:
        """Find what is new or changed and upsert it, with the rows that must be taken apart for it.

        `complete` gives documents all columns of the store. Documents are taken a part at a time, so that a large
        table, mapped from disk, is never copied as a whole.
        """
        held = Holdings(self.store)
        parts = [(part, held.unchanged(part)) for part in slices(documents, BATCH)]
        names = [held.split(part.select(NAMES).filter(pa.array(~same)))["id"].combine_chunks() for part, same in parts]
        changed = pa.concat_arrays([pa.array([], pa.string()), *names])
        shared = held.taken_apart(changed)
        if len(changed):
            progress.start("encoding", len(changed))
            fresh = (held.split(part.filter(pa.array(~same))) for part, same in parts if not same.all())
            self._write_and_upsert(fresh, shared, complete, progress)
            self.store.repair_fulltext(self.description.corpus.language)
            self.__dict__.pop("index", None)
        updated = int((held.rows_of(changed) >= 0).sum())
        unchanged = sum(int(same.sum()) for _, same in parts)
        return AddReport(len(changed) - updated, updated, unchanged, ignored)

    def _write_and_upsert(
        self,
        parts: Iterator[pa.Table],
        shared: pa.Table,
        complete: Callable[[pa.Table], pa.Table],
        progress: Progress,
    ) -> tuple[int, int]:
        """What is complete waits on disk, so that a lost race costs no encoding. Lance holds all of it to commit it."""
        schema, derived = self.store.schema, self.path / DERIVED
        try:
            derived.mkdir(exist_ok=True)
            with TemporaryDirectory(dir=derived, prefix=ADDING, ignore_cleanup_errors=True) as folder:
                waiting = f"{folder}/rows.arrow"
                with pa.OSFile(waiting, "wb") as file, pa.ipc.new_file(file, schema) as out:
                    out.write_table(shared)
                    for part in parts:
                        out.write_table(complete(part))
                        progress.advance(len(part))
                with pa.memory_map(waiting) as file:
                    return self.store.upsert(pa.ipc.open_file(file).read_all())
        except OSError as error:
            raise StorageError(f"can't write to {derived}: {error.strerror or error}") from error

    def remove(self, ids: Sequence[str]) -> int:
        """Remove documents by id; ids that aren't there are passed over. How many there were.

        One commit; one more before it if exact duplicates of a removed document stay, for these get rows of their own.

        Raises:
            QueryError: `ids` is no list of texts.
            StorageError: the disk refused; nothing was removed.
        """
        asked = list(dict.fromkeys(given_texts("ids", ids)))
        held = Holdings(self.store)
        there = int((held.rows_of(asked) >= 0).sum())
        shared = held.taken_apart(asked)
        if len(shared):
            self.store.upsert(shared)
        self.store.remove(asked)
        self.__dict__.pop("index", None)
        return there

    def compact(self, *, keep: timedelta = KEPT_VERSIONS) -> None:
        """Rewrite the documents without what was removed, in few files, and drop versions older than `keep`.

        Whoever has one of these versions open must open the space again. A damaged full-text index is made anew.

        Raises:
            TolmanError: `keep` is no time, or less than none.
        """
        if not isinstance(keep, timedelta) or keep < timedelta(0):
            raise TolmanError(f"expected a timedelta of zero or more for keep, got {keep!r}")
        self.store.compact()
        self.store.repair_fulltext(self.description.corpus.language)
        self.store.forget(keep)
        self.__dict__.pop("index", None)

    def describe(self, description: SpaceDescription) -> None:
        """Replace space.json, in one step. What the space consists of must stay the same.

        Raises:
            SpaceMismatch: `description` is that of another encoder.
        """
        _require_same(f"the description for {self.path}", self.description, description.encoder.fingerprint)
        description.write(self.path)
        self.description = description


def open_space(path: str | Path, *, version: int | None = None) -> LatentSpace:
    """Open the space in `path`, at its newest version or at one of `LatentSpace.versions()`: see `LatentSpace.open`."""
    return LatentSpace.open(path, version=version)


def given_texts(what: str, given: Any) -> list[str]:
    """`given` as a list.

    Raises:
        QueryError: it is none; nor is one text, though that is a sequence of texts, too: of its letters.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        got = f"one text, {given!r}: put it in brackets" if isinstance(given, str) else repr(given)
        raise QueryError(f"expected a list of {what}, got {got}")
    texts = given.to_pylist() if isinstance(given, pa.Array | pa.ChunkedArray) else list(given)
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None or None in texts:
        raise QueryError(f"expected {what} as texts, got {wrong!r}")
    return texts


def _require_same(what: str, description: SpaceDescription, fingerprint: str) -> None:
    if fingerprint != description.encoder.fingerprint:
        raise SpaceMismatch(what, expected=description.encoder.fingerprint, got=fingerprint)
