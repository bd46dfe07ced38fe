"""How fast texts become vectors: our encoders beside sentence-transformers' default, on the same texts, one thread.

    python benchmarks/encoding.py --data DATA

DATA holds newsgroups20/corpus.jsonl.gz, one {"title", "text"} a line. MiniLM is pulled if it isn't in the cache.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
from report import Cell, write_result
from sets import json_lines

Encode = Callable[[list[str]], np.ndarray]

BASELINE = "sentence-transformers, MiniLM, default"
STATIC_REPEATS = 20  # a static encoder is done with so few texts before the clock has ticked


def read_texts(data: Path, count: int, seed: int) -> tuple[list[str], list[str]]:
    """`count` posts drawn at random, and the first 5,000 to train a vocabulary on."""
    posts = [f"{d['title']}\n{d['text']}" for d in json_lines(data / "newsgroups20" / "corpus.jsonl.gz")]
    drawn = np.random.default_rng(seed).permutation(len(posts))[:count]
    return [posts[i] for i in drawn], list(islice(posts, 5000))


def static_encoder(texts: list[str]) -> Encode:
    """The vocabulary that a corpus of this size gets, 512 dimensions; what the table holds makes no difference here."""
    from tolman.models.static import StaticEncoder, TermSaturation
    from tolman.tokenization import train_tokenizer, vocabulary_size

    tokenizer = train_tokenizer(texts, vocabulary=vocabulary_size(len(texts)))
    table_VD = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 512))
    return StaticEncoder(tokenizer, table_VD, TermSaturation(average_length=200.0)).encode


def candidates(model: Path, vocabulary: list[str]) -> dict[str, Encode]:
    from sentence_transformers import SentenceTransformer

    from tolman.models.transformer import TransformerEncoder, multiplies_bfloat16

    encoders: dict[str, Encode] = {
        BASELINE: SentenceTransformer(str(model), device="cpu").encode,
        "tolman, MiniLM, float32": TransformerEncoder.load(model, device="cpu", precision="float32").encode,
        "tolman, static": static_encoder(vocabulary),
    }
    if multiplies_bfloat16():
        fast = TransformerEncoder.load(model, device="cpu", precision="bfloat16")
        encoders["tolman, MiniLM, bfloat16"] = fast.encode
    return encoders


def seconds(encode: Encode, texts: list[str]) -> float:
    """CPU seconds, which neighbours on a shared machine disturb less than the wall clock."""
    start = time.process_time()
    encode(texts)
    return time.process_time() - start


def measure(encoders: dict[str, Encode], texts: list[str], rounds: int) -> dict[str, list[float]]:
    """Seconds of each encoder in each round. They take turns, so that a slow minute hits all of them."""
    taken: dict[str, list[float]] = {name: [] for name in encoders}
    for encode in encoders.values():
        encode(texts[:8])
    for _ in range(rounds):
        for name, encode in encoders.items():
            repeats = STATIC_REPEATS if "static" in name else 1
            taken[name].append(seconds(encode, texts * repeats) / repeats)
    return taken


def row(name: str, taken: dict[str, list[float]], texts: int, distance: float | None) -> dict[str, Cell]:
    ratios = [base / own for base, own in zip(taken[BASELINE], taken[name], strict=True)]
    median = statistics.median(taken[name])
    return {
        "encoder": name,
        "median s": median,
        "texts/s": texts / median,
        "x default": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "most 1 - cosine": distance,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    import torch

    from tolman.models.pretrained import pull_model
    from tolman.models.transformer import TransformerEncoder

    torch.set_num_threads(1)
    texts, vocabulary = read_texts(options.data, options.texts, seed=0)
    model = pull_model("minilm")
    encoders = candidates(model, vocabulary)
    taken = measure(encoders, texts, options.rounds)
    expected = encoders[BASELINE](texts)

    def distance(vectors_ND: np.ndarray) -> float:
        return float(1 - (expected * vectors_ND).sum(axis=1).min())

    same = {name: distance(encode(texts)) for name, encode in encoders.items() if "MiniLM" in name}
    rows = [row(name, taken, len(texts), same.get(name)) for name in encoders]
    if not any("bfloat16" in name for name in encoders):
        forced = TransformerEncoder.load(model, device="cpu", precision="bfloat16")
        name = "tolman, MiniLM, bfloat16: no instructions for it on this machine, not timed"
        rows.append({"encoder": name, "most 1 - cosine": distance(forced.encode(texts))})
    write_result(
        "encoding",
        rows,
        f"{len(texts)} posts of newsgroups20 at random, {options.rounds} rounds in turns, one thread, CPU seconds."
        " x default: the default's time over the encoder's, within one round; median, lowest, highest."
        " most 1 - cosine: of any text, between the default's vector and the encoder's."
        " MiniLM sees the first 256 tokens of a post in every row, a static encoder all of it.",
    )


if __name__ == "__main__":
    main()
