"""A static student of MiniLM beside its teacher: nDCG@10 on questions of people (where a set has none: on titles), and
how fast each encodes.

    python benchmarks/distil.py --data DATA [--sets scifact,cranfield,...] [--budget 60] [--seeds 1]

The student is made by `tolman.distil` from a space of MiniLM, judgments unread. The space is filled from a memory of
MiniLM's vectors; what the student's teaching needs is encoded anew, within the budget. Both rank the vectors of their
spaces, documents in full. Speed: the same texts in turns, one thread, CPU seconds, medians; MiniLM as
Tolman runs it (bf16 where there are instructions for it).
"""

import argparse
import os
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from encoding import STATIC_REPEATS, seconds
from quality import MINILM, Ground, mean_ndcg
from remembering import RememberingMiniLM
from report import Cell, write_result
from sets import SETS, RetrievalSet

from tolman.distillation import distil
from tolman.space.space import LatentSpace

MUST_KEEP, MUST_SPEED = 0.9, 100


class Teacher(RememberingMiniLM):
    """MiniLM with its memory, as whole as a space wants its encoder."""

    def count_tokens(self, texts):
        return self.encoder.count_tokens(texts)

    def tokens(self, text):
        return self.encoder.tokens(text)

    def save(self, folder):
        self.encoder.save(folder)


def dense(space: LatentSpace, s: RetrievalSet) -> float:
    row = {name: place for place, name in enumerate(space.table(["id"])["id"].to_pylist())}
    merged = space.table(["id", "duplicate_ids"]).to_pylist()
    row |= {name: row[each["id"]] for each in merged for name in each["duplicate_ids"] or ()}
    places = [row.get(s.ids[i], -1) for i in s.pool]  # a document without text is in no space
    vectors_ND = np.concatenate([space.vectors(), np.zeros((1, space.dim), np.float32)])[places]
    return mean_ndcg(space.encoder.encode(s.queries, "query") @ vectors_ND.T, s)


def speeds(teacher: LatentSpace, student: LatentSpace, texts: list[str], rounds: int) -> tuple[float, float]:
    """Texts a second of both, in turns."""
    taken: dict[str, list[float]] = {"teacher": [], "student": []}
    for _ in range(rounds):
        taken["teacher"].append(seconds(teacher.encoder.encode, texts))
        taken["student"].append(seconds(student.encoder.encode, texts * STATIC_REPEATS) / STATIC_REPEATS)
    return tuple(len(texts) / statistics.median(each) for each in taken.values())  # type: ignore[return-value]


def measure(s: RetrievalSet, seed: int, budget: float, rounds: int) -> dict[str, Cell]:
    ground = Ground(s)
    with TemporaryDirectory() as folder:
        LatentSpace.create(Path(folder) / "t.space", ground.corpus, Teacher())
        teacher = LatentSpace.open(Path(folder) / "t.space")
        began = time.monotonic()
        student = distil(teacher, budget=budget, seed=seed)
        took = time.monotonic() - began
        lost = student.description.recipe["distillation"]
        reached = dense(teacher, s), dense(student, s)
        texts = [ground.contents[i] for i in range(0, len(ground.contents), max(1, len(ground.contents) // 128))][:128]
        slow, fast = speeds(teacher, student, texts, rounds)
    return {
        "set": s.name,
        "seed": seed,
        "teacher": reached[0],
        "student": reached[1],
        "kept": reached[1] / reached[0],
        "kept, by the judge": lost["kept"],
        "Spearman": lost["spearman"],
        "shared nearest": lost["shared_nearest"],
        "teacher texts/s": slow,
        "student texts/s": fast,
        "x faster": fast / slow,
        "questions read": student.description.recipe["questions_read"],
        "seconds": took,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default="scifact,cranfield,cisi,reuters,newsgroups20")
    parser.add_argument("--budget", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    import torch

    torch.set_num_threads(1)
    MINILM.encode(["warm"])
    rows = []
    for name in options.sets.split(","):
        s = SETS[name](options.data)
        for seed in range(options.seeds):
            rows.append(measure(s, seed, options.budget, options.rounds))
            print({k: round(v, 4) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
            write_result("distil", rows, f"{__doc__}\nMust: kept >= {MUST_KEEP}, x faster >= {MUST_SPEED}.")


if __name__ == "__main__":
    main()
