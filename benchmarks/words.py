"""Words of a space against people's judgments: similarity (WordSim-353), analogies (Google's, and some of our own).

    OMP_NUM_THREADS=1 python benchmarks/words.py --data DATA [--bases minilm,scratch,scratch+minilm] [--budget 120s]

Spaces of paragraphs of Wikipedia (DATA/wiki_en_small). Spearman's rank correlation over the pairs whose words are both
in the vocabulary of the space, which is the same for all bases; with cosines as they are, less the words' common
direction (what `Words` uses), and less the first components, too (Mu and Viswanath 2018). Analogies whose four words
are all in the vocabulary, at most 100 a kind; right if the first answer is. 3CosMul is Levy and Goldberg's (2014).
"""

import argparse
import gzip
import json
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from report import Cell, write_result

import tolman
from tolman.metrics import spearman
from tolman.models.encoder import Floats, unit
from tolman.words import Words

DOCUMENTS, MOST_OF_A_KIND, COMPONENTS = 12_000, 100, 3
OWN = (
    "king queen man woman", "father mother son daughter", "brother sister uncle aunt", "he she his her",
    "france french germany german", "italy italian spain spanish", "paris france rome italy",
    "london england berlin germany",
    "one first three third", "big larger small smaller", "good better bad worse", "go went see saw",
    "book books city cities", "child children man men", "write written take taken", "day night summer winter",
    "doctor medicine lawyer law", "sun solar moon lunar", "army general navy admiral", "north south east west",
)  # fmt: skip
"""A is to B as C is to D."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bases", default="minilm,scratch,scratch+minilm")
    parser.add_argument("--budget", default="120s", help="to learn a scratch encoder, alone or beside MiniLM")
    options = parser.parse_args()
    documents = paragraphs(options.data)
    rows: list[dict[str, Cell]] = []
    for base in options.bases.split(","):
        objectives = {"objectives": "none"} if base == "minilm" else {"budget": options.budget}
        with tempfile.TemporaryDirectory() as folder:
            space = tolman.learn(documents, Path(folder) / "words.space", base=base, **objectives)  # type: ignore[arg-type]
            rows.append({"base": base, **measure(space.words(), options.data / "word_similarity")})
    notes = (
        f"{len(documents):,} paragraphs of Wikipedia; scratch learned for {options.budget}. Similarity: Spearman x 100 "
        "over known pairs of WordSim-353. Analogies: share whose first answer is right."
    )
    write_result("words", rows, notes)


def paragraphs(data: Path) -> list[dict[str, str]]:
    """The first paragraphs of enough words, evenly from all articles."""
    found: list[list[dict[str, str]]] = []
    for file in sorted((data / "wiki_en_small").glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                article = json.loads(line)
                long = [part for part in article["text"].split("\n") if len(part) > 200]
                found.append([{"id": f"{article['id']}-{i}", "text": part[:1500]} for i, part in enumerate(long)])
    by_place = [part for place in range(max(map(len, found))) for parts in found for part in parts[place : place + 1]]
    return by_place[:DOCUMENTS]


def measure(words: Words, folder: Path) -> dict[str, Cell]:
    """One line of the table."""
    place = {term.text: i for i, term in enumerate(words.terms)}
    lines = (folder / "wordsim353.tsv").read_text(encoding="utf-8").splitlines()
    pairs = [line.lower().split("\t") for line in lines if line and not line.startswith("#")]
    known = [(place[a], place[b], float(score)) for a, b, score in pairs if a in place and b in place]
    judged = [score for *_, score in known]
    centred_VD = unit(words.vectors_VD - words.vectors_VD.mean(axis=0))
    similar = {
        "as they are": words.vectors_VD,
        "centred": centred_VD,
        f"less {COMPONENTS} components": without_components(words.vectors_VD, COMPONENTS),
    }
    spearmans = {
        f"similarity, {name}": 100 * spearman([float(vectors[a] @ vectors[b]) for a, b, _ in known], judged)
        for name, vectors in similar.items()
    }
    return {
        "words": sum(" " not in t.text for t in words.terms),
        "phrases": sum(" " in t.text for t in words.terms),
        "pairs": len(known),
        **spearmans,
        **analogies(google(folder, place), place, centred_VD, "Google"),
        **analogies([line.split() for line in OWN if set(line.split()) <= place.keys()], place, centred_VD, "own"),
    }


def without_components(vectors_VD: Floats, number: int) -> Floats:
    """Centred, and without the first components."""
    centred_VD = vectors_VD - vectors_VD.mean(axis=0)
    _, _, axes = np.linalg.svd(centred_VD, full_matrices=False)
    return unit(centred_VD - centred_VD @ axes[:number].T @ axes[:number])


def google(folder: Path, place: dict[str, int]) -> list[list[str]]:
    """Known analogies, the first of every kind."""
    kinds: dict[str, list[list[str]]] = defaultdict(list)
    kind = ""
    with gzip.open(folder / "questions-words.txt.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(":"):
                kind = line.strip()
            elif set(line.lower().split()) <= place.keys():
                kinds[kind].append(line.lower().split())
    return [asked for each in kinds.values() for asked in each[:MOST_OF_A_KIND]]


def analogies(asked: list[list[str]], place: dict[str, int], vectors_VD: Floats, name: str) -> dict[str, Cell]:
    """Share right by 3CosAdd and by 3CosMul, among words."""
    single = np.array([" " not in term for term in place])
    added = multiplied = 0
    for a, b, c, d in ([place[word] for word in each] for each in asked):
        cosines_V3 = vectors_VD @ vectors_VD[[a, b, c]].T
        barred = ~single
        barred[[a, b, c]] = True
        added += int(np.where(barred, -np.inf, cosines_V3 @ np.array([-1, 1, 1])).argmax() == d)
        from_V, to_V, at_V = ((cosines_V3 + 1) / 2).T
        multiplied += int(np.where(barred, -np.inf, to_V * at_V / (from_V + 1e-3)).argmax() == d)
    count = max(len(asked), 1)
    return {f"{name} analogies": len(asked), f"{name}, 3CosAdd": added / count, f"{name}, 3CosMul": multiplied / count}


if __name__ == "__main__":
    main()
