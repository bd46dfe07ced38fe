"""A space of many short documents, its map and topics made up: for what only their number matters.

Texts are sentences of the documentation of Python's standard library, two to four a document; the encoder is learned
from that. Places are heaps within heaps within heaps, and these are the topics.

Legend for shapes:
    N  documents
"""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import tolman
from tolman.corpus.passages import sentences
from tolman.digests import digests_of
from tolman.projection.files import MapRecord, MapRows, write_map
from tolman.space.space import LatentSpace
from tolman.topics.levels import Level
from tolman.topics.membership import Placing
from tolman.topics.record import Record, write, writing
from tolman.topics.tree import Topic, Tree

BROAD, SHOWN, FINE = 8, 6, 5  # topics; of each; of each of these
_NEIGHBOURS = 15


def make_space(path: Path, documents: int) -> LatentSpace:
    """Make it, or open it if it is there."""
    if path.exists():
        return tolman.open_space(path)
    learned = tolman.learn(tolman.read_corpus("python:stdlib"), path.with_name("learned.space"), budget="20s")
    texts = [text for text in learned.table(["text"])["text"].to_pylist() if text]
    corpus = tolman.read_corpus([{"id": f"d{n}", "text": t} for n, t in enumerate(_texts(texts, documents))])
    space = LatentSpace.create(path, corpus, learned.encoder, description=learned.description)
    fine_N = np.random.default_rng(0).integers(0, BROAD * SHOWN * FINE, len(space))
    _write_map(space, fine_N)
    _write_topics(space, fine_N)
    return space


def _texts(texts: list[str], count: int) -> Iterator[str]:
    chance = random.Random(0)
    pool = [text[start:end] for text in texts for start, end in sentences(text) if 30 < end - start < 200]
    for _ in range(count):
        yield " ".join(chance.choice(pool) for _ in range(chance.randint(2, 4)))


def _write_map(space: LatentSpace, fine_N: np.ndarray) -> None:
    chance = np.random.default_rng(1)
    broad = chance.normal(0, 12, (BROAD, 2))
    shown = np.repeat(broad, SHOWN, 0) + chance.normal(0, 4, (BROAD * SHOWN, 2))
    fine = np.repeat(shown, FINE, 0) + chance.normal(0, 1.5, (BROAD * SHOWN * FINE, 2))
    count = len(space)
    rows = MapRows(
        ids=tuple(space.table(["id"])["id"].to_pylist()),
        digests_N=digests_of(space.vectors()),
        places_N2=(fine[fine_N] + chance.normal(0, 0.7, (count, 2))).astype(np.float32),
        neighbours_NK=np.zeros((count, _NEIGHBOURS), np.int64),
        trust_N=chance.random(count).astype(np.float32),
        placed_N=np.zeros(count, bool),
    )
    record = MapRecord(
        space.description.encoder.fingerprint, 0, space.version, space.store.content_key, None, cpu_seconds=0.0
    )
    write_map(space.path, record, rows)


def _write_topics(space: LatentSpace, fine_N: np.ndarray) -> None:
    shown, broad = BROAD * SHOWN, BROAD  # numbers: fine ones first, then shown ones, then broad ones
    fine = shown * FINE
    topics = {n: _topic(n, fine + n // FINE, "fine") for n in range(fine)}
    topics |= {fine + n: _topic(fine + n, fine + shown + n // SHOWN, "shown") for n in range(shown)}
    topics |= {fine + shown + n: _topic(fine + shown + n, None, "broad") for n in range(broad)}
    inside_N, count = np.ones(len(space), bool), len(space)
    record = Record(
        encoder=space.description.encoder.fingerprint,
        ids=space.table(["id"])["id"].combine_chunks(),
        tree=Tree(topics, fine + fine_N // FINE, fine_N, fine + shown + broad).sized(inside_N),
        probability_N=np.full(count, 0.9, np.float32),
        margin_N=np.full(count, 0.8, np.float32),
        outside_N=~inside_N,
        newcomers_N=~inside_N,
        digests_N=digests_of(space.vectors()),
        content_key=space.store.content_key,
        placing=Placing(np.zeros(space.dim, np.float32), 1.0, 1.0, 1.0, _NEIGHBOURS),
        level=Level(1.0),
    )
    with writing(space.path):
        write(space.path, record)


def _topic(number: int, parent: int | None, depth: str) -> Topic:
    name = f"{depth} topic {number}, made up"
    return Topic(number, parent, depth, name, words=("made", "up"))  # type: ignore[arg-type]
