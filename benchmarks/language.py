"""Language models from scratch, each objective by itself, against a 5-gram: perplexity, BLiMP, reconstruction.

    python benchmarks/language.py --data DATA [--minutes 30] [--objectives causal masked autoencoding]

Learns from DATA/wiki_en_small without every 50th document, which is held out, and measures on that. The 5-gram is an
interpolated modified Kneser-Ney model (benchmarks/kneser_ney.py) of the same documents in the same tokens. Minimal
pairs are all of DATA/blimp (Warstadt et al. 2020). Minutes are of CPU time, counted of the whole process; the budget
that `learn` is given is so many minutes divided by the threads. `--objectives` without a name measures the 5-gram
alone.
"""

import argparse
import gzip
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from kneser_ney import KneserNey
from report import Cell, write_result
from tokenizers import Tokenizer

from tolman.cli.watching import progress_on_stderr
from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.corpus.reading import read_corpus
from tolman.cost import cpu_seconds
from tolman.language_evaluation import MASKED_TOKENS, evaluate_pairs, evaluate_text, read_pairs
from tolman.learning import learn_model
from tolman.progress import Progress
from tolman.recipe import Size, TransformerRecipe
from tolman.reconstruction import evaluate_reconstruction
from tolman.tokenization import BEGIN, END, MASK, PAD, tokenize_text, train_text_tokenizer

HELD_OUT = 50  # every so many documents
ORDER = 5
SHORT = "1-4", "5-8", "9-12", "13-16"  # tokens of sentences that are to come back
NOTES = (
    "wiki_en_small, every {every}th document held out ({documents} documents, {size:,} bytes); titles, texts and each "
    "document's end count. Perplexity per token of one tokenizer for all rows, trained on what was learned from "
    "({vocabulary:,} tokens); of a masked model it is the pseudo-perplexity (Salazar et al. 2020), each of {masked:,} "
    "tokens drawn at random hidden once. BLiMP: {pairs:,} pairs of {paradigms} paradigms, total log-probability, of a "
    "masked model pseudo-, a tie counts as wrong. exact: share of held-out sentences that come back from the "
    "bottleneck to the letter, by tokens. The 5-gram: interpolated modified Kneser-Ney, nothing pruned. {minutes:g} "
    "CPU minutes asked for, {threads} threads."
)


@dataclass(frozen=True)
class Material:
    """What is learned from, and measured on; nothing is asked about pairs where there are none."""

    learned: Corpus
    held_out: Corpus
    pairs: list[Path]

    @classmethod
    def read(cls, data: Path) -> "Material":
        documents = list(read_corpus(data / "wiki_en_small" / "wiki_en_small.jsonl.gz"))
        held = [document for place, document in enumerate(documents) if place % HELD_OUT == 0]
        rest = [document for place, document in enumerate(documents) if place % HELD_OUT]
        return cls(_corpus(rest), _corpus(held), sorted((data / "blimp").glob("*.jsonl.gz")))


def _corpus(documents: Sequence[Document]) -> Corpus:
    return Corpus.from_documents(documents)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--objectives", nargs="*", default=["causal", "masked", "autoencoding"])
    parser.add_argument("--size", choices=["tiny", "small", "base"], default="tiny")
    parser.add_argument("--most-pairs", type=int, help="of each paradigm, the first so many  [default: all]")
    parser.add_argument(
        "--most", type=int, help="tokens of the held-out text  [default: all, of a masked model 20,000]"
    )
    parser.add_argument("--name", default="language", help="of the result file")
    options = parser.parse_args()
    material = Material.read(options.data)
    with tempfile.TemporaryDirectory() as scratch:
        material = _shortened(material, options.most_pairs, Path(scratch))
        rows, tokenizers = [], []
        for place, objectives in enumerate(options.objectives):
            folder = Path(scratch) / f"model-{place}"
            rows.append(learned_row(material, objectives, folder, options))
            tokenizers.append(Tokenizer.from_file(str(folder / "tokenizer.json")))
        tokenizer = tokenizers[0] if tokenizers else _tokenizer_of(material.learned, options.size)
        assert all(other.get_vocab() == tokenizer.get_vocab() for other in tokenizers), "perplexities of other tokens"
        rows.insert(0, kneser_ney_row(material, tokenizer))
        notes = _notes(material, tokenizer, options)
    write_result(options.name, rows, notes)


def kneser_ney_row(material: Material, tokenizer: Tokenizer) -> dict[str, Cell]:
    """The 5-gram."""
    began = cpu_seconds()
    begin, end, *unused = (tokenizer.token_to_id(token) for token in (BEGIN, END, PAD, MASK))
    model = KneserNey(
        tokenize_text(tokenizer, material.learned.contents()),
        begin=begin,
        end=end,
        vocabulary=tokenizer.get_vocab_size(),
        unused=unused,
        order=ORDER,
    )
    minutes = (cpu_seconds() - began) / 60
    texts = material.held_out.contents()
    logs = model.logs(tokenize_text(tokenizer, texts))
    size = sum(len(text.encode()) for text in texts)
    right = [model_prefers(model, tokenizer, good, bad) for good, bad in _paired(material.pairs)]
    accuracies = np.concatenate(right)
    return {
        "model": f"{ORDER}-gram, Kneser-Ney",
        "perplexity": math.exp(-float(logs.mean())),
        "bits/byte": -float(logs.sum()) / math.log(2) / size,
        "BLiMP": float(accuracies.mean()),
        "CPU minutes": minutes,
    }


def model_prefers(model: KneserNey, tokenizer: Tokenizer, good: list[str], bad: list[str]) -> np.ndarray:
    """Whether each good sentence is the more probable one."""
    totals = []
    for texts in (good, bad):
        tokens = tokenize_text(tokenizer, texts)
        offsets = tokens.offsets + np.arange(len(tokens) + 1)
        totals.append(np.array([part.sum() for part in np.split(model.logs(tokens), offsets[1:-1])]))
    preferred: np.ndarray = totals[0] > totals[1]
    return preferred


def learned_row(material: Material, objectives: str, folder: Path, options: argparse.Namespace) -> dict[str, Cell]:
    """A transformer of ours, by some objectives."""
    began, started = cpu_seconds(), time.monotonic()
    seconds = options.minutes * 60 / torch.get_num_threads()
    with progress_on_stderr() as progress:
        progress.say(f"-- {objectives}")
        learn_model(
            material.learned,
            folder,
            base="transformer",
            objectives=objectives,
            size=options.size,
            budget=seconds,
            progress=progress,
        )
        row: dict[str, Cell] = {"model": f"{objectives}, {options.size}"}
        row |= dict.fromkeys(("perplexity", "bits/byte", "BLiMP"))
        row |= {"CPU minutes": (cpu_seconds() - began) / 60, "wall minutes": (time.monotonic() - started) / 60}
        if {"causal", "masked"} & set(objectives.split(",")):
            row |= _guesses(material, folder, options.most, progress)
        if "autoencoding" in objectives:
            row |= _reconstructs(material, folder, progress)
    return row


def _guesses(material: Material, folder: Path, most: int | None, progress: Progress) -> Iterator[tuple[str, Cell]]:
    found = evaluate_text(folder, material.held_out, most=most, progress=progress)
    prefix = {"causal": "", "masked": "masked " if found.causal else ""}
    if found.causal:
        yield "perplexity", found.causal.perplexity
        yield "bits/byte", found.causal.bits_per_byte
    if found.masked:
        yield f"{prefix['masked']}perplexity", found.masked.pseudo_perplexity
    if material.pairs:
        for objective, score in evaluate_pairs(folder, material.pairs, progress=progress).overall.items():
            yield f"{prefix[objective]}BLiMP", score.accuracy.mean


def _reconstructs(material: Material, folder: Path, progress: Progress) -> Iterator[tuple[str, Cell]]:
    found = evaluate_reconstruction(folder, material.held_out, most=10**6, progress=progress)
    for name, one in found.lengths.items():
        yield f"exact {name}", one.exact.mean
    short = [found.lengths[name] for name in SHORT if name in found.lengths]
    count = sum(one.sentences for one in short)
    yield "exact 1-16", sum(one.exact.mean * one.sentences for one in short) / count
    yield "sentences 1-16", count


def _tokenizer_of(corpus: Corpus, size: Size) -> Tokenizer:
    """As `learn` would train it, but for the questions that its judge takes out of the documents."""
    texts = corpus.contents()
    recipe = TransformerRecipe.derive(sum(map(len, corpus.table["text"].to_pylist())), len(corpus), size)
    return train_text_tokenizer(texts, vocabulary=recipe.vocabulary)


def _paired(files: Sequence[Path]) -> Iterator[tuple[list[str], list[str]]]:
    for file in files:
        good, bad = zip(*read_pairs(file), strict=True)
        yield list(good), list(bad)


def _shortened(material: Material, most: int | None, scratch: Path) -> Material:
    """The same with so many pairs of each paradigm."""
    if most is None:
        return material
    files = []
    for file in material.pairs:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            head = [line for _, line in zip(range(most), lines, strict=False)]
        files.append(scratch / file.name.removesuffix(".gz"))
        files[-1].write_text("".join(head), encoding="utf-8")
    return Material(material.learned, material.held_out, files)


def _notes(material: Material, tokenizer: Tokenizer, options: argparse.Namespace) -> str:
    return NOTES.format(
        every=HELD_OUT,
        documents=len(material.held_out),
        size=sum(len(text.encode()) for text in material.held_out.contents()),
        vocabulary=tokenizer.get_vocab_size(),
        masked=options.most or MASKED_TOKENS,
        pairs=sum(len(read_pairs(file)) for file in material.pairs),
        paradigms=len(material.pairs),
        minutes=options.minutes,
        threads=torch.get_num_threads(),
    )


if __name__ == "__main__":
    main()
