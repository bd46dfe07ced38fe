"""What `learn` is asked for: the dials, checked against each other, and the model that is taken as it is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tolman.errors import ModelError, TolmanError
from tolman.models.encoder import Encoder
from tolman.progress import Progress

if TYPE_CHECKING:
    from tolman.recipe import Size

_SCRATCH_OBJECTIVES = ("contrastive",)


@dataclass(frozen=True)
class Plan:
    """What was asked for.

    Attributes:
        scratch: whether a static encoder is learned.
        pretrained: the model beside it, or instead; None for scratch alone.
        contrastive: whether the static encoder learns beyond its LSA start.
        size: of the static encoder.
    """

    scratch: bool
    pretrained: str | None
    contrastive: bool
    size: "Size | None"

    @classmethod
    def parse(cls, base: str, objectives: str | None, size: "Size | None") -> "Plan":
        """Read the dials, refuse what they can't do together.

        Raises:
            ModelError: no base, or none after the plus.
            TolmanError: objectives that the base can't learn by, no such size, or a size for a base that has its own.
        """
        if not base.strip():
            raise ModelError("expected a base: scratch, minilm, a model folder or a hub id; got nothing")
        first, plus, second = base.partition("+")
        scratch = first == "scratch"
        pretrained = (second if plus else None) if scratch else base
        if scratch and plus and not second:
            raise ModelError(f"expected a model after the plus, like scratch+minilm; got {base!r}")
        wanted = [] if objectives in (None, "none") else [name.strip() for name in str(objectives).split(",")]
        unknown = [name for name in wanted if name not in _SCRATCH_OBJECTIVES]
        if unknown or (wanted and not scratch):
            allowed = "contrastive or none" if scratch else "none: a pretrained base is taken as it is"
            raise TolmanError(f"base {base} learns by {allowed}; got objectives {objectives!r}")
        if size is not None and not scratch:
            raise TolmanError(f"--size is for the base scratch; {base} has a size of its own")
        if size is not None:
            _require_size(size)
        return cls(scratch, pretrained, scratch and objectives != "none", size)


def _require_size(size: str) -> None:
    from tolman.recipe import DIMENSIONS

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
    from tolman.models import load_encoder
    from tolman.models.licence import stated_licence
    from tolman.models.pretrained import KNOWN_MODELS, resolve_base

    folder, known = resolve_base(plan.pretrained, progress), KNOWN_MODELS.get(plan.pretrained)
    licence = known.licence if known else stated_licence(folder)
    return Pretrained(load_encoder(folder), plan.pretrained, licence)
