"""Senses found without labels against senses that people marked: interest, line, hard, serve of Senseval.

    OMP_NUM_THREADS=1 python benchmarks/senses.py --data DATA [--bases minilm,scratch,scratch+minilm] [--budget 60s]

One space of the contexts of all four words, one document a context. Each word's senses are found from all its
occurrences there; measured are those that people marked. Accuracy is by the best one-to-one map of found to marked
senses (Hungarian); the most frequent sense (MFS) is what one gets by finding nothing.

Search: for each marked sense with at least ten contexts the queries WORD, WORD~NUMBER (of the found sense that the map
gives it; WORD alone where it gives none), WORD HINT and WORD~HINT. Hints are words of the senses' definitions. A hit is
right if it is a context that was marked with the sense.
"""

import argparse
import gzip
import html
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from report import Cell, write_result
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, roc_auc_score, v_measure_score

import tolman
from tolman.senses.word_senses import WordSenses
from tolman.space.space import LatentSpace

WORDS = ("interest", "line", "serve", "hard")
HINTS = {
    "interest_1": "attention", "interest_2": "curiosity", "interest_3": "hobby", "interest_4": "advantage",
    "interest_5": "stake", "interest_6": "rates",
    "product": "product", "phone": "phone", "text": "poem", "division": "boundary", "cord": "fishing",
    "formation": "queue",
    "SERVE10": "food", "SERVE12": "office", "SERVE2": "purpose", "SERVE6": "customers",
    "HARD1": "difficult", "HARD2": "stern", "HARD3": "surface",
}  # fmt: skip
_INSTANCE = re.compile(r'<instance id="[^"]*">(.*?)</instance>', re.S)
_TOKEN = re.compile(r"<head>\s*<wf[^>]*>(.*?)</wf>\s*</head>|<wf pos=(?:\"[^\"]*\"|'[^']*')>(.*?)</wf>", re.S)
_FEWEST = 10  # contexts of a sense that is searched for


@dataclass(frozen=True)
class Marked:
    """One context: the marked word stands at `span`."""

    id: str
    text: str
    span: tuple[int, int]
    sense: str


def marked_contexts(folder: Path, word: str) -> list[Marked]:
    """Every context of `word`, its tokens joined by spaces."""
    with gzip.open(folder / f"{word}.pos.gz", "rt", encoding="utf-8", errors="replace") as file:
        instances = _INSTANCE.findall(file.read())
    contexts: list[Marked] = []
    for number, instance in enumerate(instances):
        text, span = "", (0, 0)
        for head, other in _TOKEN.findall(instance):
            token = html.unescape(head or other).strip()
            text += " " if text else ""
            if head:
                span = (len(text), len(text) + len(token))
            text += token
        sense = re.search(r'senseid="([^"]*)"', instance)
        assert sense is not None
        contexts.append(Marked(f"{word}-{number}", text, span, sense[1]))
    return contexts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bases", default="minilm,scratch,scratch+minilm")
    parser.add_argument("--budget", default="60s", help="to learn a scratch encoder, alone or beside MiniLM")
    parser.add_argument("--name", default="senses", help="of the result")
    options = parser.parse_args()
    contexts = {word: marked_contexts(options.data / "senseval", word) for word in WORDS}
    rows: list[dict[str, Cell]] = []
    for base in options.bases.split(","):
        with tempfile.TemporaryDirectory() as folder:
            space = learned(Path(folder), base, options.budget, contexts)
            measured = [measure(space, base, word, contexts[word]) for word in WORDS]
        rows += [*measured, mean(base, measured)]
    notes = (
        f"One space of all four words' contexts a base; scratch learned for {options.budget}; MiniLM as it is. found: "
        "share of the marked occurrences that the space found. 'sure': AUROC of an occurrence's confidence as a sign "
        "that it is right. P@10: mean over marked senses with ten contexts or more, dense search."
    )
    write_result(options.name, rows, notes)


def learned(folder: Path, base: str, budget: str, contexts: dict[str, list[Marked]]) -> LatentSpace:
    documents = [{"id": c.id, "text": c.text} for word in WORDS for c in contexts[word]]
    objectives = {"objectives": "none"} if base == "minilm" else {"budget": budget}
    return tolman.learn(documents, folder / "senses.space", base=base, **objectives)  # type: ignore[arg-type]


def measure(space: LatentSpace, base: str, word: str, contexts: list[Marked]) -> dict[str, Cell]:
    """One line of the table."""
    began = time.process_time()
    found = space.senses(word)
    took = time.process_time() - began
    placed = {(o.id, o.start): o for o in found.occurrences}
    duplicates = {
        name: row["id"]
        for row in space.table(["id", "duplicate_ids"]).to_pylist()
        for name in row["duplicate_ids"] or ()
    }
    pairs = [(c, placed.get((duplicates.get(c.id, c.id), c.span[0]))) for c in contexts]
    known = [(c.sense, o.sense, o.confidence) for c, o in pairs if o is not None]
    truth, induced = np.array([t for t, _, _ in known]), np.array([s for _, s, _ in known])
    names, frequency = np.unique([c.sense for c in contexts], return_counts=True)
    agreement = np.array([[((truth == name) & (induced == s.number)).sum() for s in found.senses] for name in names])
    marked, mapped = linear_sum_assignment(-agreement)
    right = agreement[marked, mapped].sum() / len(contexts)  # an occurrence that wasn't found is wrong
    number_of = {names[m]: int(s) + 1 for m, s in zip(marked, mapped, strict=True)}
    correct = np.array([number_of.get(t) == s for t, s, _ in known])
    most = frequency.max() / len(contexts)
    return {
        "base": base,
        "word": word,
        "marked senses": len(names),
        "found senses": len(found),
        "found": len(known) / len(contexts),
        "MFS": float(most),
        "accuracy": float(right),
        "gain": float(right - most),
        "V": float(v_measure_score(truth, induced)),
        "ARI": float(adjusted_rand_score(truth, induced)),
        "sure": float(roc_auc_score(correct, [c for _, _, c in known])) if 0 < correct.mean() < 1 else None,
        **precision(space, found, word, contexts, number_of),
        "CPU s": took,
    }


def precision(
    space: LatentSpace, found: WordSenses, word: str, contexts: list[Marked], number_of: dict[str, int]
) -> dict[str, Cell]:
    """P@10 of plain queries, and of those with a sense chosen by its number and by a hint."""
    truth = {c.id: c.sense for c in contexts}
    senses = [s for s in dict.fromkeys(truth.values()) if list(truth.values()).count(s) >= _FEWEST]

    def of(query: str, sense: str) -> float:
        hits = space.search(query, 10, mode="dense", snippets=False)
        return sum(truth.get(hit.id) == sense for hit in hits) / 10

    plain = [of(word, s) for s in senses]
    numbered = [of(f"{word}~{number_of[s]}" if s in number_of else word, s) for s in senses]
    return {
        "P@10 word": float(np.mean(plain)),
        "P@10 word~number": float(np.mean(numbered)),
        "P@10 word hint": float(np.mean([of(f"{word} {HINTS[s]}", s) for s in senses])),
        "P@10 word~hint": float(np.mean([of(f"{word}~{HINTS[s]}", s) for s in senses])),
    }


def mean(base: str, measured: list[dict[str, Cell]]) -> dict[str, Cell]:
    """Over the words."""
    columns = [c for c in measured[0] if c not in ("base", "word", "sure")]
    return {"base": base, "word": "mean", **{c: float(np.mean([row[c] for row in measured])) for c in columns}}  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
