"""Learn on from a pretrained causal model, in a corpus, by guessing the next token of its text.

Any architecture that `transformers` loads, run by `transformers`; no padding is computed, for all windows are full. The
table of words is left as it is, and what comes out is averaged with where it began (Wortsman et al. 2022,
arXiv:2109.01903), as far as documents that were held out allow.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tolman.crew import SOLO, Crew
from tolman.curriculum import require_time
from tolman.errors import SourceError
from tolman.models.causal_folder import CausalFolder
from tolman.models.language_folder import as_language_model, load_unpacked, without_bars
from tolman.models.language_model import LanguageModel
from tolman.models.transformer import fastest_precision
from tolman.models.trunk import Precision
from tolman.objectives.causal import Causal
from tolman.objectives.windows import Windows
from tolman.optimization import CLIP, Group, Optimizers
from tolman.progress import Progress
from tolman.recipe import Adaptation
from tolman.storage import storing
from tolman.tokenization import TokenSequences
from tolman.training import Run, Schedule, train
from tolman.tuning import Choice, best_weight

SHARES = (0.0, 0.5, 1.0)
_USUAL_SHARE = 1.0
_WINDOW = 256  # tokens, at most, of what is learned from
_HELD_OUT = 20  # every so many documents one is only measured on
_MEASURED_DOCUMENTS, _MEASURED_TOKENS = 100, 256  # at most; of each


class CausalGuesser(nn.Module):
    """What is learned of a causal model, and its loss; the model itself is changed in place.

    Args:
        model: of `transformers`, in float32.
        precision: of the matrix products.

    Attributes:
        tokens_seen: by passes that learned.
    """

    def __init__(self, model: Any, precision: Precision) -> None:
        super().__init__()
        tables = {id(part.weight) for part in _tables(model)}
        for parameter in model.parameters():
            parameter.requires_grad_(id(parameter) not in tables)
        self.learned = nn.ParameterDict(
            {name.replace(".", "/"): part for name, part in model.named_parameters() if part.requires_grad}
        )
        self._held = (model,)  # in a tuple, where it is no part of the state: tables would be kept twice
        self.precision, self.tokens_seen = precision, 0

    @property
    def model(self) -> Any:
        """As `transformers` has it."""
        return self._held[0]

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    def token_loss(self, ids_BL: Tensor, places_M: Tensor, targets_M: Tensor, *, causal: bool) -> Tensor:
        """Mean cross entropy in nats of `targets_M`, guessed at `places_M` of the flattened `ids_BL`."""
        assert causal
        self.tokens_seen += ids_BL.numel()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits_BLV = self.model(input_ids=ids_BL, use_cache=False).logits
        return functional.cross_entropy(logits_BLV.flatten(0, 1)[places_M].float(), targets_M)

    def remembered(self) -> dict[str, Tensor]:
        """A copy of the parameters as they are."""
        return {name: value.detach().clone() for name, value in self.learned.items()}

    def put(self, start: dict[str, Tensor], end: dict[str, Tensor], share: float) -> None:
        """Parameters at `share` of the way from `start` to `end`."""
        with torch.no_grad():
            for name, parameter in self.learned.items():
                parameter.copy_(torch.lerp(start[name], end[name], share))


def _tables(model: Any) -> list[nn.Module]:
    return [part for part in (model.get_input_embeddings(), model.get_output_embeddings()) if part is not None]


@dataclass(frozen=True)
class Tuned:
    """What came of it.

    Attributes:
        guesser: at the share that was kept.
        run: what training did.
        choice: the share, and minus the nats a token of every one that was tried, on held-out documents.
    """

    guesser: CausalGuesser
    run: Run
    choice: Choice

    def save(self, base: CausalFolder, folder: Path) -> None:
        """Write the folder of `base` with these weights, in float32.

        Raises:
            StorageError: the disk refuses.
        """
        base.copy_without_weights(folder)
        with storing(f"can't write the model to {folder}"), without_bars():
            self.guesser.model.save_pretrained(folder)


def tune_causal(
    texts: list[str],
    base: CausalFolder,
    *,
    seconds: float,
    steps: int | None,
    seed: int,
    corpus: str,
    checkpoint: Path | None,
    progress: Progress,
    crew: Crew = SOLO,
) -> Tuned:
    """Learn from `texts`, beginning with `base`.

    Args:
        texts: documents; one in twenty is only measured on.
        base: of any architecture that `transformers` loads.
        seconds: of wall clock, for everything here.
        steps: at most; by the clock alone when None.
        seed: of every draw.
        corpus: fingerprint of the documents.
        checkpoint: folder that a killed run is resumed from.
        progress: told what goes on.
        crew: who learns together.

    Raises:
        ModelError: the base can't be loaded.
        SourceError: too little text.
        BudgetError: no time is left to learn.
    """
    ended = time.monotonic() + seconds
    progress.start("tokens", None)
    model, named = load_unpacked(base.folder, "causal", torch.float32)
    language = as_language_model(model, named, base.folder, "causal", crew.device)
    recipe = adaptation(language, base.dim)
    tokens = language.tokens(texts)
    held, rest = _parted(tokens)
    batch, length = recipe.tokens // recipe.window, recipe.window + 1
    windows = Windows.of(rest, language.frame, batch=batch, length=length, vocabulary=model.config.vocab_size)
    if not windows.possible:
        raise SourceError(
            f"too little text to learn causal by: {len(rest.ids):,} tokens, sequences have {length}; expected more text"
        )
    require_time(ended, seconds)
    guesser = CausalGuesser(model, fastest_precision(crew.device))
    start = guesser.remembered()
    run = train(
        guesser,
        [(1.0, Causal(windows))],
        Schedule.until(ended, steps),
        Optimizers([Group(list(guesser.parameters()), recipe.rate, recipe.decay)], clip=CLIP),
        seed=seed,
        checkpoint=checkpoint,
        recipe=recipe.fingerprint(corpus, base.fingerprint, seed, seconds, steps),
        progress=progress,
        crew=crew,
    )
    if not crew.leads:
        return Tuned(guesser, run, Choice(_USUAL_SHARE, {}))
    progress.start("judging", None)
    choice = _choose(guesser, start, language, held)
    for share, grade in choice.quality.items():
        kept = " (kept)" if share == choice.weight else ""
        progress.say(f"{share:.0%} of what was learned: perplexity {np.exp(-grade):.2f} on held-out text{kept}")
    return Tuned(guesser, run, choice)


def adaptation(language: LanguageModel, dim: int) -> Adaptation:
    """The numbers that it learns with."""
    return Adaptation(dim, longest=min(_WINDOW, language.window - 1))


def _parted(tokens: TokenSequences) -> tuple[TokenSequences, TokenSequences]:
    """(held out, learned from); nothing is held out of a few documents."""
    places = np.arange(len(tokens))
    out = places % _HELD_OUT == _HELD_OUT - 1
    return tokens.only(places[out]), tokens.only(places[~out])


def _choose(guesser: CausalGuesser, start: dict[str, Tensor], language: LanguageModel, held: TokenSequences) -> Choice:
    """The share with the best guesses; all of it where nothing was held out. The guesser is left there."""
    end = guesser.remembered()
    held = held.only(np.arange(min(len(held), _MEASURED_DOCUMENTS)))
    held = held.cut(held.offsets[:-1], np.minimum(held.lengths, _MEASURED_TOKENS))
    if len(held) == 0:
        return Choice(_USUAL_SHARE, {})
    grades: dict[float, NDArray[np.float32]] = {}
    for share in SHARES:
        guesser.put(start, end, share)
        scores = language.scores(held)
        grades[share] = (scores.totals / np.diff(scores.offsets)).astype(np.float32)
    choice = best_weight(grades, default=_USUAL_SHARE)
    guesser.put(start, end, choice.weight)
    return choice
