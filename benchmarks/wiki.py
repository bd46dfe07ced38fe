"""Wikipedia text as documents and as short spans, for benchmarks of size and speed."""

import gzip
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from tolman.corpus.document import Document

_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?])\s+")


def articles(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Title and sentences of every article under DATA/wiki_en."""
    for part in sorted((data / "wiki_en").glob("*.jsonl.gz")):
        with gzip.open(part, "rt", encoding="utf-8") as lines:
            for line in lines:
                article = json.loads(line)
                yield article["title"], _BETWEEN_SENTENCES.split(article["text"])


def paragraphs(data: Path, count: int) -> Iterator[Document]:
    """`count` documents of four sentences each, two of them shared with the document before, with a year and a part."""
    made = 0
    for title, sentences in articles(data):
        for start in range(0, len(sentences), 2):
            text = " ".join(sentences[start : start + 4])[:2_000]
            if len(text) > 60:
                yield Document(f"w{made}", text, title, metadata={"year": 2000 + made % 25, "place": start})
                made += 1
                if made == count:
                    return
    raise SystemExit(f"only {made:,} paragraphs in {data}/wiki_en")


def sentence_spans(data: Path, count: int) -> list[str]:
    """`count` runs of one to three sentences, at most 600 characters, in random order."""
    spans: list[str] = []
    for _, sentences in articles(data):
        for start in range(len(sentences)):
            found = (" ".join(sentences[start : start + length])[:600] for length in (1, 2, 3))
            spans += [span for span in found if len(span) > 60]
    if len(spans) < count:
        raise SystemExit(f"only {len(spans):,} spans in {data}/wiki_en")
    random.Random(0).shuffle(spans)
    return spans[:count]
