"""What a run will cost, found out by rehearsing it: all of it for real but most of the time.

The run's own code reads, sets the exam, starts, takes a few training steps on the real shapes, judges, encodes and
indexes, in a temporary folder that is gone afterwards. What takes long is done in part and scaled: learners start from
part of the text and take a few steps, encoders see a part of what they are given. So a rehearsal is as good as the code
it runs, and nobody keeps a second copy of what `learn` does.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tolman.corpus.corpus import Corpus
from tolman.cost import WATTS_PER_CORE, Meter, Stopwatch, Work, cpu_seconds, peak_bytes, resident_bytes
from tolman.crew import SOLO
from tolman.curves.curve import LearningCurve
from tolman.curves.files import write_curves
from tolman.judge import Exam, Pool
from tolman.learners import LEARNERS, LEARNING_ON, Task, static_recipe
from tolman.making import ENCODER, Maker
from tolman.models import load_encoder
from tolman.models.encoder import Encoder, Floats, Role
from tolman.plan import Learner, Plan, Pretrained
from tolman.prediction import Prediction, grouped
from tolman.progress import Progress, Silent
from tolman.space.space import LatentSpace

if TYPE_CHECKING:
    from tolman.training import Point, Run

STATIC_STEPS, TRANSFORMER_STEPS = 20, 4
"""Training steps of a rehearsal."""
TRANSFORMER_SECONDS = 60.0
"""How long a transformer's may take, with what they start from; the first is taken all the same."""
STATIC_CHARACTERS, TRANSFORMER_CHARACTERS = 4_000_000, 1_500_000
"""Of the text that a rehearsed learner starts from."""
_DOCUMENTS = 20_000  # that are stored and indexed
_ENCODED = 32  # texts at a time
_ENCODING_SECONDS = 0.6  # of one call
_HALVED = 1.2  # times the time that successive halving plans to take is there
_START_EXPONENT = 0.75  # of an LSA start: its vocabulary grows more slowly than its text
_STATIC_GROWTH = 1.2
_TRANSFORMER_GROWTH, _MOST_GROWTH = 0.36, 2.5
# Training takes more memory from step to step: in the end so many times what a rehearsal took; of a transformer, by
# this power of how many times more steps there are. Measured with glibc and oneDNN, which keep something for each
# shape that they have seen.
_BYTES_A_CHARACTER = 8  # of text that a learner prepares
_WATCHED = 10  # times that quality is measured in a run


def rehearse(
    corpus: Corpus,
    plan: Plan,
    pretrained: Pretrained | None,
    *,
    seconds: float,
    seed: int,
    before: Mapping[str, float],
    progress: Progress,
) -> Prediction:
    """Predict what `learn` will cost, from here on and with what went `before`.

    Args:
        corpus, plan, pretrained, seconds, seed: as `learn` has them.
        before: seconds that reading and loading took, by stage.
        progress: told that a rehearsal goes on.
    """
    progress.start("rehearsing", None)
    with Meter() as meter, TemporaryDirectory(prefix="tolman-") as folder:
        rehearsal = Rehearsal(corpus, plan, pretrained, seconds=seconds, seed=seed, folder=Path(folder))
        rehearsal.run()
    # Only now: what the run imports on its way, torch above all, is to be counted where it will be.
    return rehearsal.prediction(before, training_ceiling(plan), meter)


class Rehearsal(Maker):
    """A run of `learn` after reading, most of it left out and counted all the same."""

    def __init__(
        self, corpus: Corpus, plan: Plan, pretrained: Pretrained | None, *, seconds: float, seed: int, folder: Path
    ) -> None:
        self.watch = Stopwatch(Silent())
        self.base = pretrained.encoder if pretrained and plan.learner in LEARNING_ON else None
        model = _rehearsed(pretrained.encoder, self.watch) if pretrained else None
        super().__init__(corpus, plan, model, seconds=seconds, seed=seed, workshop=folder, progress=self.watch)
        self.outlook: Outlook | None = None
        self.memory_beyond = 0.0

    def run(self) -> None:
        """Everything, in order."""
        made = self.make()
        if not self.plan.gives_vectors:  # no space comes of it
            self.watch.start("model", None)
            made.encoder.save(self.workshop / "x.model")
            self.watch.lap()
            return
        share = max(1.0, len(self.corpus) / _DOCUMENTS)
        before, held = dict(self.watch.wall), resident_bytes()

        def finish(space: LatentSpace) -> None:
            write_curves(space.path, LearningCurve.of("rehearsal", made.curve), Silent())

        part = _part_of(self.corpus, _DOCUMENTS, self.seed)
        LatentSpace.create(self.workshop / "x.space", part, made.encoder, progress=self.watch, finish=finish)
        self.watch.lap()
        for stage in set(self.watch.wall) - set(before):
            self.watch.wall[stage] *= share
            self.watch.cpu[stage] *= share
        self.memory_beyond = max(self.memory_beyond, (resident_bytes() - held) * (share - 1))

    def _learned(self, exam: Exam, pool: Pool | None, recipe: dict[str, Any], quality: dict[str, Any]) -> Encoder:
        """The learner's first steps, and what the rest of them will take."""
        assert self.plan.learner is not None
        kept = self.workshop / ENCODER
        task = Task(
            exam,
            pool,
            self.plan,
            self.base,
            self.seconds,
            self.seed,
            self.corpus.fingerprint,
            self.workshop,
            self.progress,
        )
        held = resident_bytes()
        self.outlook = REHEARSALS[self.plan.learner](task, kept, self.watch)
        self.curve = self.outlook.curve
        self.memory_beyond = (self.outlook.growth - 1) * max(0, peak_bytes() - held)
        self.memory_beyond += _BYTES_A_CHARACTER * self.outlook.left_out
        return _rehearsed(self.plan.load(kept), self.watch)

    def prediction(self, before: Mapping[str, float], ceiling: float, meter: Meter) -> Prediction:
        """Put together."""
        wall, cpu = dict(self.watch.wall), dict(self.watch.cpu)
        if self.outlook:
            for stage, (wall_seconds, cpu_share) in self.outlook.stages.items():
                wall[stage], cpu[stage] = wall_seconds, wall_seconds * cpu_share
        spent = meter.read()
        busy = sum(cpu.values()) + sum(before.values())  # reading keeps one core busy
        measured = spent.energy_method.startswith("measured")
        joules = spent.energy_joules / max(spent.cpu_seconds, 1e-9) if measured else WATTS_PER_CORE
        rate = self.outlook.flops_per_second if self.outlook else None
        stages = grouped({**before, **wall})
        return Prediction(
            stages=stages,
            wall_seconds=sum(stages.values()),
            cpu_seconds=busy,
            peak_bytes=round(peak_bytes() + self.memory_beyond),
            energy_joules=busy * joules,
            energy_method=spent.energy_method,
            work=self.outlook.work if self.outlook else None,
            step_seconds=self.outlook.step_seconds if self.outlook else None,
            ceiling=ceiling,
            utilization=rate / ceiling if rate else None,
            took_seconds=spent.wall_seconds,
        )


@dataclass(frozen=True)
class Outlook:
    """What a learner will take, after its rehearsal.

    Attributes:
        stages: by name: seconds of wall clock, and CPU seconds for each of them.
        work: in all.
        step_seconds: of a step.
        flops_per_second: in training; None where nobody has a formula.
        growth: times more memory than in the few steps.
        left_out: characters that the learner didn't see.
        curve: of the few steps.
    """

    stages: Mapping[str, tuple[float, float]]
    work: Work
    step_seconds: float
    flops_per_second: float | None
    growth: float = 1.0
    left_out: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)


def rehearse_static(task: Task, folder: Path, watch: Stopwatch) -> Outlook:
    """The start from a part of the text, a few steps with the recipe of all of it, judged."""
    from tolman.scratch import learn_scratch

    recipe, search = static_recipe(task)
    part, share = _part_of_exam(task.exam, STATIC_CHARACTERS, task.seed)
    learned = learn_scratch(
        part,
        replace(task.pool, natural=False) if task.pool else None,  # one recipe is enough
        seconds=math.inf,
        seed=task.seed,
        corpus=task.corpus,
        checkpoint=task.workshop,
        progress=watch,
        recipe=replace(recipe, steps=min(STATIC_STEPS, recipe.steps)),
        contrastive=bool(task.plan.objectives),
    )
    watch.lap()
    assert learned.best.encoder is not None
    learned.best.encoder.save(folder)
    start = watch.wall["tokenizer and start"] * share**_START_EXPONENT
    stages = {"tokenizer and start": (start, _busy(watch, "tokenizer and start"))}
    run = learned.trials[0].run if learned.trials else None
    _require_uninterrupted(run)
    if run is None or not run.steps:
        return Outlook(stages, Work(), 0.0, None)
    step = _step_seconds(run.curve)
    fixed = max(0.0, watch.wall["learning"] - step * run.steps)
    natural = bool(task.pool and task.pool.natural)
    left = 0.9 * task.seconds - start
    steps, seconds = _search(recipe, step, fixed, left, natural=natural and search != "none")
    if natural and search == "halving" and steps >= recipe.steps:  # it takes nearly all there is
        most = min(int(left / _HALVED / step), _halving_steps(recipe, step, left, task.seconds, learned.judging))
        steps, seconds = max(steps, most), max(seconds, most * step)
    stages["learning"] = (seconds, _busy(watch, "learning"))
    rate, left_out = run.flops / run.steps / step or None, _left_out(task.exam, part)
    return Outlook(stages, _work(run, steps), step, rate, _STATIC_GROWTH, left_out, _points(run))


def _halving_steps(recipe: Any, step: float, left: float, seconds: float, judging: float) -> int:
    """Of the first recipe, and of as many others as there is time to judge."""
    from tolman.halving import rungs
    from tolman.scratch import _HEADROOM, trials_judged

    planned = rungs(recipe.steps, (left / step - recipe.steps) / _HEADROOM, trials_judged(seconds, judging))
    return int(recipe.steps + sum(rung.candidates * rung.steps for rung in planned) * _HEADROOM)


def _search(recipe: Any, step: float, fixed: float, left: float, *, natural: bool) -> tuple[int, float]:
    """(steps, seconds) of the first recipe and of those neighbours that there is time for, if none of them wins."""
    from tolman.scratch import _HEADROOM

    if left <= 0:  # the start took all of the budget
        return 0, 0.0
    steps = min(recipe.steps, max(1, int(left / step)))
    spent = steps * step + fixed
    if natural and steps == recipe.steps:
        for neighbour in recipe.neighbours():
            if neighbour.steps * (step + fixed / recipe.steps) * _HEADROOM < left - spent:
                steps += neighbour.steps
                spent += neighbour.steps * step + fixed
    return steps, spent


def rehearse_transformer(task: Task, folder: Path, watch: Stopwatch) -> Outlook:
    """The tokenizer from a part of the text, a few steps on the shapes of all of it."""
    from tolman import transformer_learning
    from tolman.models.transformer_folder import save_new
    from tolman.recipe import TransformerRecipe

    characters = sum(map(len, task.exam.texts))
    recipe = TransformerRecipe.derive(characters, len(task.exam.texts), task.plan.size or "tiny")
    part, share = _part_of_exam(task.exam, TRANSFORMER_CHARACTERS, task.seed)
    learned = transformer_learning.learn_transformer(
        part,
        None,
        task.plan.objectives,
        recipe,
        seconds=TRANSFORMER_SECONDS,
        steps=TRANSFORMER_STEPS,
        seed=task.seed,
        corpus=task.corpus,
        checkpoint=task.workshop,
        progress=watch,
        compiled=transformer_learning.pays_to_compile(task.crew.device, task.seconds),
    )
    watch.lap()
    save_new(folder, learned.model, learned.tokenizer, task.plan.objectives)
    start = watch.wall["tokenizer"] * share + watch.wall.get("compiling", 0.0)
    asked = _asking_seconds(load_encoder(folder), task.pool)
    asked *= _watched_share(task.pool) if "contrastive" in task.plan.objectives else 0.0
    return _outlook(task, watch, learned.run, part, start=("tokenizer", start), watching=asked)


def rehearse_adapted(task: Task, folder: Path, watch: Stopwatch) -> Outlook:
    """A few steps of the pretrained model on a part of the text; the judge is asked as often as in the run."""
    from tolman.adapting import SHARES
    from tolman.learners import require_transformer

    outlook = rehearse_learning_on(task, folder, watch)
    if task.pool is not None:
        watch.start("judging", None)
        for _ in SHARES:
            task.pool.cosines(Rehearsed(require_transformer(task), watch))
        watch.lap()
    return outlook


def rehearse_learning_on(task: Task, folder: Path, watch: Stopwatch) -> Outlook:
    """A few steps of the pretrained model on a part of the text."""
    from tolman.training import Point, Run

    assert task.plan.learner is not None
    part, share = _part_of_exam(task.exam, TRANSFORMER_CHARACTERS, task.seed)
    plan = replace(task.plan, steps=TRANSFORMER_STEPS)
    few = replace(task, exam=part, pool=None, plan=plan, seconds=TRANSFORMER_SECONDS, progress=watch)
    found = LEARNERS[task.plan.learner](few, folder)
    watch.lap()
    run = Run(**found.recipe["run"], curve=tuple(Point(**point) for point in found.curve))
    return _outlook(task, watch, run, part, start=("tokens", watch.wall["tokens"] * share))


def _outlook(
    task: Task, watch: Stopwatch, run: "Run", part: Exam, *, start: tuple[str, float], watching: float = 0.0
) -> Outlook:
    """From a few steps of a transformer to all that fit into the budget.

    Args:
        task, watch: of the rehearsal.
        run: the few steps.
        part: what they learned from.
        start: the stage before learning, and the seconds that it will take.
        watching: seconds to measure quality once on the way.
    """
    stage, seconds = start
    stages = {stage: (seconds, _busy(watch, stage))}
    _require_uninterrupted(run)
    if not run.steps:
        return Outlook(stages, Work(), 0.0, None)
    step = _step_seconds(run.curve)
    steps, seconds = _within(task, step, watching, task.seconds - seconds)
    stages["learning"] = (seconds, _busy(watch, "learning"))
    growth = min(_MOST_GROWTH, max(1.0, steps / run.steps) ** _TRANSFORMER_GROWTH)
    rate, left_out = run.flops / run.steps / step or None, _left_out(task.exam, part)
    return Outlook(stages, _work(run, steps), step, rate, growth, left_out, _points(run))


def _within(task: Task, step: float, watching: float, left: float) -> tuple[int, float]:
    """(steps, seconds) until the budget is over, quality watched on the way."""
    fitting = max(0.0, left) / (step + watching)
    if fitting > _WATCHED:
        fitting = (left - _WATCHED * watching) / step
    steps = max(1, math.ceil(fitting))
    steps = min(steps, task.plan.steps or steps)
    return steps, steps * step + min(steps, _WATCHED) * watching


def _asking_seconds(encoder: Encoder, pool: Pool | None) -> float:
    """To encode the judge's questions and its documents."""
    if pool is None:
        return 0.0
    watch = Stopwatch(Silent())
    pool.cosines(_rehearsed(encoder, watch))
    watch.lap()
    return sum(watch.wall.values())


def _watched_share(pool: Pool | None) -> float:
    from tolman.transformer_learning import _WATCHED_QUESTIONS

    if pool is None:
        return 0.0
    watched = min(_WATCHED_QUESTIONS, len(pool.questions)) + min(2 * _WATCHED_QUESTIONS, len(pool.contents))
    return watched / (len(pool.questions) + len(pool.contents))


REHEARSALS: Mapping[Learner, Callable[[Task, Path, Stopwatch], Outlook]] = {
    "static": rehearse_static,
    "transformer": rehearse_transformer,
    "adapted": rehearse_adapted,
    "causal": rehearse_learning_on,
}
"""One for each of `tolman.learners.LEARNERS`."""


def _require_uninterrupted(run: "Run | None") -> None:
    """Who stops the rehearsal doesn't want the run: training alone would end, and all else go on."""
    if run and run.interrupted:
        raise KeyboardInterrupt


def _left_out(exam: Exam, part: Exam) -> int:
    return sum(map(len, exam.texts)) - sum(map(len, part.texts))


def _points(run: "Run") -> list[dict[str, Any]]:
    return [asdict(point) for point in run.curve]


def _work(run: "Run", steps: int) -> Work:
    return Work(steps, round(run.tokens / run.steps * steps), run.flops / run.steps * steps)


def _busy(watch: Stopwatch, stage: str) -> float:
    return watch.cpu[stage] / max(watch.wall[stage], 1e-9)


def _step_seconds(curve: Sequence["Point"]) -> float:
    """Mean time from one point to the next, those left out before which quality was measured, and the first ones."""
    pairs = pairwise(curve)
    spans = [
        (later.seconds - point.seconds) / (later.step - point.step) for point, later in pairs if point.quality is None
    ]
    if not spans:
        return float(curve[-1].seconds / curve[-1].step)
    settled = spans[1:] or spans
    return float(np.mean(settled))


def _part_of_exam(exam: Exam, characters: int, seed: int) -> tuple[Exam, float]:
    """Documents drawn at random with about so many characters, and how many times more text there is in all."""
    lengths = np.array([len(text) for text in exam.texts])
    if lengths.sum() <= characters:
        return exam, 1.0
    order = np.random.default_rng([seed, 5]).permutation(len(lengths))
    rows = np.sort(order[: 1 + int(np.searchsorted(np.cumsum(lengths[order]), characters))])
    titles, texts = ([given[row] for row in rows] for given in (exam.titles, exam.texts))
    return Exam(titles, texts, np.empty(0, np.int64), [], [], exam.natural), float(lengths.sum() / lengths[rows].sum())


def _rehearsed(encoder: Encoder, watch: Stopwatch) -> Encoder:
    """Static ones encode everything: they are fast, and the faster the more words they have seen."""
    return encoder if encoder.family == "static" else Rehearsed(encoder, watch)


def _part_of(corpus: Corpus, documents: int, seed: int) -> Corpus:
    if len(corpus) <= documents:
        return corpus
    rows = np.sort(np.random.default_rng([seed, 6]).choice(len(corpus), documents, replace=False))
    return Corpus(corpus.table.take(pa.array(rows)), f"part of {corpus.fingerprint}", corpus.report)


class Rehearsed:
    """An encoder that encodes a part of what it is given, at random, and counts the time that the rest would take.

    The vectors of the rest are those of the part, over and over.
    """

    def __init__(self, encoder: Encoder, watch: Stopwatch) -> None:
        self.encoder, self.watch = encoder, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.encoder, name)

    def encode(self, texts: Sequence[str], role: Role = "document") -> Floats:
        """Unit vectors (N, D)."""
        chunks = _spread_out(np.argsort([len(text) for text in texts], kind="stable"))
        began, cpu = time.perf_counter(), cpu_seconds()
        vectors_ND = np.empty((len(texts), self.encoder.dim), np.float32)
        done = np.empty(0, np.int64)
        for chunk in chunks:
            vectors_ND[chunk] = self.encoder.encode([texts[row] for row in chunk], role)
            done = np.append(done, chunk)
            if time.perf_counter() - began > _ENCODING_SECONDS:
                break
        rest = np.setdiff1d(np.arange(len(texts)), done)
        if len(rest):
            times = len(rest) / len(done)
            self.watch.add((time.perf_counter() - began) * times, (cpu_seconds() - cpu) * times)
            vectors_ND[rest] = np.resize(vectors_ND[done], (len(rest), self.encoder.dim))
        return vectors_ND


def _spread_out(ordered: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Neighbours in small groups, as encoders put texts of one length together, and any first few of the groups from
    all over: the middle, then by steps of the golden ratio."""
    groups = np.array_split(ordered, max(1, len(ordered) // _ENCODED))
    return [groups[place] for place in np.argsort((0.5 + 0.618034 * np.arange(len(groups))) % 1).argsort()]


def training_ceiling(plan: Plan) -> float:
    """FLOP/s that a learner could reach here at most: a static encoder is learned on the processor, in float32."""
    import torch

    from tolman.ceiling import matrix_ceiling
    from tolman.models.transformer import fastest_precision

    device = torch.device("cpu") if plan.learner == "static" else SOLO.device
    return matrix_ceiling("float32" if plan.learner == "static" else fastest_precision(device), device)
