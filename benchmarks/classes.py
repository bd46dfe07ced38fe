"""Collections whose documents carry a class, for topics, maps and classification.

`newsgroups20` and `reuters` have titles; of reuters only documents with one topic. `banking77` is train and test
together: topics are found without labels, so nothing is held out.
"""

import argparse
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sets import json_lines

from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.errors import SpaceError
from tolman.learning import learn
from tolman.space.space import open_space

BASES = ("scratch", "minilm", "scratch+minilm")


@dataclass(frozen=True)
class LabelledSet:
    name: str
    titles: list[str]
    texts: list[str]
    labels: list[str]

    def corpus(self) -> Corpus:
        return Corpus.from_documents(
            Document(f"d{i}", text, title, label)
            for i, (title, text, label) in enumerate(zip(self.titles, self.texts, self.labels, strict=True))
        )


def _columns(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [line.rstrip("\n").split("\t") for line in lines][1:]


def _of_columns(name: str, *paths: Path) -> LabelledSet:
    rows = [row for path in paths for row in _columns(path)]
    return LabelledSet(name, [""] * len(rows), [row[1] for row in rows], [row[0] for row in rows])


def banking77(data: Path) -> LabelledSet:
    return _of_columns("banking77", data / "banking77/train.tsv.gz", data / "banking77/test.tsv.gz")


def search_snippets(data: Path) -> LabelledSet:
    return _of_columns("SearchSnippets", data / "short_text_clustering/SearchSnippets.tsv.gz")


def biomedical(data: Path) -> LabelledSet:
    return _of_columns("Biomedical", data / "short_text_clustering/Biomedical.tsv.gz")


def newsgroups20(data: Path) -> LabelledSet:
    rows = list(json_lines(data / "newsgroups20/corpus.jsonl.gz"))
    return LabelledSet("newsgroups20", *([row[key] for row in rows] for key in ("title", "text", "label")))


def reuters(data: Path) -> LabelledSet:
    rows = [row for row in json_lines(data / "reuters21578/reuters.jsonl.gz") if len(row["topics"]) == 1]
    return LabelledSet(
        "reuters", [row["title"] for row in rows], [row["text"] for row in rows], [row["topics"][0] for row in rows]
    )


CLASSES: dict[str, Callable[[Path], LabelledSet]] = {
    "banking77": banking77,
    "newsgroups20": newsgroups20,
    "reuters": reuters,
    "SearchSnippets": search_snippets,
    "Biomedical": biomedical,
}


@dataclass(frozen=True)
class LabelledSpace:
    """Vectors of one space with what belongs to them, in the space's order."""

    name: str
    base: str
    vectors: np.ndarray
    contents: list[str]
    labels: np.ndarray


def labelled_space(s: LabelledSet, base: str, cache: Path) -> LabelledSpace:
    """The space of a set, learned for 60 s (minilm: taken as it is), or opened if it lies in `cache`."""
    path = cache / f"{s.name}-{base}.space"
    try:
        space = open_space(path)
    except SpaceError:
        objectives = "none" if base == "minilm" else None
        space = learn(s.corpus(), path, base=base, objectives=objectives, budget=60)
    rows = space.table(["label", "fulltext"])
    labels = np.array(rows["label"].to_pylist())
    return LabelledSpace(s.name, base, np.array(space.vectors()), rows["fulltext"].to_pylist(), labels)


def parser_for_spaces(description: str | None) -> argparse.ArgumentParser:
    """--data, --cache, --sets, --bases and --name: what benchmarks over labelled spaces have in common."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="where spaces are, or are put")
    parser.add_argument("--sets", default=",".join(CLASSES))
    parser.add_argument("--bases", default=",".join(BASES))
    parser.add_argument("--name", default="", help="added to the name of the result file")
    return parser


def labelled_spaces(options: argparse.Namespace) -> Iterator[LabelledSpace]:
    """Every set with every base that was asked for."""
    for name in options.sets.split(","):
        labelled = CLASSES[name](options.data)
        for base in options.bases.split(","):
            yield labelled_space(labelled, base, options.cache)
