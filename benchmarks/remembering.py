"""MiniLM with a memory on disk, so that several benchmarks and seeds encode a text once.

python benchmarks/remembering.py --data DATA     fills it for the sets and judges of quality.py and judge.py
"""

import argparse
import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sets import SETS

from tolman.judge import set_exam
from tolman.making import POOL
from tolman.models import load_encoder
from tolman.models.encoder import Floats, Role
from tolman.models.pretrained import cache_folder, resolve_base

AT_ONCE = 256


class RememberingMiniLM:
    """An `Encoder` that looks a vector up before it makes it. Roles don't matter to MiniLM."""

    family = "transformer"

    def __init__(self) -> None:
        self.encoder = load_encoder(resolve_base("minilm"))
        self.dim, self.fingerprint = self.encoder.dim, self.encoder.fingerprint
        self.passage_tokens = self.encoder.passage_tokens
        self.database = sqlite3.connect(cache_folder() / "benchmark-minilm.sqlite", timeout=60)
        self.database.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB)")

    def encode(self, texts: Sequence[str], role: Role = "document") -> Floats:
        keys = [hashlib.sha256((self.fingerprint + text).encode()).digest() for text in texts]
        missing = [i for i, key in enumerate(keys) if self._find(key) is None]
        for first in range(0, len(missing), AT_ONCE):
            rows = missing[first : first + AT_ONCE]
            vectors_ND = self.encoder.encode([texts[i] for i in rows], role)
            stored = [(keys[i], vector.tobytes()) for i, vector in zip(rows, vectors_ND, strict=True)]
            with self.database:
                self.database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", stored)
        return np.stack([np.frombuffer(self._find(key) or b"", np.float32) for key in keys])

    def _find(self, key: bytes) -> bytes | None:
        row = self.database.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    options = parser.parse_args()
    minilm = RememberingMiniLM()
    for name in options.sets.split(","):
        s = SETS[name](options.data)
        exam = set_exam(s.titles, s.texts, seed=0)
        pool = exam.pool(POOL, 0)
        contents = [f"{s.titles[i]}\n{s.texts[i]}" if s.titles[i] else s.texts[i] for i in s.pool]
        for texts in (s.queries, pool.questions, pool.contents, contents):
            minilm.encode(texts)
        print(name, flush=True)


if __name__ == "__main__":
    main()
