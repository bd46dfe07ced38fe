"""What can be learned: each learner takes an exam and a budget, and leaves an encoder in a folder."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tolman.cost import Work
from tolman.crew import SOLO, Crew
from tolman.errors import ModelError
from tolman.judge import Exam, Pool
from tolman.models.encoder import Encoder
from tolman.plan import Learner, Plan
from tolman.progress import Progress

if TYPE_CHECKING:
    from tolman.models.transformer import TransformerEncoder
    from tolman.recipe import ScratchRecipe
    from tolman.scratch import Learned, Search
    from tolman.training import Run


@dataclass(frozen=True)
class Task:
    """What a learner is given.

    Attributes:
        exam: documents as a learner may see them.
        pool: of its questions; None when the corpus gave none.
        plan: what was asked for.
        pretrained: the model to learn on from; None where learning begins with nothing.
        seconds: of wall clock.
        seed: of every draw.
        corpus: fingerprint of the documents.
        workshop: folder that a killed run is resumed from.
        progress: told what goes on.
        crew: who learns together; a static encoder is learned by the first alone.
    """

    exam: Exam
    pool: Pool | None
    plan: Plan
    pretrained: Encoder | None
    seconds: float
    seed: int
    corpus: str
    workshop: Path
    progress: Progress
    crew: Crew = SOLO


@dataclass(frozen=True)
class Found:
    """What a learner says of its work.

    Attributes:
        recipe: numbers that it learned with, and what training did; JSON values.
        quality: nDCG@10 on the judge's questions, by name.
        curve: points of the learning curve, JSON values.
        work: what training computed, in all.
    """

    recipe: Mapping[str, Any]
    quality: Mapping[str, float]
    curve: list[dict[str, Any]]
    work: Work = field(default_factory=Work)


def learn_static(task: Task, folder: Path) -> Found:
    """A static encoder; the best of several recipes, and of its LSA start."""
    from tolman.scratch import learn_scratch

    task.progress.say(why_static(task))
    recipe, search = static_recipe(task)

    learned = learn_scratch(
        task.exam,
        task.pool,
        seconds=task.seconds,
        seed=task.seed,
        corpus=task.corpus,
        checkpoint=task.workshop,
        progress=task.progress,
        recipe=recipe,
        contrastive=bool(task.plan.objectives),
        search=search,
    )
    best = learned.best
    assert best.encoder is not None
    best.encoder.save(folder)
    told = {
        "scratch": asdict(best.recipe),
        "run": _without_curve(best.run),
        "chosen": "start" if best is learned.start else "learned",
        "trials": [trial.summary() for trial in learned.trials],
        "judging_seconds": learned.judging,
    }
    if learned.choice:
        told["certainty"] = learned.choice
    work = sum((work_of(trial.run) for trial in learned.trials), Work())
    return Found(told, learned.quality, _static_curve(learned), work)


def static_recipe(task: Task) -> "tuple[ScratchRecipe, Search]":
    """The recipe to begin with, and how others are tried."""
    from tolman.recipe import ScratchRecipe

    asked, documents = task.plan.recipe, len(task.exam.texts)
    if isinstance(asked, ScratchRecipe):
        return replace(asked, batch=max(2, min(asked.batch, documents // 2))), "none"
    return ScratchRecipe.derive(documents, task.plan.size), "halving" if asked == "auto" else "neighbours"


def why_static(task: Task) -> str:
    """Which learner a base from nothing takes, and why: the static one at every budget measured so far."""
    return (
        f"learning a static encoder: it searched better than a transformer from nothing at every budget measured "
        f"so far ({len(task.exam.texts):,} documents, {task.seconds:g} s); --base transformer takes the other"
    )


def _static_curve(learned: "Learned") -> list[dict[str, Any]]:
    """From the LSA start on; of the trial that did best, whether or not the start was kept in the end."""
    trial = max(learned.trials, key=lambda trial: trial.grade, default=None)
    if trial is None or trial.run is None or not trial.run.curve:
        return []
    start = {"step": 0, "seconds": 0.0, "losses": {}, "quality": learned.start.ndcg}
    return [start, *(asdict(point) for point in trial.run.curve)]


def learn_transformer(task: Task, folder: Path) -> Found:
    """A transformer, by every objective of the plan at once."""
    from tolman import transformer_learning
    from tolman.models.transformer_folder import save_new
    from tolman.recipe import TransformerRecipe

    characters = sum(map(len, task.exam.texts))
    recipe = TransformerRecipe.derive(characters, len(task.exam.texts), task.plan.size or "tiny")
    learned = transformer_learning.learn_transformer(
        task.exam,
        task.pool,
        task.plan.objectives,
        recipe,
        seconds=task.seconds,
        steps=task.plan.steps,
        seed=task.seed,
        corpus=task.corpus,
        checkpoint=task.workshop,
        progress=task.progress,
        crew=task.crew,
    )
    if not task.crew.leads:
        return Found({}, {}, [])
    save_new(folder, learned.model, learned.tokenizer, task.plan.objectives)
    return Found(
        {"transformer": asdict(learned.recipe), "run": _without_curve(learned.run)},
        {},  # the judge asks it in any case: "dense"
        [asdict(point) for point in learned.run.curve],
        work_of(learned.run),
    )


def adapt(task: Task, folder: Path) -> Found:
    """The pretrained transformer, learned on; as far from its start as the judge finds best.

    Raises:
        ModelError: the base is no transformer.
    """
    from tolman.adapting import adapt_transformer, choose_share
    from tolman.models.transformer_folder import save_adapted
    from tolman.recipe import Adaptation

    base = require_transformer(task)
    recipe = Adaptation.derive(base.dim, base.checkpoint.max_tokens)
    adapted = adapt_transformer(
        task.exam,
        base,
        task.plan.objectives,
        recipe,
        seconds=task.seconds,
        steps=task.plan.steps,
        seed=task.seed,
        corpus=task.corpus,
        checkpoint=task.workshop,
        progress=task.progress,
        crew=task.crew,
    )
    if not task.crew.leads:
        return Found({}, {}, [])
    task.progress.start("judging", None)
    choice, ndcg = choose_share(adapted, base, task.pool)
    save_adapted(folder, adapted.between(choice.weight), base.checkpoint, base.folder)
    told = {"share": choice.weight, "grades": {f"{share:g}": grade for share, grade in choice.quality.items()}}
    return Found(
        {"adaptation": asdict(recipe), "averaged": told, "run": _without_curve(adapted.run)},
        {"pretrained": ndcg[0.0], "learned": ndcg[choice.weight]} if ndcg else {},
        [asdict(point) for point in adapted.run.curve],
        work_of(adapted.run),
    )


def require_transformer(task: Task) -> "TransformerEncoder":
    """The base that is adapted.

    Raises:
        ModelError: it is no transformer.
    """
    from tolman.models.transformer import TransformerEncoder

    if not isinstance(task.pretrained, TransformerEncoder):
        raise ModelError(
            f"base {task.plan.pretrained} is no encoder that learns on: take it with --objectives none, or a causal "
            "model with --objectives causal --no-space"
        )
    return task.pretrained


def tune_causal_model(task: Task, folder: Path) -> Found:
    """The pretrained causal model, learned on; as far from its start as held-out text finds best."""
    from tolman.causal_tuning import tune_causal
    from tolman.models.causal_folder import CausalFolder

    base = task.pretrained
    assert isinstance(base, CausalFolder)
    tuned = tune_causal(
        task.exam.contents,
        base,
        seconds=task.seconds,
        steps=task.plan.steps,
        seed=task.seed,
        corpus=task.corpus,
        checkpoint=task.workshop,
        progress=task.progress,
        crew=task.crew,
    )
    if not task.crew.leads:
        return Found({}, {}, [])
    tuned.save(base, folder)
    nats = {f"{share:g}": -grade for share, grade in tuned.choice.quality.items()}
    return Found(
        {"averaged": {"share": tuned.choice.weight, "nats": nats}, "run": _without_curve(tuned.run)},
        {},
        [asdict(point) for point in tuned.run.curve],
        work_of(tuned.run),
    )


def work_of(run: "Run | None") -> Work:
    """What one training run computed."""
    return Work(run.steps, run.tokens, run.flops) if run else Work()


def _without_curve(run: Any) -> dict[str, Any] | None:
    return {key: value for key, value in asdict(run).items() if key != "curve"} if run else None


LEARNERS: Mapping[Learner, Callable[[Task, Path], Found]] = {
    "static": learn_static,
    "transformer": learn_transformer,
    "adapted": adapt,
    "causal": tune_causal_model,
}
"""By the name that a plan calls them."""

TOGETHER: tuple[Learner, ...] = ("transformer", "adapted", "causal")
"""Those that a crew of processes learns by; the others the first process learns alone."""

LEARNING_ON: tuple[Learner, ...] = ("adapted", "causal")
"""Those that begin with a pretrained model, and leave it changed."""
