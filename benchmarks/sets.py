"""The labelled collections that benchmarks measure on, in one shape.

A set is documents, questions, and which documents answer each question. Three have human questions and judgments
(scifact, cranfield, cisi). Three take a title as the question and its own document as the answer (newsgroups20,
reuters, stdlib): the title is blanked on every document that answers, so nothing leaks. Where `pool` is not empty
only those documents are ranked, though all of them are learned from.
"""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HELD_OUT = 1000
POOL = 4000


@dataclass(frozen=True)
class RetrievalSet:
    name: str
    ids: list[str]
    titles: list[str]
    texts: list[str]
    labels: list[str]
    queries: list[str]
    relevant: list[dict[int, int]]  # per question: document row -> grade
    pool: np.ndarray  # rows that are ranked

    def without_titles(self) -> "RetrievalSet":
        return RetrievalSet(
            self.name + "-untitled",
            self.ids,
            [""] * len(self.ids),
            self.texts,
            self.labels,
            self.queries,
            self.relevant,
            self.pool,
        )


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def beir(name: str, folder: Path, qrels: str) -> RetrievalSet:
    documents = list(json_lines(folder / "corpus.jsonl.gz"))
    row = {d["_id"]: i for i, d in enumerate(documents)}
    judged: dict[str, dict[int, int]] = {}
    for line in (folder / qrels).read_text().splitlines()[1:]:
        question, document, grade = line.split("\t")
        if int(grade) > 0 and document in row:
            judged.setdefault(question, {})[row[document]] = int(grade)
    questions = [q for q in json_lines(folder / "queries.jsonl") if q["_id"] in judged]
    return RetrievalSet(
        name,
        [d["_id"] for d in documents],
        [d["title"] for d in documents],
        [d["text"] for d in documents],
        [d.get("label", "") for d in documents],
        [q["text"] for q in questions],
        [judged[q["_id"]] for q in questions],
        np.arange(len(documents)),
    )


def newsgroups20(data: Path) -> RetrievalSet:
    """Ranked among 4,000 posts: the answers of the first questions that fit into half of it, and others."""
    whole = beir("newsgroups20", data / "newsgroups20", "qrels.tsv")
    return pooled(whole)


def title_questions(name: str, ids: list[str], titles: list[str], texts: list[str], labels: list[str]) -> RetrievalSet:
    """1,000 titles that occur once become the questions; blanked on their documents, which are ranked among 4,000."""
    generator = np.random.default_rng(0)
    count = Counter(t.lower() for t in titles)
    unique = [i for i, t in enumerate(titles) if t and count[t.lower()] == 1 and len(texts[i].split()) >= 10]
    asked = generator.choice(unique, HELD_OUT, replace=False)
    queries = [titles[i] for i in asked]
    blanked = list(titles)
    for i in asked:
        blanked[i] = ""
    whole = RetrievalSet(name, ids, blanked, texts, labels, queries, [{int(i): 1} for i in asked], np.arange(len(ids)))
    return pooled(whole)


def pooled(whole: RetrievalSet) -> RetrievalSet:
    if len(whole.ids) <= POOL:
        return whole
    generator = np.random.default_rng(1)
    answers: set[int] = set()
    kept = 0
    for relevant in whole.relevant:
        if len(answers | set(relevant)) > POOL:
            break
        answers |= set(relevant)
        kept += 1
    others = np.array([i for i in generator.permutation(len(whole.ids)) if i not in answers])
    pool = np.sort(np.concatenate([np.array(sorted(answers)), others[: max(0, POOL - len(answers))]])).astype(np.int64)
    return RetrievalSet(
        whole.name,
        whole.ids,
        whole.titles,
        whole.texts,
        whole.labels,
        whole.queries[:kept],
        whole.relevant[:kept],
        pool,
    )


def reuters(data: Path) -> RetrievalSet:
    documents = list(json_lines(data / "reuters21578" / "reuters.jsonl.gz"))
    return title_questions(
        "reuters",
        [d["id"] for d in documents],
        [d["title"] for d in documents],
        [d["text"] for d in documents],
        [d["topics"][0] if len(d["topics"]) == 1 else "" for d in documents],
    )


def stdlib(data: Path) -> RetrievalSet:
    import tolman

    documents = list(tolman.read_corpus("python:stdlib"))
    return title_questions(
        "stdlib",
        [d.id for d in documents],
        [d.title for d in documents],
        [d.text for d in documents],
        [""] * len(documents),
    )


SETS: dict[str, Callable[[Path], RetrievalSet]] = {
    "scifact": lambda data: beir("scifact", data / "scifact", "qrels_cited_train.tsv"),
    "cranfield": lambda data: beir("cranfield", data / "cranfield", "qrels.tsv"),
    "cisi": lambda data: beir("cisi", data / "cisi", "qrels.tsv"),
    "newsgroups20": newsgroups20,
    "reuters": reuters,
    "stdlib": stdlib,
}
