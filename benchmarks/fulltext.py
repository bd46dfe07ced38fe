"""nDCG@10 of BM25 by how words are made and which columns are indexed.

    python benchmarks/fulltext.py --data DATA

Ours is the first line; the others are what Lance offers beside it.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
from lance.query import CombinedFieldsQuery, FullTextQuery, MatchQuery, MultiMatchQuery
from report import Cell, write_result
from sets import SETS, RetrievalSet

from tolman.metrics import ndcg

NAMES = ("cranfield", "cisi", "scifact", "stdlib")
MOST_QUESTIONS = 300
BARE = {"stem": False, "remove_stop_words": False}
WAYS: dict[str, tuple[Mapping[str, Any], str]] = {
    "Unicode words, parts split, English (ours)": ({"base_tokenizer": "icu/split"}, "both"),
    "the same, no stems, no stop words": ({"base_tokenizer": "icu/split", **BARE}, "both"),
    "Unicode words, English": ({"base_tokenizer": "icu"}, "both"),
    "spaces and punctuation, English": ({"base_tokenizer": "simple"}, "both"),
    "ours, the better of title and text": ({"base_tokenizer": "icu/split"}, "best"),
    "ours, BM25F over title and text": ({"base_tokenizer": "icu/split"}, "combined"),
}
COLUMNS: dict[str, tuple[tuple[str, ...], Callable[[str], FullTextQuery]]] = {
    "both": (("fulltext",), lambda text: MatchQuery(text, "fulltext")),
    "best": (("title", "text"), lambda text: MultiMatchQuery(text, ["title", "text"])),
    "combined": (("title", "text"), lambda text: CombinedFieldsQuery(text, ["title", "text"])),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    rows: dict[str, dict[str, Cell]] = {way: {"words and columns": way} for way in WAYS}
    for one in (SETS[name](options.data) for name in NAMES):
        for way, (settings, columns) in WAYS.items():
            quality, milliseconds = measure(one, settings, *COLUMNS[columns])
            rows[way] |= {one.name: quality, f"{one.name} ms": milliseconds}
    write_result(
        "fulltext", list(rows.values()), f"nDCG@10, at most {MOST_QUESTIONS} questions; ms: median of a query."
    )


def measure(
    one: RetrievalSet, settings: Mapping[str, Any], columns: tuple[str, ...], ask: Callable[[str], FullTextQuery]
) -> tuple[float, float]:
    """Mean nDCG@10, and the median milliseconds of a query."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = lance.write_dataset(documents(one), f"{folder}/documents.lance")
        for column in columns:
            dataset.create_scalar_index(column, "INVERTED", **settings)
        grades, times = [], []
        for query, relevant in list(zip(one.queries, one.relevant, strict=True))[:MOST_QUESTIONS]:
            began = time.perf_counter()
            found = dataset.scanner(columns=["row", "_score"], full_text_query=ask(query), limit=10).to_table()
            times.append(time.perf_counter() - began)
            best = np.argsort(-found["_score"].to_numpy(), kind="stable")
            ranked = [str(row) for row in found["row"].to_numpy()[best]]
            grades.append(ndcg(ranked, {str(row): grade for row, grade in relevant.items()}, 10))
    return float(np.mean(grades)), 1_000 * float(np.median(times))


def documents(one: RetrievalSet) -> pa.Table:
    rows = [int(row) for row in one.pool]
    titles, texts = [one.titles[row] for row in rows], [one.texts[row] for row in rows]
    both = [f"{title}\n{text}" if title else text for title, text in zip(titles, texts, strict=True)]
    return pa.table({"row": rows, "title": titles, "text": texts, "fulltext": both})


if __name__ == "__main__":
    main()
