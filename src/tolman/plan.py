"""What `learn` is asked for: the dials, checked against each other, and the model that others made."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tolman.errors import ModelError, TolmanError
from tolman.models.encoder import Encoder
from tolman.progress import Progress

if TYPE_CHECKING:
    from tolman.recipe import ScratchRecipe, Size

Learner: TypeAlias = Literal["static", "transformer", "adapted", "causal"]
Objectives: TypeAlias = str | Mapping[str, float] | None

OBJECTIVES = ("masked", "causal", "autoencoding", "contrastive")
STATIC_OBJECTIVES = ("contrastive",)
ADAPTING_OBJECTIVES = ("masked", "contrastive")
SCRATCH = {"scratch": None, "static": "static", "transformer": "transformer"}
"""Bases that are learned from nothing, and the learner that each asks for."""


@dataclass(frozen=True)
class Plan:
    """What was asked for.

    Attributes:
        learner: what learns: a static encoder or a transformer, from nothing; or the pretrained model, an encoder that
            is adapted or a causal model; None where a model is taken as it is.
        pretrained: the model that learns on, stands beside what is learned, or is all; None for scratch alone.
        objectives: name to weight; none of them leaves the static encoder at its LSA start.
        size: of what is learned from nothing.
        steps: of a transformer, at most; by the clock alone when None.
        recipe: of a static encoder: "usual", "auto" (chosen by successive halving), or itself.
    """

    learner: Learner | None
    pretrained: str | None
    objectives: Mapping[str, float] = field(default_factory=dict)
    size: "Size | None" = None
    steps: int | None = None
    recipe: "str | ScratchRecipe" = "usual"

    @property
    def gives_vectors(self) -> bool:
        """Whether an encoder comes of it; a pretrained causal model that learns on guesses tokens, and that is all."""
        return self.learner != "causal"

    def load(self, folder: Path) -> Encoder:
        """The model in `folder`, as the learner begins with it or leaves it.

        Raises:
            ModelError: there is none of that kind, or it can't be read.
        """
        if self.gives_vectors:
            from tolman.models import load_encoder

            return load_encoder(folder)
        from tolman.models.causal_folder import CausalFolder

        return CausalFolder(folder)

    @classmethod
    def parse(
        cls,
        base: str,
        objectives: Objectives,
        size: "Size | None",
        steps: int | None = None,
        recipe: "str | Path | ScratchRecipe" = "usual",
    ) -> "Plan":
        """Read the dials, refuse what they can't do together.

        Args:
            base: what learning begins with.
            objectives: "masked=1,contrastive=0.5", names alone weighing 1; a mapping; "none"; None for what suits the
                base.
            size: of what is learned from nothing; None for what suits the corpus.
            steps: of a transformer, at most.
            recipe: of a static encoder: "usual", "auto", the file of one, or itself.

        Raises:
            ModelError: no base, or none after the plus.
            TolmanError: objectives that the base can't learn by, no such size, a size for a base that has its own,
                steps where no transformer learns, or a recipe that can't be read or where no static encoder learns.
        """
        plan = cls._of_dials(base, objectives, size, steps)
        return plan if recipe == "usual" else replace(plan, recipe=_recipe(recipe, plan))

    @classmethod
    def _of_dials(cls, base: str, objectives: Objectives, size: "Size | None", steps: int | None) -> "Plan":
        if not base.strip():
            raise ModelError("expected a base: scratch, minilm, a model folder or a hub id; got nothing")
        first, plus, second = base.partition("+")
        if first in SCRATCH and plus and not second:
            raise ModelError(f"expected a model after the plus, like scratch+minilm; got {base!r}")
        weights = parse_objectives(objectives)
        if size is not None:
            _require_size(size, base, scratch=first in SCRATCH)
        if first not in SCRATCH:
            return cls._of_pretrained(base, weights or {}, steps)
        learner = _learner(base, first, second, weights)
        if weights is None:
            weights = {"contrastive": 1.0} if learner == "static" else {"masked": 1.0, "contrastive": 1.0}
        _require_steps(steps, learner)
        return cls(learner, second or None, weights, size, steps)

    @classmethod
    def _of_pretrained(cls, base: str, weights: Mapping[str, float], steps: int | None) -> "Plan":
        learner: Learner | None = "adapted" if weights else None
        unfit = [name for name in weights if name not in ADAPTING_OBJECTIVES]
        if set(weights) == {"causal"}:
            learner = "causal"
        elif unfit:
            allowed = ", ".join(ADAPTING_OBJECTIVES)
            raise TolmanError(
                f"a pretrained base learns on by {allowed}, by causal alone, or by none; got {', '.join(weights)}"
            )
        _require_steps(steps, learner)
        return cls(learner, base, weights, None, steps)


def _learner(base: str, first: str, second: str, weights: Mapping[str, float] | None) -> Learner:
    wanted, static = SCRATCH[first], set(weights or ()) <= set(STATIC_OBJECTIVES)
    named = ", ".join(weights or ()) or "none"
    if wanted == "static" and not static:
        raise TolmanError(f"base {base} learns by {', '.join(STATIC_OBJECTIVES)} or none; got {named}")
    if wanted == "transformer" and weights == {}:
        raise TolmanError(f"base {base} is learned from nothing: expected objectives, of {', '.join(OBJECTIVES)}")
    if second and (wanted == "transformer" or not static):
        raise TolmanError(f"beside {second} a static encoder is learned, by contrastive or none; got {base} by {named}")
    return "static" if wanted == "static" or (wanted is None and static) else "transformer"


def _recipe(recipe: "str | Path | ScratchRecipe", plan: Plan) -> "str | ScratchRecipe":
    from tolman.recipe import ScratchRecipe
    from tolman.recipe_file import read_recipe

    if plan.learner != "static" or not plan.objectives:
        raise TolmanError("a recipe is for a static encoder that learns; here none does: leave --recipe away")
    if not isinstance(recipe, str | Path | ScratchRecipe):
        raise TolmanError(f"expected a recipe: usual, auto, or the file of one; got {recipe!r}")
    if recipe == "auto":
        return "auto"
    if plan.size:
        raise TolmanError("a recipe has its own size: leave --size or --recipe away")
    return recipe if isinstance(recipe, ScratchRecipe) else read_recipe(Path(recipe))


def parse_objectives(objectives: Objectives) -> dict[str, float] | None:
    """Name to weight; {} for "none", None where nothing was said.

    Raises:
        TolmanError: no such objective, one twice, or a weight that isn't a number above 0.
    """
    if objectives is None:
        return None
    if isinstance(objectives, str):
        listed = [part.strip().partition("=") for part in objectives.split(",")] if objectives != "none" else []
        pairs = [(name.strip(), weight.strip() if equals else 1.0) for name, equals, weight in listed]
    elif isinstance(objectives, Mapping):
        pairs = list(objectives.items())
    else:
        raise TolmanError(f"expected objectives like masked=1,contrastive=0.5, or a mapping; got {objectives!r}")
    weights: dict[str, float] = {}
    for name, weight in pairs:
        if name not in OBJECTIVES or name in weights:
            told = f"{name!r} is {'there twice' if name in weights else 'none of them'}"
            raise TolmanError(f"expected objectives of {', '.join(OBJECTIVES)}, like masked=1,contrastive=0.5; {told}")
        weights[name] = _weight(name, weight)
    return weights


def _weight(name: str, weight: Any) -> float:
    try:
        number = float(weight)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise TolmanError(f"expected a weight above 0 for {name}, got {weight!r}")
    return number


def _require_steps(steps: int | None, learner: Learner | None) -> None:
    if steps is None:
        return
    if learner not in ("transformer", "adapted", "causal"):
        raise TolmanError("steps are for a transformer that learns; here no transformer does")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise TolmanError(f"expected a number of steps from 1, got {steps!r}")


def _require_size(size: str, base: str, *, scratch: bool) -> None:
    from tolman.recipe import DIMENSIONS

    if not scratch:
        raise TolmanError(f"--size is for what is learned from nothing; {base} has a size of its own")
    if size not in tuple(DIMENSIONS):
        raise TolmanError(f"expected a size of {', '.join(DIMENSIONS)}; got {size!r}")


@dataclass(frozen=True)
class Pretrained:
    """A model that others made.

    Attributes:
        encoder: the model.
        name: as it was asked for.
        licence: of its weights; None where nobody says.
    """

    encoder: Encoder
    name: str
    licence: str | None

    def to_json(self) -> dict[str, Any]:
        """For the recipe."""
        return {"name": self.name, "licence": self.licence, "fingerprint": self.encoder.fingerprint}


def load_pretrained(plan: Plan, progress: Progress) -> Pretrained | None:
    """The model that the plan takes as it is or beside what is learned."""
    if plan.pretrained is None:
        return None
    from tolman.models.licence import stated_licence
    from tolman.models.pretrained import KNOWN_MODELS, resolve_base

    folder, known = resolve_base(plan.pretrained, progress), KNOWN_MODELS.get(plan.pretrained)
    licence = known.licence if known else stated_licence(folder)
    return Pretrained(plan.load(folder), plan.pretrained, licence)
