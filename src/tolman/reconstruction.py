"""How well an autoencoder gives a text back from its few latent numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tolman.corpus.corpus import Corpus
from tolman.corpus.passages import sentences
from tolman.corpus.reading import read_corpus
from tolman.errors import ModelError, SourceError
from tolman.evaluation import Estimate, require_whole
from tolman.metrics import share_interval
from tolman.model_folder import checked_model, path_of
from tolman.models import load_encoder
from tolman.models.decoder import Decoder
from tolman.progress import Progress, Silent
from tolman.space.space import LatentSpace

BUCKETS = (1, 4), (5, 8), (9, 12), (13, 16), (17, 24), (25, 32)
"""Tokens of a sentence, fewest and most."""
SENTENCES = 2_000
"""How many are drawn unless one says otherwise."""
_AT_ONCE = 256
_AND_MORE = 8  # tokens that may be written beyond the length of the longest sentence


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """Of sentences of one length.

    Attributes:
        sentences: how many.
        exact: share that came back to the letter, with the 95 % interval of Wilson.
        cosine: mean, of the encoder's vectors of the sentence and of what was written.
    """

    sentences: int
    exact: Estimate
    cosine: float


@dataclass(frozen=True, slots=True)
class ReconstructionEvaluation:
    """What `evaluate_reconstruction` found.

    Attributes:
        numbers: that are kept of a sentence.
        all_sentences: of up to the longest length that is measured.
        left_out: longer ones.
        lengths: by fewest and most tokens, like "5-8"; lengths that no sentence has are left out.
        overall: of all that were measured.
    """

    numbers: int
    all_sentences: int
    left_out: int
    lengths: Mapping[str, Reconstruction]
    overall: Reconstruction

    def to_json(self) -> dict[str, Any]:
        """A mapping of plain numbers."""
        return asdict(self)


def evaluate_reconstruction(
    model: str | Path | LatentSpace,
    source: Any,
    *,
    most: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> ReconstructionEvaluation:
    """Send sentences through the bottleneck and write them again, each token the most probable one.

    A sentence counts as exact if what is written is what the tokenizer makes of it, to the letter.

    Args:
        model: a space, open or its path, or a folder that `learn_model` left, learned by autoencoding.
        source: what `read_corpus` takes, or a Corpus; its texts are cut into sentences, titles don't count.
        most: sentences, drawn at random; None: `SENTENCES`.
        seed: of what is drawn.
        progress: who watches.

    Raises:
        ModelError: no model, one that can't write, or a damaged one.
        SpaceError: a damaged space.
        SourceError: the source can't be read, or holds no sentence of the lengths that are measured.
        QueryError: `most` isn't above zero.
    """
    most, seed = require_whole(most, "sentences to measure", least=1), require_whole(seed, "seed") or 0
    progress, path = progress or Silent(), path_of(model)
    if not path.exists():
        raise ModelError(f"no model or space at {path}: make one with `tolman learn --objectives autoencoding`")
    folder = checked_model(path)
    decoder, encoder = Decoder.load(folder), load_encoder(folder)
    corpus = source if isinstance(source, Corpus) else read_corpus(source, progress=progress)
    drawn = _draw(decoder, corpus, most or SENTENCES, seed, progress)
    progress.start("writing", float(len(drawn.texts)))
    plain, written = _written(decoder, drawn.texts, progress)
    cosines = (encoder.encode(plain) * encoder.encode(written)).sum(axis=1)
    exact = np.array([one == other for one, other in zip(plain, written, strict=True)])

    def measure(chosen: np.ndarray) -> Reconstruction:
        right, count = int(exact[chosen].sum()), int(chosen.sum())
        interval = share_interval(right, count)
        return Reconstruction(count, Estimate(right / count, *interval), float(cosines[chosen].mean()))

    inside = {f"{low}-{high}": (drawn.lengths >= low) & (drawn.lengths <= high) for low, high in BUCKETS}
    return ReconstructionEvaluation(
        numbers=decoder.bottleneck.numbers,
        all_sentences=drawn.all,
        left_out=drawn.longer,
        lengths={name: measure(chosen) for name, chosen in inside.items() if chosen.any()},
        overall=measure(drawn.lengths > 0),
    )


@dataclass(frozen=True)
class _Sentences:
    """What is measured: texts, their lengths in tokens; and how many there are of these and of longer ones."""

    texts: list[str]
    lengths: np.ndarray
    all: int
    longer: int


def _draw(decoder: Decoder, corpus: Corpus, most: int, seed: int, progress: Progress) -> _Sentences:
    found = [text[slice(*span)] for text in corpus.table["text"].to_pylist() for span in sentences(text)]
    lengths = decoder.tokens(found).lengths
    rows = fitting = np.flatnonzero((lengths >= BUCKETS[0][0]) & (lengths <= BUCKETS[-1][1]))
    if not len(fitting):
        raise SourceError(f"{corpus.report.source} holds no sentence of at most {BUCKETS[-1][1]} tokens")
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
        progress.say(f"{len(rows):,} of {len(fitting):,} sentences, drawn at random")
    longer = int((lengths > BUCKETS[-1][1]).sum())
    return _Sentences([found[row] for row in rows.tolist()], lengths[rows], len(fitting), longer)


def _written(decoder: Decoder, texts: Sequence[str], progress: Progress) -> tuple[list[str], list[str]]:
    """What the tokenizer makes of each text, and what is written of it."""
    tokens = decoder.tokens(texts)
    order = np.argsort(tokens.lengths, kind="stable")
    written = [""] * len(texts)
    for start in range(0, len(order), _AT_ONCE):
        rows = order[start : start + _AT_ONCE]
        part = tokens.only(rows)
        back = decoder.write(decoder.latents(part), int(part.lengths.max()) + _AND_MORE)
        for row, text in zip(rows, decoder.plain(back), strict=True):
            written[row] = text
        progress.advance(float(len(rows)))
    return decoder.plain(tokens), written
