"""Search: by meaning (dense), by words (lexical), by both (hybrid).

Hybrid takes the best documents of either, completes what the other lacks (cosines exactly, BM25 as 0), and ranks them
all by one sum of normalised scores: see `tolman.ranking`.

A query may ask for one sense of a word (`bank~river`): documents that have the word in it then come first, in the order
of the mode, and the others after them. See `tolman.senses.hints`.

Legend for shapes:
    Q  queries
    M  candidates of one query, in a Ranking the best of them
    C  candidates of one query, all of them
    K  hits of one query
    D  dimensions
"""

import operator
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from shlex import quote
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args, overload

import numpy as np
from numpy.typing import NDArray

from tolman.confidence import Confidence, Evidence, coverage, telling_words
from tolman.corpus.cleaning import drop_surrogates
from tolman.corpus.passages import words
from tolman.counting import counted
from tolman.errors import QueryError, SpaceError
from tolman.models.encoder import Floats
from tolman.ranking import HybridRanking
from tolman.senses.hints import ChosenSense, SensedQuery, read_senses
from tolman.snippets import Snippet, best_snippets
from tolman.space.store import PASSAGES, SPANS
from tolman.space.succession import SEARCHED_COLUMNS
from tolman.windows import Span

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace

Mode: TypeAlias = Literal["hybrid", "dense", "lexical"]
Ints: TypeAlias = NDArray[np.int64]
Row: TypeAlias = dict[str, Any]
T = TypeVar("T")

HITS = 10
CANDIDATES = 100  # of each kind, before they are ranked together
_NO_SNIPPET = Snippet((0, 0), "")
_READ_TOGETHER = 64  # queries whose documents are read in one go
_THREADS_PER_CORE = 4  # Lance answers a query with its own threads; most of a query's time is spent waiting for them


@dataclass(frozen=True, slots=True)
class Hit:
    """One document found.

    Attributes:
        id: of the document.
        score: what the hits are sorted by: cosine (dense), BM25 (lexical), or the sum of both, normalised (hybrid).
            Comparable within one result only.
        cosine: of query and document, or of query and the nearest passage of a long document.
        confidence: probability that it is relevant; None where the space wasn't calibrated.
        title: "" where there is none.
        snippet: the sentences of the text that match best, or words of a long one, with an ellipsis at each end that
            lies inside a sentence; "" if none were asked for.
        snippet_span: (start, end) of the snippet in characters of the text, ellipses left out.
    """

    id: str
    score: float
    cosine: float
    confidence: float | None
    title: str
    snippet: str
    snippet_span: Span


@dataclass(frozen=True, slots=True)
class SearchResult(Sequence[Hit]):
    """The hits of one query, best first.

    Attributes:
        query: as asked.
        mode: how it was searched.
        hits: what this sequence consists of.
        relevant: False: nothing relevant was found, the hits are only the nearest. True where the space wasn't
            calibrated and nobody can say.
        senses: what became of each `word~hint` in the query.
    """

    query: str
    mode: Mode
    hits: tuple[Hit, ...]
    relevant: bool
    senses: tuple[ChosenSense, ...] = ()

    def __len__(self) -> int:
        return len(self.hits)

    @overload
    def __getitem__(self, place: int) -> Hit: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, place: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[place]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Documents for one query, best first, before they are read.

    Attributes:
        positions_M: in the scan order of the space.
        scores_M: what they are sorted by.
        cosines_M: of each.
        bm25_M: of each, 0 where no word is shared.
        considered_C: cosines of all documents that were considered.
        best_bm25: of any of them.
    """

    positions_M: Ints
    scores_M: Floats
    cosines_M: Floats
    bm25_M: Floats
    considered_C: Floats
    best_bm25: float


def search(
    space: "LatentSpace",
    queries: Sequence[str],
    k: int | None = None,
    *,
    mode: Mode = "hybrid",
    where: str | None = None,
    snippets: bool = True,
) -> list[SearchResult]:
    """The best documents of `space` for each query.

    Args:
        space: where.
        queries: what is looked for.
        k: how many hits; None: 10, or all there are. A lexical search, and one with `where`, may find fewer.
        mode: "dense", "lexical" or "hybrid".
        where: an SQL condition on the columns; only documents that fulfil it are considered.
        snippets: False: titles and snippets are left empty, and nothing is read but ids.

    Raises:
        QueryError: an empty query, one with half a character (a lone surrogate), `k` less than 1 or more than the
            documents there are, an unknown mode, or `where` is not a condition.
        SpaceError: the space is damaged.
    """
    if not len(space):
        raise QueryError(f"{space.path} has no documents: add some with `tolman add {quote(str(space.path))} SOURCE`")
    k = min(HITS, len(space)) if k is None else _whole(k)
    _check(space, queries, k, mode)
    if not queries:
        return []
    sensed = [read_senses(space, query) for query in queries]
    asked, queries = queries, [query.text for query in sensed]
    vectors_QD = space.encoder.encode(list(queries), "query")
    rankings = rank(space, queries, vectors_QD, k=k, mode=mode, where=where)
    rankings = [
        _sense_first(space, *each, k=k, mode=mode, where=where)
        for each in zip(sensed, vectors_QD, rankings, strict=True)
    ]
    judge = _Judge.of(space, queries)
    results: list[SearchResult] = []
    for start in range(0, len(queries), _READ_TOGETHER):
        block = slice(start, start + _READ_TOGETHER)
        documents = _read(space, rankings[block], snippets)
        for query, query_D, ranking in zip(queries[block], vectors_QD[block], rankings[block], strict=True):
            rows = [documents[position] for position in ranking.positions_M.tolist()]
            shown = _snippets(space, query, query_D, rows) if snippets else [_NO_SNIPPET] * len(rows)
            results.append(_result(judge, query, ranking, rows, shown, mode=mode))
    return [
        replace(result, query=query, senses=each.chosen)
        for result, query, each in zip(results, asked, sensed, strict=True)
    ]


def rank(
    space: "LatentSpace", queries: Sequence[str], vectors_QD: Floats, *, k: int, mode: Mode, where: str | None = None
) -> list[Ranking]:
    """The same without reading the documents."""
    allowed = None if where is None else space.store.matching(where)
    pool = max(k, CANDIDATES)
    # Words and meaning are both looked up whatever the mode ranks by: both tell whether there is an answer at all.
    dense = [
        (nearest.positions_K, nearest.cosines_K) if query_D.any() else _nothing()
        for query_D, nearest in zip(vectors_QD, space.index.search(vectors_QD, pool, allowed), strict=True)
    ]
    lexical = _lexical(space, queries, pool, where)
    return [
        _together(space, query_D, near, shared, score=_SCORES[mode], k=k)
        for query_D, near, shared in zip(vectors_QD, dense, lexical, strict=True)
    ]


def _sense_first(
    space: "LatentSpace",
    sensed: SensedQuery,
    query_D: Floats,
    others: Ranking,
    *,
    k: int,
    mode: Mode,
    where: str | None,
) -> Ranking:
    """The documents in the sense asked for, ranked among themselves, then the `others`; all if no sense was chosen."""
    if sensed.documents is None:
        return others
    inside = np.sort(space.store.positions(sorted(sensed.documents)))
    inside = inside[inside >= 0] if where is None else np.intersect1d(inside, space.store.matching(where))
    every, bm25 = space.store.lexical(sensed.text, len(space), where)
    held = np.isin(every, inside)
    (near,) = space.index.search(query_D[None], len(inside), inside)
    dense = (near.positions_K, near.cosines_K) if query_D.any() else _nothing()
    first = _together(space, query_D, dense, (every[held], bm25[held]), score=_SCORES[mode], k=k)
    later = ~np.isin(others.positions_M, first.positions_M)
    lift = max(0.0, float(others.scores_M.max(initial=0.0)) - float(first.scores_M.min(initial=0.0))) + 1.0
    return Ranking(
        np.concatenate([first.positions_M, others.positions_M[later]])[:k],
        np.concatenate([first.scores_M + lift, others.scores_M[later]])[:k],
        np.concatenate([first.cosines_M, others.cosines_M[later]])[:k],
        np.concatenate([first.bm25_M, others.bm25_M[later]])[:k],
        others.considered_C,
        others.best_bm25,
    )


def _check(space: "LatentSpace", queries: Sequence[str], k: int, mode: Mode) -> None:
    if isinstance(queries, str):
        raise QueryError("expected a sequence of queries, got one text: use LatentSpace.search for one")
    if mode not in get_args(Mode):
        raise QueryError(f"expected a mode of {', '.join(get_args(Mode))}; got {mode!r}")
    for query in queries:
        if not isinstance(query, str) or not query.strip():
            raise QueryError(f"a query is a text that isn't empty; got {query!r}")
        if drop_surrogates(query) != query:
            raise QueryError(f"a query is whole characters, got half of one in {query[:60]!r}: decode its bytes anew")
    if k < 1:
        raise QueryError(f"expected at least 1 hit, got k = {k}")
    if k > len(space):
        held = counted(len(space), "document")
        raise QueryError(f"k = {k:,} is more than the {held} of {space.path}: ask for fewer")


def _whole(k: object) -> int:
    """A number of hits, of numpy too."""
    try:
        if isinstance(k, bool):
            raise TypeError
        return operator.index(k)  # type: ignore[arg-type]
    except TypeError:
        raise QueryError(f"expected a whole number of hits, got k = {k!r}") from None


def _nothing() -> tuple[Ints, Floats]:
    """What a query without any known token is near to."""
    return np.empty(0, np.int64), np.empty(0, np.float32)


def _lexical(space: "LatentSpace", queries: Sequence[str], k: int, where: str | None) -> list[tuple[Ints, Floats]]:
    return _each(space, queries, lambda query: space.store.lexical(query, k, where), where)


def _each(space: "LatentSpace", queries: Sequence[str], ask: Callable[[str], T], where: str | None) -> list[T]:
    """What `ask` says of each query; many at once where Lance is asked."""
    if len(queries) <= 1 or (space.store.remembers_words and where is None):
        return [ask(query) for query in queries]
    space.store.positions([])  # what all threads will need is made once, before them
    with ThreadPoolExecutor(_THREADS_PER_CORE * (os.cpu_count() or 1)) as threads:
        return list(threads.map(ask, queries))


def _hybrid(space: "LatentSpace", cosines_M: Floats, bm25_M: Floats) -> Floats:
    return HybridRanking(space.description.search.lexical_weight).score(cosines_M, bm25_M)


def _dense(space: "LatentSpace", cosines_M: Floats, bm25_M: Floats) -> Floats:
    return cosines_M


def _by_words(space: "LatentSpace", cosines_M: Floats, bm25_M: Floats) -> Floats:
    return np.where(bm25_M > 0, bm25_M, -np.inf).astype(np.float32)


_SCORES: dict[Mode, Callable[["LatentSpace", Floats, Floats], Floats]] = {
    "hybrid": _hybrid,
    "dense": _dense,
    "lexical": _by_words,
}
"""What each mode ranks by, of cosines (M,) and BM25 (M,); -inf: no hit."""


def _together(
    space: "LatentSpace",
    query_D: Floats,
    dense: tuple[Ints, Floats],
    lexical: tuple[Ints, Floats],
    *,
    score: Callable[["LatentSpace", Floats, Floats], Floats],
    k: int,
) -> Ranking:
    """Both kinds of candidates under one score, the best `k` of them."""
    positions_M = np.union1d(dense[0], lexical[0])
    cosines_M = space.index.cosines(query_D, positions_M)
    bm25_M = np.zeros(len(positions_M), np.float32)
    bm25_M[np.searchsorted(positions_M, lexical[0])] = lexical[1]
    scores_M = score(space, cosines_M, bm25_M)
    kept = np.argsort(-scores_M, kind="stable")[:k]
    kept = kept[np.isfinite(scores_M[kept])]
    best_bm25 = float(bm25_M.max(initial=0.0))
    return Ranking(positions_M[kept], scores_M[kept], cosines_M[kept], bm25_M[kept], cosines_M, best_bm25)


def _read(space: "LatentSpace", rankings: Sequence[Ranking], snippets: bool) -> dict[int, Row]:
    """Each document of some rankings by its position, read once."""
    positions = np.unique(np.concatenate([ranking.positions_M for ranking in rankings]))
    if not len(positions):
        return {}
    columns = SEARCHED_COLUMNS if snippets else ("id",)
    return dict(zip(positions.tolist(), space.store.rows(positions.tolist(), columns), strict=True))


def _result(
    judge: "_Judge | None", query: str, ranking: Ranking, rows: Sequence[Row], shown: Sequence[Snippet], *, mode: Mode
) -> SearchResult:
    count = len(ranking.positions_M)
    confidences_K, relevant = judge(query, ranking) if judge else ([None] * count, count > 0)
    hits = [
        Hit(
            id=row["id"],
            score=float(ranking.scores_M[place]),
            cosine=float(ranking.cosines_M[place]),
            confidence=confidences_K[place],
            title=row.get("title") or "",
            snippet=snippet.text,
            snippet_span=snippet.span,
        )
        for place, (row, snippet) in enumerate(zip(rows, shown, strict=True))
    ]
    return SearchResult(query, mode, tuple(hits), relevant)


@dataclass(frozen=True)
class _Judge:
    """Says how sure to be of what some queries found.

    Attributes:
        fitted: of the space.
        best: BM25 of the best document for each telling word of the queries alone, whatever the filter.
        documents: in the space.
        fragments: whether the encoder reads a word that nobody knows as pieces of words that it does.
    """

    fitted: Confidence
    best: Mapping[str, float]
    documents: int
    fragments: bool

    @classmethod
    def of(cls, space: "LatentSpace", queries: Sequence[str]) -> "_Judge | None":
        """None where the space wasn't calibrated."""
        stored = space.description.search.confidence
        if stored is None:
            return None
        try:
            fitted = Confidence.from_json(stored)
        except (KeyError, TypeError) as error:
            raise SpaceError(f"{space.path}/space.json is damaged: no {error} in search.confidence") from None
        asked = list({word: None for query in queries for word in telling_words(query, fitted.passed_over)})
        best = dict(zip(asked, _each(space, asked, space.store.best_lexical, None), strict=True))
        return cls(fitted, best, len(space), space.description.encoder.family != "transformer")

    def __call__(self, query: str, ranking: Ranking) -> tuple[Sequence[float | None], bool]:
        """Confidence of each hit, and whether there is an answer at all."""
        if not len(ranking.positions_M):
            return [], False
        near = float(self.fitted.nearness(ranking.considered_C[None, :], self.documents)[0])
        cosines_M = ranking.cosines_M.astype(np.float64)
        if self.fragments and ranking.best_bm25 == 0:
            cosines_M[:] = near = 0  # no word of the query is in the corpus: what was learned there saw fragments
        best_W = [self.best[word] for word in telling_words(query, self.fitted.passed_over)]
        covered = coverage(ranking.best_bm25, best_W, self.documents)
        confidences_M, relevant = self.fitted.of_ranking(
            cosines_M,
            ranking.bm25_M.astype(np.float64),
            Evidence(near, covered, len(best_W), alone=not self.fragments),
            words=len(words(query)),
            documents=self.documents,
        )
        return [float(probability) for probability in confidences_M], relevant


def _snippets(space: "LatentSpace", query: str, query_D: Floats, rows: Sequence[Row]) -> list[Snippet]:
    within = [_nearest_passage(row, query_D) for row in rows]
    return best_snippets(query, query_D, [row["text"] for row in rows], within, space.windows)


def _nearest_passage(row: Row, query_D: Floats) -> Span:
    """In characters of the text: the passage nearest to the query, or the whole text of a document in one piece.

    Passages count from the start of the content, in which the title stands before the text.
    """
    if not row[SPANS]:
        return 0, len(row["text"])
    spans = np.asarray(row[SPANS]).reshape(-1, 2)
    vectors = np.asarray(row[PASSAGES], np.float32).reshape(len(spans), -1)
    start, end = spans[np.argmax(vectors @ query_D)] - (len(row["title"]) + 1 if row["title"] else 0)
    return max(0, int(start)), max(0, int(end))
