"""How well a model guesses text: bits per byte, perplexity, and which sentence of a pair it finds the better one.

Legend for shapes:
    N  texts     T  tokens of all texts
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tolman.corpus.cleaning import drop_surrogates
from tolman.corpus.corpus import Corpus
from tolman.corpus.readers.jsonl import read_objects
from tolman.corpus.reading import read_corpus
from tolman.errors import ModelError, SourceError
from tolman.evaluation import Estimate, require_whole
from tolman.metrics import share_interval
from tolman.model_folder import checked_model, path_of, read_description
from tolman.models.language_folder import read_language_models
from tolman.models.language_model import Kind, LanguageModel
from tolman.models.pretrained import KNOWN_MODELS
from tolman.progress import Progress, Silent
from tolman.space.description import SpaceDescription, is_space
from tolman.space.space import LatentSpace
from tolman.tokenization import TokenSequences

Pair: TypeAlias = tuple[str, str]

MASKED_TOKENS = 20_000
"""How many tokens a masked model is asked for unless one says otherwise: each takes a pass over its whole window."""
_PAIR = "sentence_good", "sentence_bad"


@dataclass(frozen=True, slots=True)
class CausalText:
    """What a causal model makes of a text, from the probability of every token and of each document's end.

    Attributes:
        documents, tokens, bytes: that were measured; the tokens with each document's end, the bytes in UTF-8.
        all_documents: that there are.
        bits_per_byte: comparable between models whatever their tokens.
        perplexity: per token; comparable between models with the same tokens.
    """

    documents: int
    all_documents: int
    tokens: int
    bytes: int
    bits_per_byte: float
    perplexity: float


@dataclass(frozen=True, slots=True)
class MaskedText:
    """What a masked model makes of a text, from the probability of every token given all others in its window.

    Attributes:
        documents: that the tokens were drawn from.
        tokens: that were hidden, one at a time.
        all_tokens: that there are.
        pseudo_perplexity: per token; no perplexity, and not comparable with one (Salazar et al. 2020).
    """

    documents: int
    tokens: int
    all_tokens: int
    pseudo_perplexity: float


@dataclass(frozen=True, slots=True)
class TextEvaluation:
    """What `evaluate_text` found; None for a kind of model that there isn't."""

    causal: CausalText | None = None
    masked: MaskedText | None = None

    def to_json(self) -> dict[str, Any]:
        """A mapping of plain numbers."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PairAccuracy:
    """How often the better sentence is the more probable one.

    Attributes:
        pairs: how many.
        ties: pairs of equal probability; each counts as wrong.
        accuracy: share of the pairs, with the 95 % interval of Wilson.
    """

    pairs: int
    ties: int
    accuracy: Estimate

    @classmethod
    def of(cls, pairs: int, right: int, ties: int) -> "PairAccuracy":
        """From counts."""
        return cls(pairs, ties, Estimate(right / pairs, *share_interval(right, pairs)))


@dataclass(frozen=True, slots=True)
class PairEvaluation:
    """What `evaluate_pairs` found, by the kind of model, "causal" or "masked".

    Attributes:
        files: of each kind, by the name of the file.
        overall: over all pairs.
    """

    files: Mapping[Kind, Mapping[str, PairAccuracy]] = field(default_factory=dict)
    overall: Mapping[Kind, PairAccuracy] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A mapping of plain numbers."""
        return asdict(self)


def evaluate_text(
    model: str | Path | LatentSpace,
    source: Any,
    *,
    most: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> TextEvaluation:
    """Measure a model on text, best on text that it hasn't learned from.

    A text longer than a model's window is read in windows: the causal model's overlap by half, and every token is
    guessed once, with at least half a window before it; the masked model's lie around the hidden token.

    Args:
        model: a space, open or its path, a folder that `learn_model` left, or one of `transformers`; nothing is
            downloaded.
        source: what `read_corpus` takes, or a Corpus; of each document title and text count.
        most: tokens, about: whole documents drawn at random for a causal model, tokens for a masked one. None: all,
            and for a masked model at most `MASKED_TOKENS`.
        seed: of what is drawn.
        progress: who watches.

    Raises:
        ModelError: no model, one that guesses no tokens, or a damaged one.
        SpaceError: a damaged space.
        SourceError: the source can't be read or holds no text.
        QueryError: `most` isn't above zero.
    """
    most, seed = require_whole(most, "tokens to measure", least=1), require_whole(seed, "seed") or 0
    progress = progress or Silent()
    models = open_language_models(model)
    corpus = source if isinstance(source, Corpus) else read_corpus(source, progress=progress)
    texts = corpus.contents()
    found: dict[Kind, CausalText | MaskedText] = {}
    for one in models:
        measure = _causal_text if one.kind == "causal" else _masked_text
        found[one.kind] = measure(one, texts, most, seed, progress)
    return TextEvaluation(**found)  # type: ignore[arg-type]


def evaluate_pairs(
    model: str | Path | LatentSpace, files: str | Path | Sequence[str | Path], *, progress: Progress | None = None
) -> PairEvaluation:
    """Ask a model which of two sentences is the better one, by the probability of the whole sentence.

    That of a causal model is of its tokens and its end; that of a masked one is the pseudo-likelihood.

    Args:
        model: see `evaluate_text`.
        files: one or several .jsonl, also .gz, of `sentence_good` and `sentence_bad`.
        progress: who watches.

    Raises:
        ModelError, SpaceError: see `evaluate_text`.
        SourceError: no file, one that can't be read or holds no pair, or a line that is none; says which.
    """
    progress = progress or Silent()
    files = [files] if isinstance(files, str | Path) else files
    if not files:
        raise SourceError(f"expected at least one .jsonl file of {_PAIR[0]} and {_PAIR[1]}, got none")
    pairs = {str(file): read_pairs(Path(file), progress) for file in files}
    models = open_language_models(model)
    results: dict[Kind, dict[str, PairAccuracy]] = {}
    overall: dict[Kind, PairAccuracy] = {}
    for one in models:
        leads = _leads(one, [pair for held in pairs.values() for pair in held], progress)
        overall[one.kind] = _accuracy(leads)
        ends = np.cumsum([len(held) for held in pairs.values()])
        parts = np.split(leads, ends[:-1])
        results[one.kind] = {name: _accuracy(part) for name, part in zip(pairs, parts, strict=True)}
    return PairEvaluation(results, overall)


def open_language_models(model: str | Path | LatentSpace) -> list[LanguageModel]:
    """The models that guess tokens in a space or a folder: a masked one, a causal one, or both.

    Of a space or model that Tolman learned from nothing only those count that were learned: a trunk that learned to
    place documents has a head, too, that never learned to guess.

    Raises:
        ModelError: there is none, or it is damaged.
        SpaceError: a damaged space.
    """
    path = path_of(model)
    if str(model) in KNOWN_MODELS and not path.exists():
        raise ModelError(f"{model} has no language head: it gives vectors and guesses no tokens")
    if not path.exists():
        raise ModelError(f"no model or space at {path}: make one with `tolman learn`, or give a folder")
    recipe = SpaceDescription.read(path).recipe if is_space(path) else read_description(path).get("recipe")
    models = read_language_models(checked_model(path))
    plan = (recipe or {}).get("plan") or {}
    if plan.get("learner") == "transformer":
        models = [one for one in models if one.kind in plan.get("objectives", ())]
    if not models:
        raise ModelError(f"{path} has no language head that learned to guess tokens: {_advice(plan)}")
    return models


def _advice(plan: Mapping[str, Any]) -> str:
    if plan.get("learner") == "adapted":
        return "of a pretrained model that learned on only the encoder is kept"
    if not plan.get("objectives"):
        return "expected a causal or masked model"
    return f"it learned by {', '.join(plan['objectives'])}; learn with --objectives masked or causal"


def _causal_text(
    model: LanguageModel, texts: Sequence[str], most: int | None, seed: int, progress: Progress
) -> CausalText:
    rows, tokens = np.arange(len(texts)), model.tokens(texts)
    if most is not None and len(tokens.ids) > most:
        drawn = np.random.default_rng(seed).permutation(rows)
        needed = 1 + int(np.searchsorted(np.cumsum(tokens.lengths[drawn]), most))
        rows = np.sort(drawn[:needed])
        tokens = tokens.only(rows)
        progress.say(f"causal: {len(rows):,} of {len(texts):,} documents, drawn at random")
    progress.start("causal", float(len(tokens.ids) + len(tokens)))
    logs = model.scores(tokens, progress).logs
    size = sum(len(texts[row].encode()) for row in rows.tolist())
    bits = -float(logs.sum()) / math.log(2)
    return CausalText(len(rows), len(texts), len(logs), size, bits / size, _perplexity(logs))


def _masked_text(
    model: LanguageModel, texts: Sequence[str], most: int | None, seed: int, progress: Progress
) -> MaskedText:
    tokens = model.tokens(texts)
    places, most = np.arange(len(tokens.ids)), MASKED_TOKENS if most is None else most
    if not len(places):
        raise SourceError("the masked model knows no token in this text: is it in a script that the model never saw?")
    if len(places) > most:
        places = np.sort(np.random.default_rng(seed).choice(places, most, replace=False))
        progress.say(f"masked: {len(places):,} of {len(tokens.ids):,} tokens, drawn at random")
    progress.start("masked", float(len(places)))
    logs = model.scores_at(tokens, places, progress)
    documents = len(np.unique(np.searchsorted(tokens.offsets, places, side="right")))
    return MaskedText(documents, len(places), len(tokens.ids), _perplexity(logs))


def _perplexity(logs: np.ndarray) -> float:
    return math.exp(-float(logs.mean()))


def read_pairs(path: Path, progress: Progress | None = None) -> list[Pair]:
    """(better, worse) of each line of a .jsonl file, also .gz.

    Raises:
        SourceError: it can't be read, holds no pair, or a line isn't one; says which line.
    """
    pairs, notes = [], list[str]()
    for number, row, _ in read_objects(path, notes):
        better, worse = (row.get(name) for name in _PAIR)
        if not isinstance(better, str) or not isinstance(worse, str) or not better.strip() or not worse.strip():
            raise SourceError(
                f'{path} line {number}: expected {{"{_PAIR[0]}": ..., "{_PAIR[1]}": ...}}, got {str(row)[:60]}'
            )
        pairs.append((drop_surrogates(better), drop_surrogates(worse)))
    for note in notes:
        (progress or Silent()).say(note)
    if not pairs:
        raise SourceError(f"{path} holds no pair")
    return pairs


def _leads(model: LanguageModel, pairs: Sequence[Pair], progress: Progress) -> np.ndarray:
    """By how much the better sentence of each pair is the more probable one, in nats; 0 for a tie.

    Sentences of the same tokens are computed once: computed twice they might differ by rounding.
    """
    tokens = model.tokens([sentence for pair in pairs for sentence in pair])
    kinds = dict[bytes, int]()
    kind_of = [kinds.setdefault(tokens[row].tobytes(), len(kinds)) for row in range(len(tokens))]
    each = TokenSequences.join([np.frombuffer(content, np.int32) for content in kinds])
    extra = len(each) if model.kind == "causal" else 0
    progress.start(f"pairs, {model.kind}", float(len(each.ids) + extra))
    totals = model.scores(each, progress).totals[kind_of].reshape(-1, 2)
    leads: np.ndarray = totals[:, 0] - totals[:, 1]
    return leads


def _accuracy(leads: np.ndarray) -> PairAccuracy:
    return PairAccuracy.of(len(leads), int((leads > 0).sum()), int((leads == 0).sum()))
