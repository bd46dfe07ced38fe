"""`learn`: from a pile of text to a latent space, measured, with its card."""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tolman.card import PRETRAINED, render_card
from tolman.corpus.corpus import Corpus
from tolman.corpus.reading import read_corpus
from tolman.cost import Meter, Stopwatch, parse_budget
from tolman.curves.curve import LearningCurve
from tolman.curves.files import write_curves
from tolman.errors import SourceError, TolmanError
from tolman.making import Made, Maker
from tolman.plan import Plan, Pretrained, load_pretrained
from tolman.progress import Progress, Silent
from tolman.space.description import SpaceDescription
from tolman.space.space import LatentSpace
from tolman.space.staging import Staging, require_place
from tolman.storage import folders_above, storing

if TYPE_CHECKING:
    from tolman.prediction import Prediction
    from tolman.recipe import Size

Source: TypeAlias = "str | Path | Corpus | Iterable[Any]"

CARD = "card.md"
WORTH_PREDICTING = 300.0
"""Seconds of a budget from which on a run predicts its cost: a rehearsal takes a small part of that."""
_FEWEST_DOCUMENTS = 2
_SEEDS = 2**32  # scikit-learn takes no more


def learn(
    source: Source,
    path: str | Path,
    *,
    base: str | Path = "scratch",
    objectives: str | None = None,
    size: "Size | None" = None,
    budget: str | float = "60s",
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
        base: "scratch" (a static encoder from this corpus alone), "minilm" or any model folder or hub id (taken as it
            is), or "scratch+" one of these: both side by side in one vector, the weight fitted without labels.
        objectives: "contrastive" for scratch, "none" to take the base, or the LSA start, as it is. None: what the
            base allows.
        size: dimensions of a scratch encoder; by the corpus when None.
        budget: time for learning, "60s", "5m", "2h" or seconds. It ends training; tokenizer and start count into it
            but are not cut short, so on a large corpus a small budget is overrun. Reading before it and building
            after it are not in it.
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
    progress = Stopwatch(progress or Silent())
    path = Path(path)
    seconds, seed = parse_budget(budget), _seed(seed)
    plan = Plan.parse(str(base), objectives, size)
    require_place(path)
    with Meter() as meter:
        base_model = load_pretrained(plan, progress)  # first: one that can't be had would throw away what was learned
        corpus = _enough(read_corpus(source, text=text, title=title, id=id, label=label, progress=progress))
        with folders_above(path):
            return _build(corpus, path, plan, base_model, seconds=seconds, seed=seed, meter=meter, progress=progress)


def predict_cost(
    source: Source,
    path: str | Path | None = None,
    *,
    base: str | Path = "scratch",
    objectives: str | None = None,
    size: "Size | None" = None,
    budget: str | float = "60s",
    seed: int = 0,
    text: str | None = None,
    title: str | None = None,
    id: str | None = None,
    label: str | None = None,
    progress: Progress | None = None,
) -> "Prediction":
    """What `learn` with the same arguments would cost: time of each stage, steps, tokens, FLOPs, memory, energy.

    Reads the source and rehearses the run for a few seconds, in a temporary folder that is gone afterwards.

    Args:
        source, path, base, objectives, size, budget, seed, text, title, id, label: as of `learn`.
        progress: who watches; nobody when None.

    Raises:
        TolmanError: what `learn` would refuse.
    """
    from tolman.rehearsal import rehearse

    watch = Stopwatch(progress or Silent())
    seconds, seed = parse_budget(budget), _seed(seed)
    plan = Plan.parse(str(base), objectives, size)
    if path is not None:
        require_place(Path(path))
    model = load_pretrained(plan, watch)
    corpus = _enough(read_corpus(source, text=text, title=title, id=id, label=label, progress=watch))
    watch.lap()
    return rehearse(corpus, plan, model, seconds=seconds, seed=seed, before=dict(watch.wall), progress=watch)


def _enough(corpus: Corpus) -> Corpus:
    if len(corpus) < _FEWEST_DOCUMENTS:
        raise SourceError(
            f"learning needs at least {_FEWEST_DOCUMENTS} different documents, {corpus.report.source} has {len(corpus)}"
        )
    return corpus


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
    progress: Stopwatch,
) -> LatentSpace:
    """Make the encoder in a workshop beside the space, then the space; both go on where a killed run stopped."""
    key = {"corpus": corpus.fingerprint, "plan": json.dumps(asdict(plan)), "seconds": str(seconds), "seed": str(seed)}
    with Staging(path.with_name(f"{path.name}.learning"), key, made_for=path) as workshop:
        with meter.kept_in(workshop.folder / "cost.json"):
            model = pretrained.encoder if pretrained else None
            predicted = None
            if seconds >= WORTH_PREDICTING:
                asked = workshop.folder / "predicted.json"
                predicted = _predicted(asked, corpus, plan, pretrained, seconds=seconds, seed=seed, progress=progress)
            made = Maker(
                corpus, plan, model, seconds=seconds, seed=seed, workshop=workshop.folder, progress=progress
            ).make()
            space = _publish(path, corpus, made, pretrained, meter=meter, predicted=predicted, progress=progress)
        shutil.rmtree(workshop.folder)
    return space


def _predicted(
    kept: Path,
    corpus: Corpus,
    plan: Plan,
    pretrained: Pretrained | None,
    *,
    seconds: float,
    seed: int,
    progress: Stopwatch,
) -> dict[str, Any]:
    """What the run will cost; after a kill, what was predicted at first."""
    from tolman.prediction import show_briefly
    from tolman.rehearsal import rehearse

    if kept.exists():
        stored: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return stored
    progress.lap()
    before = dict(progress.wall)
    prediction = rehearse(corpus, plan, pretrained, seconds=seconds, seed=seed, before=before, progress=progress)
    progress.say(f"predicted: {show_briefly(prediction)}")
    beside = kept.with_suffix(".partial")
    with storing(f"can't write {kept}"):
        beside.write_text(json.dumps(prediction.to_json()), encoding="utf-8")
        beside.replace(kept)
    return prediction.to_json()


def _publish(
    path: Path,
    corpus: Corpus,
    made: Made,
    pretrained: Pretrained | None,
    *,
    meter: Meter,
    predicted: Mapping[str, Any] | None,
    progress: Stopwatch,
) -> LatentSpace:
    """The space with its cost and its card, in its place."""

    def finish(space: LatentSpace) -> None:
        progress.lap()
        counted = replace(meter.read(), work=made.work, stages=dict(progress.wall), predicted=predicted)
        space.describe(replace(space.description, cost=counted.to_json()))
        resumed = (made.recipe.get("run") or {}).get("resumed", ())
        drawn = write_curves(space.path, LearningCurve.of(path.name, made.curve, resumed), progress)
        with storing(f"can't write {space.path / CARD}"):
            (space.path / CARD).write_text(render_card(path.name, space.description, drawn), encoding="utf-8")

    recipe = {**made.recipe, PRETRAINED: pretrained.to_json() if pretrained else None}
    description = SpaceDescription(search=made.search, recipe=recipe, quality=made.quality, parents=made.parents)
    return LatentSpace.create(path, corpus, made.encoder, description=description, progress=progress, finish=finish)
