"""Learn a static encoder from nothing but the corpus: tokenizer, LSA start, contrastive learning.

Everything is derived from the corpus by `ScratchRecipe.derive`, printed, and can be overridden there. Where the budget
allows, neighbouring recipes are tried too, and the judge keeps the best, the start among them.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch

from tolman.halving import ETA, Rung, candidates, certainty, rungs
from tolman.judge import Exam, Pool
from tolman.lesson import Lesson
from tolman.models.encoder import Floats
from tolman.models.static import StaticEncoder
from tolman.models.static_trunk import StaticTrunk
from tolman.optimization import Optimizers, all_alike
from tolman.progress import Progress
from tolman.recipe import ScratchRecipe
from tolman.tokenization import TokenSequences, tokenize
from tolman.training import Run, Schedule, train

_RESERVE = 0.1  # of the budget, for judging
_HEADROOM = 1.2  # over the time that a recipe is expected to take
_WARMUP_STEPS = 10
_TO_GO_BACK = 2.0  # standard errors: on no corpus with labels was the start the better one
_JUDGED = 0.08  # of the budget, at most, goes into judging what halving tries
_MOST_LEADERS = 8  # whose encoders are held until one is chosen
_TO_LEAVE = 2.0  # standard errors that the best of many must lead by: it is the luckiest of them, too

Search: TypeAlias = Literal["neighbours", "halving", "none"]
"""How recipes are tried: neighbours of the best, many at once, or only the first."""


@dataclass(frozen=True)
class Trial:
    """What one recipe came to.

    Attributes:
        encoder: learned with it; None where it isn't kept.
        recipe: itself.
        run: what training did; None for the start, which is not trained.
        grades: of the judge, a number a document that is asked for (A,); None without questions.
        ndcg: mean nDCG@10 on its questions, for people; None without questions.
    """

    encoder: StaticEncoder | None
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

    def beats(self, other: "Trial", errors: float = 1.0) -> bool:
        """Whether it leads by more than so many standard errors: what does well on most corpora isn't lost to noise."""
        if self.grades is None or other.grades is None or self.grade <= other.grade:
            return False
        lead_A = self.grades - other.grades
        return float(lead_A.mean()) > errors * float(lead_A.std()) / math.sqrt(len(lead_A))

    def as_it_ended(self) -> "Trial":
        """With the steps that there was time for: the rate was annealed to where the clock ended it."""
        assert self.run is not None
        return replace(self, recipe=replace(self.recipe, steps=self.run.steps))

    def summary(self) -> dict[str, Any]:
        """For the recipe in space.json."""
        told: dict[str, Any] = {"temperature": self.recipe.temperature, "steps": self.recipe.steps, "ndcg": self.ndcg}
        told |= {"dim": self.recipe.dim, "document_dropout": self.recipe.document_dropout}
        told |= {"heads_share": self.recipe.heads_share, "rate": self.recipe.rate}
        return told | {"grade": None if self.grade == -math.inf else self.grade}


@dataclass(frozen=True)
class Learned:
    """A learned encoder and how it came to be.

    Attributes:
        start: the LSA start.
        trials: one a recipe that was tried, in that order.
        best: the one that was kept; the start if the judge says, beyond noise, that learning spoiled it.
        judging: seconds that the judge took for the trials.
        choice: how sure the choice among many is, see `tolman.halving.Certainty`; None where it wasn't one among many.
    """

    start: Trial
    trials: tuple[Trial, ...]
    best: Trial
    judging: float = 0.0
    choice: dict[str, Any] | None = None

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
    search: Search = "neighbours",
    watch: Callable[[Trial], None] | None = None,
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
        search: how other recipes are tried while there is time.
        watch: told every trial, with its encoder, as soon as it is judged.
    """
    clock = _Clock(seconds * (1 - _RESERVE))
    progress.start("tokenizer and start", None)
    lesson = Lesson.prepare(exam, recipe or ScratchRecipe.derive(len(exam.texts)), seed)
    progress.say(f"recipe: {lesson.recipe.dim} dimensions, {len(lesson.documents):,} documents, {lesson.pairs}")
    searcher = _SEARCHES[search](lesson, pool, clock, seed, corpus, checkpoint, progress, watch)
    start = searcher.judged(lesson.trunk(), lesson.recipe, None)
    if contrastive and clock.left <= 0:
        progress.say(f"the budget of {seconds:g} s went into the start: give more to learn beyond it")
    if not contrastive or clock.left <= 0:
        return Learned(start, (), start)
    best, trials = searcher.run()
    worse = start.beats(best, _TO_GO_BACK) or best.grade == -math.inf
    unlearned = best.run is None or best.run.steps == 0
    kept = start if worse or unlearned else best
    return Learned(start, tuple(trials), kept, searcher.judging, searcher.choice(best, trials))


class _Clock:
    """Wall clock of a whole run, earlier tries included."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.earlier, self.started = seconds, 0.0, time.monotonic()

    @property
    def left(self) -> float:
        return self.seconds - self.earlier - (time.monotonic() - self.started)


@dataclass
class _RecipeSearch:
    """One recipe and no other: its training ends with the clock."""

    lesson: Lesson
    pool: Pool | None
    clock: _Clock
    seed: int
    corpus: str
    checkpoint: Path | None
    progress: Progress
    watch: Callable[[Trial], None] | None = None
    judging: float = 0.0
    first: StaticEncoder | None = None

    @cached_property
    def watcher(self) -> "_Watcher | None":
        """Who tells the quality while it learns."""
        return _Watcher(self.lesson, self.pool) if self.pool else None

    def run(self) -> tuple[Trial, list[Trial]]:
        """The best trial, and every one, the first recipe's first."""
        trial = self._try(self.lesson.recipe)
        return trial, [trial]

    def choice(self, _best: Trial, _trials: list[Trial]) -> dict[str, Any] | None:
        """How sure the choice is; None where there was none to make."""
        return None

    def _try(self, recipe: ScratchRecipe) -> Trial:
        """Train with `recipe`; read the result where an earlier try of this run had finished it."""
        name = recipe.fingerprint(self.corpus, self.seed, self.clock.seconds)
        folder = self.checkpoint / f"trial-{name[:16]}" if self.checkpoint else None
        lesson = self._lesson(recipe.dim)
        trunk = lesson.trunk()
        self.progress.say(f"learning at temperature {recipe.temperature:g}, {recipe.steps} steps")
        before = time.monotonic()
        run = train(
            trunk,
            [(1.0, lesson.objective(recipe))],
            Schedule.until(time.monotonic() + self.clock.left, recipe.steps, warmup=_WARMUP_STEPS / recipe.steps),
            Optimizers(all_alike(recipe.rate)(trunk)),
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
        before = time.monotonic()
        self.first = self.first or encoder
        cosines_QN = self.pool.cosines(encoder.sharing_words(self.first))
        trial = Trial(encoder, recipe, run, self.pool.grade_scores(cosines_QN), self.pool.ndcg(cosines_QN))
        if run:
            self.judging += time.monotonic() - before
            if self.watch:
                self.watch(trial)
        return trial

    def _lesson(self, dim: int) -> Lesson:
        """The corpus made ready for so many dimensions; the first ones are those of the start, in order of weight."""
        return self.lesson if dim >= self.lesson.recipe.dim else self.lesson.narrowed(dim)


@dataclass
class _Neighbours(_RecipeSearch):
    """Coordinate search: whatever does better becomes the recipe whose neighbours are tried next.

    Only what fits into the time left is tried, except the first recipe, whose training ends with the clock. Where the
    questions aren't natural it stays with that one: they ask for whatever was learned longest.
    """

    def run(self) -> tuple[Trial, list[Trial]]:
        """The best trial, and every one, the first recipe's first."""
        trials = [self._try(self.lesson.recipe)]
        best, tried = trials[0], {self.lesson.recipe}
        while self.pool and self.pool.natural and (recipe := self._next(best, tried)):
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


@dataclass
class _Halving(_RecipeSearch):
    """The first recipe in full, then successive halving in the time left; see `tolman.halving`.

    The first recipe stays unless another leads it beyond the luck of the best of many. Of several whose grades are too
    near to tell apart, the one that most often finds the answer among the first. Where the questions aren't natural the
    first recipe stays in any case.
    """

    def run(self) -> tuple[Trial, list[Trial]]:
        """The best trial, and every one, the first recipe's first."""
        usual = self._try(self.lesson.recipe)
        trials = [usual]
        if not (self.pool and self.pool.natural):
            self.progress.say(
                "nothing to choose by: questions as people ask them can't be cut out; the usual recipe stays"
            )
            return usual, trials
        if usual.run is None or not usual.run.steps or usual.run.steps < usual.recipe.steps:
            self.progress.say("the budget is over after the usual recipe: give more to choose among others")
            return usual, trials
        planned = rungs(
            usual.recipe.steps,
            self.clock.left / _HEADROOM / (usual.run.seconds / usual.run.steps),
            trials_judged(self.clock.seconds, self.judging),
        )
        if not planned:
            self.progress.say("no time is left to train and judge others: the usual recipe stays")
        alike = list(candidates(usual.recipe, seed=self.seed))
        leaders = [usual]
        for level, rung in enumerate(planned):
            told = f"rung {level + 1} of {len(planned)}: {min(rung.candidates, len(alike))} recipes, {rung.steps} steps"
            self.progress.say(told)
            tried = [_without_encoder(usual)] if rung.steps == usual.recipe.steps else []
            for trial in self._climb(alike, rung):
                leaders = _leading([*leaders, trial])
                tried.append(_without_encoder(trial))
                trials.append(tried[-1])
            ranked = sorted(tried, key=lambda trial: trial.grade, reverse=True)
            alike = [replace(trial.recipe, steps=usual.recipe.steps) for trial in ranked]
            alike = alike[: max(1, rung.candidates // ETA)]
        if not any(trial.beats(usual, _TO_LEAVE) for trial in leaders):
            return usual, trials
        return max(leaders, key=lambda trial: trial.ndcg or 0.0), trials

    def _climb(self, alike: list[ScratchRecipe], rung: Rung) -> Iterator[Trial]:
        for recipe in alike[: rung.candidates]:
            longer = replace(recipe, steps=rung.steps)
            if self.clock.left <= 0:
                return
            if longer != self.lesson.recipe:  # that one was first
                trial = self._try(longer)
                if trial.run and trial.run.steps and not (trial.run.diverged or trial.run.interrupted):
                    yield trial.as_it_ended()

    def choice(self, best: Trial, trials: list[Trial]) -> dict[str, Any] | None:
        """By the bootstrap over the judge's documents."""
        sound = [trial for trial in trials if trial.grades is not None and trial.grade > -math.inf]
        rows = [trial.recipe for trial in sound]
        if len(sound) < 2 or best.recipe not in rows or trials[0] not in sound:
            return None
        grades_CA = np.stack([trial.grades for trial in sound if trial.grades is not None])
        return certainty(grades_CA, rows.index(best.recipe), 0, seed=self.seed).to_json()


_SEARCHES: dict[Search, type[_RecipeSearch]] = {"none": _RecipeSearch, "neighbours": _Neighbours, "halving": _Halving}


def trials_judged(seconds: float, one: float) -> float:
    """How many more trials there is time to judge, of which one took so many seconds."""
    return _JUDGED * seconds / max(one, 1e-6) - 1


def _leading(trials: list[Trial]) -> list[Trial]:
    """The best, and those that it doesn't beat beyond noise; no more than memory has room for."""
    ranked = sorted(trials, key=lambda trial: trial.grade, reverse=True)
    return [trial for trial in ranked if not ranked[0].beats(trial)][:_MOST_LEADERS]


def _without_encoder(trial: Trial) -> Trial:
    """Dozens of tables would fill the memory."""
    return replace(trial, encoder=None)


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
