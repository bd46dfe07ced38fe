"""`learn`: from a pile of text to a latent space, measured, with its card."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, replace
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tolman.card import PRETRAINED, render_card
from tolman.corpus.corpus import Corpus
from tolman.corpus.reading import read_corpus
from tolman.cost import Meter, parse_budget
from tolman.errors import SourceError, TolmanError
from tolman.making import Made, Maker
from tolman.plan import Objectives, Plan, Pretrained, load_pretrained
from tolman.progress import Progress, Silent
from tolman.space.description import SpaceDescription, refuse_as_model, space_path
from tolman.space.space import LatentSpace
from tolman.space.staging import Staging, require_place
from tolman.storage import folders_above, storing

if TYPE_CHECKING:
    from tolman.recipe import Size

Source: TypeAlias = "str | Path | Corpus | Iterable[Any]"

CARD = "card.md"
_FEWEST_DOCUMENTS = 2
_SEEDS = 2**32  # scikit-learn takes no more


def learn(
    source: Source,
    path: str | Path,
    *,
    base: str | Path = "scratch",
    objectives: Objectives = None,
    size: "Size | None" = None,
    budget: str | float = "60s",
    steps: int | None = None,
    seed: int = 0,
    text: str | None = None,
    title: str | None = None,
    id: str | None = None,
    label: str | None = None,
    progress: Progress | None = None,
) -> LatentSpace:
    """Learn an encoder from a corpus, build the space at `path`, measure it, write its card.

    Args:
        source: what `read_corpus` takes, or a Corpus.
        path: of the space, by convention NAME.space; a space that is there is replaced when the new one is whole.
        base: "scratch" (from this corpus alone; "static" and "transformer" say what), "minilm" or any model folder or
            hub id, or "scratch+" one of these: both side by side in one vector, the weight fitted without labels.
        objectives: of "masked", "causal", "autoencoding" and "contrastive", with weights ("masked=1,causal=0.5", or a
            mapping) or without. "contrastive" alone learns a static encoder from scratch, others a transformer; a
            pretrained base learns on by "contrastive" and "masked". "none" takes the base, or the LSA start, as it is.
            None: contrastive for scratch, none for a pretrained base.
        size: of what is learned from scratch; by the corpus when None.
        budget: time for learning, "60s", "5m", "2h" or seconds. It ends training; tokenizer and start count into it
            but are not cut short, so on a large corpus a small budget is overrun. Reading before it and building
            after it are not in it.
        steps: of a transformer, at most; a run that these end, and not the budget, is repeated bit for bit.
        seed: of every draw.
        text, title, id, label: columns of the source; guessed when None.
        progress: who watches; nobody when None.

    Returns:
        The space, open.

    Raises:
        SourceError: nothing to learn from.
        BudgetError: a budget that can't be read.
        ModelError: the base can't be had.
        TolmanError: objectives that the base can't learn by, no such size, or no such seed.
        SpaceError: something other than a space is at `path`.
        StorageError: the disk refused.
    """
    progress = progress or Silent()
    path = space_path(path)
    seconds, seed = parse_budget(budget), _seed(seed)
    plan = Plan.parse(str(base), objectives, size, steps)
    refuse_as_model(plan.pretrained)
    require_place(path)
    with Meter() as meter:
        base_model = load_pretrained(plan, progress)  # first: one that can't be had would throw away what was learned
        source = read_corpus(source, text=text, title=title, id=id, label=label, progress=progress)
        if len(source) < _FEWEST_DOCUMENTS:
            raise SourceError(
                f"learning needs at least {_FEWEST_DOCUMENTS} different documents, "
                f"{source.report.source} has {len(source)}"
            )
        with folders_above(path):
            return _build(source, path, plan, base_model, seconds=seconds, seed=seed, meter=meter, progress=progress)


def _seed(seed: int) -> int:
    """`seed` as a number that every generator takes."""
    try:
        number = index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < _SEEDS:
        raise TolmanError(f"expected a seed that is a whole number from 0 to {_SEEDS - 1}, got {seed!r}")
    return number


def _build(
    corpus: Corpus,
    path: Path,
    plan: Plan,
    pretrained: Pretrained | None,
    *,
    seconds: float,
    seed: int,
    meter: Meter,
    progress: Progress,
) -> LatentSpace:
    """Make the encoder in a workshop beside the space, then the space; both go on where a killed run stopped."""
    key = {"corpus": corpus.fingerprint, "plan": json.dumps(asdict(plan)), "seconds": str(seconds), "seed": str(seed)}
    with Staging(path.with_name(f"{path.name}.learning"), key, made_for=path) as workshop:
        with meter.kept_in(workshop.folder / "cost.json"):
            model = pretrained.encoder if pretrained else None
            made = Maker(
                corpus, plan, model, seconds=seconds, seed=seed, workshop=workshop.folder, progress=progress
            ).make()
            space = _publish(path, corpus, made, pretrained, meter=meter, progress=progress)
        shutil.rmtree(workshop.folder)
    return space


def _publish(
    path: Path, corpus: Corpus, made: Made, pretrained: Pretrained | None, *, meter: Meter, progress: Progress
) -> LatentSpace:
    """The space with its cost and its card, in its place."""

    def finish(space: LatentSpace) -> None:
        space.describe(replace(space.description, cost=meter.read().to_json()))
        with storing(f"can't write {space.path / CARD}"):
            (space.path / CARD).write_text(render_card(path.name, space.description), encoding="utf-8")

    recipe = {**made.recipe, PRETRAINED: pretrained.to_json() if pretrained else None}
    description = SpaceDescription(search=made.search, recipe=recipe, quality=made.quality, parents=made.parents)
    return LatentSpace.create(path, corpus, made.encoder, description=description, progress=progress, finish=finish)
