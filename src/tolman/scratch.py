"""Learn a static encoder from nothing but the corpus: tokenizer, LSA start, contrastive learning.

Everything is derived from the corpus by `ScratchRecipe.derive`, printed, and can be overridden there. Where the budget
allows, neighbouring recipes are tried too, and the judge keeps the best, the start among them.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from tokenizers import Tokenizer

from tolman.corpus.pairs import heads_and_bodies
from tolman.judge import Exam, Pool
from tolman.models.encoder import Floats
from tolman.models.lsa import latent_semantic_table
from tolman.models.static import StaticEncoder, TermSaturation
from tolman.models.static_trunk import StaticTrunk
from tolman.objectives.contrastive import Contrastive, HeadsAndBodies, PairSource, SpansAndDocuments
from tolman.progress import Progress
from tolman.tokenization import TokenSequences, tokenize, train_tokenizer, vocabulary_size
from tolman.training import Run, Schedule, train

Size: TypeAlias = Literal["tiny", "small", "base"]
DIMENSIONS: dict[Size, int] = {"tiny": 128, "small": 256, "base": 512}
_EPOCHS = 20  # of a corpus that isn't small
_SHARP, _SOFT = 0.08, 0.2  # temperatures
_RESERVE = 0.1  # of the budget, for judging
_HEADROOM = 1.2  # over the time that a recipe is expected to take
_LEAST_SECONDS = 0.01  # that a schedule can be made for
_SHORTEST_HEAD, _SHORTEST_BODY = 2, 4  # tokens


@dataclass(frozen=True)
class ScratchRecipe:
    """Every number a static encoder is learned with.

    Attributes:
        vocabulary: tokens.
        dim: dimensions; the loss is also taken at a quarter of them.
        batch: pairs.
        steps: at most; a short budget ends earlier.
        rate: peak learning rate.
        temperature: of the contrastive softmax.
        heads_share: share of batches that pair titles (or first sentences) with bodies; the rest pair spans with
            documents.
        query_dropout, document_dropout: share of tokens left out at random.
    """

    vocabulary: int
    dim: int
    batch: int
    steps: int
    rate: float
    temperature: float
    heads_share: float = 0.5
    query_dropout: float = 0.0
    document_dropout: float = 0.6

    @classmethod
    def derive(cls, documents: int, size: Size | None = None) -> "ScratchRecipe":
        """From the number of documents: where the search for a recipe begins.

        Small corpora get fewer dimensions, lower rates and a softer softmax. With a sharp one (temperature .05) and
        whole documents they overfit within two dozen steps.
        """
        small = documents < 3_000
        batch = max(2, min(512 if small else 1024, documents // 2))
        return cls(
            vocabulary=vocabulary_size(documents),
            dim=DIMENSIONS[size or ("small" if small else "base")],
            batch=batch,
            steps=96 if small else max(1, min(400, _EPOCHS * documents // batch)),
            temperature=_SOFT if small else _SHARP,
            rate=float(np.clip(0.01 * np.sqrt(documents / 18_000), 0.002, 0.01)),
        )

    def neighbours(self) -> Iterator["ScratchRecipe"]:
        """Recipes that differ in one number, those first that paid on most corpora.

        What the pairs are is not varied: the judge asks for sentences, and favours who learned from nothing but spans.
        """
        yield replace(self, temperature=_SOFT if self.temperature == _SHARP else _SHARP)
        yield replace(self, steps=3 * self.steps)

    def fingerprint(self, corpus: str, seed: int, seconds: float) -> str:
        """Of everything a training run depends on."""
        parts = json.dumps([asdict(self), corpus, seed, seconds])
        return hashlib.sha256(parts.encode()).hexdigest()


@dataclass(frozen=True)
class Trial:
    """What one recipe came to.

    Attributes:
        encoder: learned with it.
        recipe: itself.
        run: what training did; None for the start, which is not trained.
        grades: of the judge, a number a question (Q,); None without questions.
        ndcg: mean nDCG@10 on its questions, for people; None without questions.
    """

    encoder: StaticEncoder
    recipe: ScratchRecipe
    run: Run | None
    grades: Floats | None
    ndcg: float | None

    @property
    def grade(self) -> float:
        """Mean of `grades`; a diverged run is worth nothing."""
        if self.run and self.run.diverged:
            return -math.inf
        return 0.0 if self.grades is None else float(self.grades.mean())

    def beats(self, other: "Trial") -> bool:
        """Whether it leads by more than one standard error over the questions: what does well on most corpora isn't
        given up for noise."""
        if self.grades is None or other.grades is None or self.grade <= other.grade:
            return False
        lead_Q = self.grades - other.grades
        return float(lead_Q.mean()) > float(lead_Q.std()) / math.sqrt(len(lead_Q))

    def summary(self) -> dict[str, Any]:
        """For the recipe in space.json."""
        told = {"temperature": self.recipe.temperature, "steps": self.recipe.steps, "ndcg": self.ndcg}
        return told | {"grade": None if self.grade == -math.inf else self.grade}


@dataclass(frozen=True)
class Learned:
    """A learned encoder and how it came to be.

    Attributes:
        start: the LSA start.
        trials: one a recipe that was tried, in that order.
        best: the one that was kept; the start if the judge says, beyond noise, that learning spoiled it.
    """

    start: Trial
    trials: tuple[Trial, ...]
    best: Trial

    @property
    def quality(self) -> dict[str, float]:
        """nDCG@10 on held-out questions of the start, and of what was kept if that isn't the start."""
        told = {"start": self.start.ndcg, "learned": None if self.best is self.start else self.best.ndcg}
        return {name: value for name, value in told.items() if value is not None}


def learn_scratch(
    exam: Exam,
    pool: Pool | None,
    *,
    seconds: float,
    seed: int,
    corpus: str,
    checkpoint: Path | None,
    progress: Progress,
    recipe: ScratchRecipe | None = None,
    contrastive: bool = True,
) -> Learned:
    """Learn from the documents of `exam`, judge on `pool`.

    Args:
        exam: documents as a learner may see them.
        pool: of its questions; None when the corpus gave none, one recipe is then tried and its end returned unjudged.
        seconds: of wall clock, for everything here.
        seed: of every draw.
        corpus: fingerprint of the documents.
        checkpoint: folder that a killed run is resumed from.
        progress: told what goes on.
        recipe: derived from the corpus when None.
        contrastive: False returns the LSA start as it is; so does a budget that is over before the first step.
    """
    clock = _Clock(seconds * (1 - _RESERVE))
    progress.start("tokenizer and start", None)
    lesson = Lesson.prepare(exam, recipe or ScratchRecipe.derive(len(exam.texts)), seed)
    progress.say(f"recipe: {lesson.recipe.dim} dimensions, {len(lesson.documents):,} documents, {lesson.pairs}")
    search = _RecipeSearch(lesson, pool, clock, seed, corpus, checkpoint, progress)
    start = search.judged(lesson.trunk(), lesson.recipe, None)
    if contrastive and clock.left <= 0:
        progress.say(f"the budget of {seconds:g} s went into the start: give more to learn beyond it")
    if not contrastive or clock.left <= 0:
        return Learned(start, (), start)
    best, trials = search.run()
    worse = start.beats(best) or best.grade == -math.inf
    unlearned = best.run is None or best.run.steps == 0
    return Learned(start, tuple(trials), start if worse or unlearned else best)


class _Clock:
    """Wall clock of a whole run, earlier tries included."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.earlier, self.started = seconds, 0.0, time.monotonic()

    @property
    def left(self) -> float:
        return self.seconds - self.earlier - (time.monotonic() - self.started)


@dataclass
class _RecipeSearch:
    """Coordinate search: whatever does better becomes the recipe whose neighbours are tried next.

    Only what fits into the time left is tried, except the first recipe, whose training ends with the clock.
    """

    lesson: "Lesson"
    pool: Pool | None
    clock: _Clock
    seed: int
    corpus: str
    checkpoint: Path | None
    progress: Progress

    @cached_property
    def watcher(self) -> "_Watcher | None":
        """Who tells the quality while it learns."""
        return _Watcher(self.lesson, self.pool) if self.pool else None

    def run(self) -> tuple[Trial, list[Trial]]:
        """The best trial, and every one, the first recipe's first."""
        trials = [self._try(self.lesson.recipe)]
        best, tried = trials[0], {self.lesson.recipe}
        while self.pool and (recipe := self._next(best, tried)):
            tried.add(recipe)
            trials.append(self._try(recipe))
            if trials[-1].beats(best):
                best = trials[-1]
        return best, trials

    def _next(self, best: Trial, tried: set[ScratchRecipe]) -> ScratchRecipe | None:
        if best.run is None or best.run.steps < best.recipe.steps:  # the clock ended it
            return None
        second_per_step = best.run.seconds / best.run.steps
        fitting = (
            recipe
            for recipe in best.recipe.neighbours()
            if recipe not in tried and recipe.steps * second_per_step * _HEADROOM < self.clock.left
        )
        return next(fitting, None)

    def _try(self, recipe: ScratchRecipe) -> Trial:
        """Train with `recipe`; read the result where an earlier try of this run had finished it."""
        name = recipe.fingerprint(self.corpus, self.seed, self.clock.seconds)
        folder = self.checkpoint / f"trial-{name[:16]}" if self.checkpoint else None
        trunk = self.lesson.trunk()
        self.progress.say(f"learning at temperature {recipe.temperature:g}, {recipe.steps} steps")
        before = time.monotonic()
        run = train(
            trunk,
            [(1.0, self.lesson.objective(recipe))],
            Schedule(steps=recipe.steps, seconds=max(self.clock.left, _LEAST_SECONDS), peak=recipe.rate),
            seed=self.seed,
            checkpoint=folder,
            recipe=name,
            progress=self.progress,
            quality=self.watcher.of(trunk) if self.watcher else None,
        )
        self.clock.earlier += max(0.0, run.seconds - (time.monotonic() - before))
        return self.judged(trunk, recipe, run)

    def judged(self, trunk: StaticTrunk, recipe: ScratchRecipe, run: Run | None) -> Trial:
        """The encoder as it stands in `trunk`, and what the judge says."""
        encoder = trunk.finished(self.lesson.tokenizer)
        if self.pool is None:
            return Trial(encoder, recipe, run, None, None)
        cosines_QN = self.pool.cosines(encoder)
        return Trial(encoder, recipe, run, self.pool.grade_scores(cosines_QN), self.pool.ndcg(cosines_QN))


@dataclass
class Lesson:
    """A corpus made ready to learn from: tokens, pairs, where the model starts.

    Attributes:
        recipe: with the dimensions that the corpus allows.
        tokenizer: trained on it.
        documents: all, tokenised.
        heads, bodies: of the pairs that are long enough.
        kind: what heads and bodies are.
    """

    recipe: ScratchRecipe
    tokenizer: Tokenizer
    documents: TokenSequences
    heads: TokenSequences
    bodies: TokenSequences
    kind: str
    table_VD: Floats
    importance_V: Floats
    saturation: TermSaturation

    @classmethod
    def prepare(cls, exam: Exam, recipe: ScratchRecipe, seed: int) -> "Lesson":
        """Tokenise, factorise, pair."""
        contents = exam.contents
        tokenizer = train_tokenizer(contents, vocabulary=recipe.vocabulary)
        documents = tokenize(tokenizer, contents)
        saturation = TermSaturation(max(1.0, float(documents.lengths.mean())))
        table_VD, importance_V = latent_semantic_table(
            documents, tokenizer.get_vocab_size(), recipe.dim, saturation, seed=seed
        )
        heads, bodies, kind = heads_and_bodies(exam.titles, exam.texts)
        head_tokens, body_tokens = tokenize(tokenizer, heads), tokenize(tokenizer, bodies)
        fit = np.flatnonzero((head_tokens.lengths >= _SHORTEST_HEAD) & (body_tokens.lengths >= _SHORTEST_BODY))
        return cls(
            replace(recipe, dim=table_VD.shape[1]),
            tokenizer,
            documents,
            head_tokens.only(fit),
            body_tokens.only(fit),
            kind,
            table_VD,
            importance_V,
            saturation,
        )

    @property
    def paired(self) -> bool:
        """Whether there are pairs to learn from beyond spans and documents."""
        return len(self.heads) >= 2

    @property
    def pairs(self) -> str:
        """For people."""
        return f"{len(self.heads):,} pairs of {self.kind}"

    def trunk(self) -> StaticTrunk:
        """The model at its start."""
        return StaticTrunk(self.table_VD, self.importance_V, self.saturation)

    def objective(self, recipe: ScratchRecipe) -> Contrastive:
        """Pairs of heads and bodies, and of spans and documents, in the shares of `recipe`."""
        whole = np.flatnonzero(self.documents.lengths >= _SHORTEST_BODY)
        spans = SpansAndDocuments(self.documents.only(whole), recipe.batch)
        share = recipe.heads_share if self.paired else 0.0
        sources: list[tuple[float, PairSource]] = [
            (share, HeadsAndBodies(self.heads, self.bodies, recipe.batch)),
            (1 - share, spans),
        ]
        return Contrastive(
            [(part, source) for part, source in sources if part > 0],
            prefixes=_prefixes(recipe.dim),
            temperature=recipe.temperature,
            query_dropout=recipe.query_dropout,
            document_dropout=recipe.document_dropout,
        )


def _prefixes(dim: int) -> Sequence[int]:
    return [dim // 4, dim] if dim >= 128 else [dim]


class _Watcher:
    """Quality of a trunk as it learns, on the judge's questions, tokenised once."""

    def __init__(self, lesson: Lesson, pool: Pool) -> None:
        self.lesson, self.pool = lesson, pool

    @cached_property
    def _tokens(self) -> tuple[TokenSequences, TokenSequences]:
        tokenizer = self.lesson.tokenizer
        return tokenize(tokenizer, self.pool.questions), tokenize(tokenizer, self.pool.contents)

    def of(self, trunk: StaticTrunk) -> Callable[[], float]:
        """Mean nDCG@10 of `trunk` at the moment of the call."""

        def quality() -> float:
            questions, documents = self._tokens
            with torch.no_grad():
                questions_QD, documents_ND = trunk([(questions, "query"), (documents, "document")])
            return self.pool.ndcg((questions_QD @ documents_ND.T).numpy())

        return quality
