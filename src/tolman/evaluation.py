"""How well a space answers questions whose answers are known (queries and judgments in the layout of BEIR)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tolman.corpus.cleaning import drop_surrogates
from tolman.corpus.readers.jsonl import read_objects
from tolman.corpus.readers.lines import read_lines
from tolman.counting import counted
from tolman.errors import QueryError, SourceError
from tolman.metrics import bootstrap_interval, ndcg, recall, reciprocal_rank
from tolman.progress import Progress, Silent

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace

Queries: TypeAlias = Mapping[str, str]
Judgments: TypeAlias = Mapping[str, Mapping[str, float]]

MODES: tuple[Literal["dense"], Literal["lexical"], Literal["hybrid"]] = ("dense", "lexical", "hybrid")
DEPTH = 100


def require_whole(given: int | None, what: str, *, least: int = 0) -> int | None:
    """`given` as a whole number; None stays None.

    Raises:
        QueryError: it is none, or less than `least`.
    """
    if given is None:
        return None
    number = given.__index__() if hasattr(given, "__index__") and not isinstance(given, bool) else least - 1
    if number < least:
        raise QueryError(f"expected a whole number of {least} or more: {what}; got {given!r}")
    return number


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over queries, and the interval that 95 % of resampled means fall into."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RankingQuality:
    """How good one way of searching is. Judged documents that the space doesn't hold count as not found."""

    ndcg_10: Estimate
    recall_10: Estimate
    recall_100: Estimate
    mrr_10: Estimate


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        queries: how many had at least one relevant document.
        documents: how many the space holds.
        missing: judged ids that the space doesn't hold.
        modes: quality of "dense", "lexical" (BM25) and "hybrid" search.
    """

    queries: int
    documents: int
    missing: tuple[str, ...]
    modes: Mapping[str, RankingQuality]

    def to_json(self) -> dict[str, Any]:
        """A mapping of plain numbers, texts and lists."""
        return asdict(self)


def evaluate(
    space: "LatentSpace",
    queries: Queries | str | Path,
    qrels: Judgments | str | Path,
    progress: Progress | None = None,
) -> Evaluation:
    """Ask `space` every judged query in every mode and score the rankings.

    Args:
        space: the space to judge.
        queries: text of each query id, or a .jsonl file of `_id` and `text` (without `_id` they are numbered from 1).
        qrels: judgment of each document id for each query id (above 0: relevant), or a file of query id, document id
            and judgment, with or without a header, as BEIR and TREC have it.
        progress: is told what was noticed about the files.

    Raises:
        SourceError: a file can't be read, a judged query has no text, or nothing judged relevant is in the space.
    """
    texts = queries if isinstance(queries, Mapping) else read_queries(Path(queries), progress)
    judged = qrels if isinstance(qrels, Mapping) else read_qrels(Path(qrels), progress)
    judged = {query: gains for query, gains in judged.items() if any(gain > 0 for gain in gains.values())}
    _require_texts(texts, judged)
    kept = _kept_ids(space)
    missing = sorted({name for gains in judged.values() for name in gains} - kept.keys())
    gains = [_merge_duplicates(one, kept) for one in judged.values()]
    if not any(kept.keys() & one.keys() for one in judged.values()):
        raise SourceError(f"none of the judged documents is in {space.path}: are these judgments for another corpus?")
    asked = [texts[query] for query in judged]
    depth = min(DEPTH, len(space))
    modes: dict[str, RankingQuality] = {}
    for mode in MODES:
        rankings = [[hit.id for hit in result] for result in space.search_many(asked, depth, mode=mode, snippets=False)]
        modes[mode] = score_rankings(rankings, gains)
    return Evaluation(len(asked), len(space), tuple(missing), modes)


def score_rankings(rankings: Sequence[Sequence[str]], gains: Sequence[Mapping[str, float]]) -> RankingQuality:
    """Quality of each query's ranked ids against its judgments, averaged over queries."""
    pairs = list(zip(rankings, gains, strict=True))
    return RankingQuality(
        ndcg_10=_estimate([ndcg(ranked, gain, 10) for ranked, gain in pairs]),
        recall_10=_estimate([recall(ranked, gain, 10) for ranked, gain in pairs]),
        recall_100=_estimate([recall(ranked, gain, 100) for ranked, gain in pairs]),
        mrr_10=_estimate([reciprocal_rank(ranked, gain, 10) for ranked, gain in pairs]),
    )


def read_queries(path: Path, progress: Progress | None = None) -> dict[str, str]:
    """The text of each query id in a .jsonl file (also .gz), in its order.

    Args:
        path: the file, of `_id` and `text` a line; a query without an `_id` is called by its place: "1", "2" and so on.
            Encodings and limits are those of `read_corpus`.
        progress: is told what was noticed about the file.

    Raises:
        SourceError: it can't be read, or a line has an `_id` that is no name, no `text` with anything in it, or
            another text for an `_id` that was there before; says which line.
    """
    queries: dict[str, str] = {}
    repeated: list[str] = []
    notes: list[str] = []
    for place, (number, row, _) in enumerate(read_objects(path, notes), 1):
        name, text = row.get("_id"), row.get("text")
        name = str(place) if name is None else name
        if not isinstance(name, str | int) or not isinstance(text, str):
            raise SourceError(f'{path} line {number}: expected {{"_id": ..., "text": ...}}, got {str(row)[:60]}')
        name, text = drop_surrogates(str(name)), drop_surrogates(text)
        if not text.strip():
            raise SourceError(f"{path} line {number}: the query {name!r} is empty")
        if queries.get(name, text) != text:
            raise SourceError(f"{path} line {number}: the query {name!r} was there before with another text")
        if name in queries:
            repeated.append(name)
        queries[name] = text
    if repeated:
        notes.append(
            f"{path.name}: {counted(len(repeated), 'line repeats', 'lines repeat')} a query, like {repeated[0]!r}: "
            "each is asked once"
        )
    _say(notes, progress)
    if not queries:
        raise SourceError(f"{path} holds no query")
    return queries


_JUDGMENT_NAMES = frozenset(("score", "relevance", "rel", "grade", "judgment", "label"))  # as headers call it


def read_qrels(path: Path, progress: Progress | None = None) -> dict[str, dict[str, float]]:
    """The judgments in a file (also .gz) of query id, document id, judgment; a header is skipped.

    Columns are separated by tabs, or by spaces in lines without a tab. A line of four is one of TREC, whose second
    column nobody uses.

    Args:
        path: the file. Encodings and limits are those of `read_corpus`.
        progress: is told what was noticed about the file.

    Raises:
        SourceError: it can't be read, or a line isn't three or four columns ending in a number; says which line.
    """
    judged: dict[str, dict[str, float]] = {}
    notes: list[str] = []
    header = ""
    for place, (number, line) in enumerate(_filled_lines(path, notes)):
        query, document, judgment = _judgment_columns(line)
        if _is_number(judgment):
            judged.setdefault(query, {})[document] = float(judgment)
        elif place == 0 and judgment:
            header = line.strip()[:60]
            if judgment.lower() not in _JUDGMENT_NAMES:
                notes.append(f"{path.name}: line {number} is taken for a header: {header}")
        else:
            raise SourceError(
                f"{path} line {number}: expected query id, document id and a number, separated by tabs or spaces; "
                f"got {line.strip()[:60]}"
            )
    _say(notes, progress)
    if not judged:
        only = f"; its only line was taken for a header, for it ends in no number: {header}" if header else ""
        raise SourceError(f"{path} holds no judgment{only}")
    return judged


def _judgment_columns(line: str) -> tuple[str, str, str]:
    """Query id, document id and judgment; empty ones where a line has neither three columns nor TREC's four."""
    columns = line.rstrip("\r\n").split("\t") if "\t" in line else line.split()
    if len(columns) not in (3, 4):
        return "", "", ""
    return columns[0], columns[-2], columns[-1].strip()


def _filled_lines(path: Path, notes: list[str]) -> Iterator[tuple[int, str]]:
    """Each line that isn't blank, with its number from 1."""
    return ((number, line) for number, line in read_lines(path, notes) if not line.isspace())


def _say(notes: Sequence[str], progress: Progress | None) -> None:
    for note in notes:
        (progress or Silent()).say(note)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _require_texts(texts: Queries, judged: Judgments) -> None:
    if not judged:
        raise SourceError("no document is judged relevant: expected at least one judgment above 0")
    unknown = [query for query in judged if query not in texts]
    if unknown:
        raise SourceError(
            f"{counted(len(unknown), 'judged query has', 'judged queries have')} no text, like {unknown[0]!r}: "
            "do the files belong together?"
        )


def _kept_ids(space: "LatentSpace") -> dict[str, str]:
    """For each id the corpus had, the id under which the space keeps it (exact duplicates are merged)."""
    table = space.table(["id", "duplicate_ids"])
    kept = {}
    for name, duplicates in zip(table["id"].to_pylist(), table["duplicate_ids"].to_pylist(), strict=True):
        kept[name] = name
        kept.update(dict.fromkeys(duplicates or (), name))
    return kept


def _merge_duplicates(gains: Mapping[str, float], kept: Mapping[str, str]) -> dict[str, float]:
    """`gains` with exact duplicates under the one id that a search can find; the highest judgment counts."""
    merged: dict[str, float] = {}
    for name, gain in gains.items():
        home = kept.get(name, name)
        merged[home] = max(gain, merged.get(home, gain))
    return merged


def _estimate(values: Sequence[float]) -> Estimate:
    return Estimate(sum(values) / len(values), *bootstrap_interval(values))
