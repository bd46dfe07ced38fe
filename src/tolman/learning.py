"""`learn`: from a pile of text to a latent space, measured, with its card; or to the model alone."""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from tolman.card import PRETRAINED, render_card
from tolman.corpus.corpus import Corpus
from tolman.corpus.reading import read_corpus
from tolman.cost import Meter, Stopwatch, parse_budget
from tolman.crew import Crew
from tolman.curves.curve import LearningCurve
from tolman.curves.files import write_curves
from tolman.errors import SourceError, TolmanError
from tolman.making import COSTLY, Made, Maker
from tolman.model_folder import MODEL, write_model
from tolman.models.encoder import Encoder
from tolman.plan import Objectives, Plan, Pretrained, load_pretrained
from tolman.progress import Progress, Silent
from tolman.space.description import CorpusRecord, SpaceDescription, refuse_as_model, space_path
from tolman.space.space import LatentSpace
from tolman.space.staging import SPACE, Artifact, Staging, require_place
from tolman.storage import folders_above, storing

if TYPE_CHECKING:
    from tolman.prediction import Prediction
    from tolman.recipe import Size

Source: TypeAlias = "str | Path | Corpus | Iterable[Any]"
ResultT = TypeVar("ResultT")

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
    objectives: Objectives = None,
    size: "Size | None" = None,
    budget: str | float = "60s",
    steps: int | None = None,
    recipe: "str | Path" = "usual",
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
            pretrained encoder learns on by "contrastive" and "masked", a causal model by "causal" (see `learn_model`).
            "none" takes the base, or the LSA start, as it is. None: contrastive for scratch, none for a pretrained
            base.
        size: of what is learned from scratch; None: by the corpus for a static encoder, "tiny" for a transformer.
        budget: time for learning, "60s", "5m", "2h" or seconds. It ends training; tokenizer and start count into it
            but are not cut short, so on a large corpus a small budget is overrun. Reading before it and building
            after it are not in it.
        steps: of a transformer, at most; a run that these end, and not the budget, is repeated bit for bit.
        recipe: of a static encoder from scratch: "usual", "auto" (chosen without labels, see `tune`), or the file of
            one that `tune` chose.
        seed: of every draw.
        text, title, id, label: columns of the source; guessed when None.
        progress: who watches; nobody when None.

    Returns:
        The space, open.

    Raises:
        SourceError: nothing to learn from.
        BudgetError: a budget that can't be read.
        ModelError: the base can't be had.
        TolmanError: objectives that the base can't learn by, no such size, recipe or seed.
        SpaceError: something other than a space is at `path`.
        StorageError: the disk refused.
    """
    dials: dict[str, Any] = {"base": base, "objectives": objectives, "size": size, "budget": budget, "steps": steps}
    dials |= {"recipe": recipe, "seed": seed}
    columns = {"text": text, "title": title, "id": id, "label": label}
    path, progress = space_path(path), progress or Silent()
    space = _learn(source, path, SPACE, _publish, dials=dials, columns=columns, progress=progress)
    return space or LatentSpace.open(path)


def learn_model(
    source: Source,
    path: str | Path,
    *,
    base: str | Path = "scratch",
    objectives: Objectives = None,
    size: "Size | None" = None,
    budget: str | float = "60s",
    steps: int | None = None,
    recipe: "str | Path" = "usual",
    seed: int = 0,
    text: str | None = None,
    title: str | None = None,
    id: str | None = None,
    label: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Learn from a corpus and keep only the model, with its card, in the folder `path`.

    It is the folder that would be `encoder/` of a space; where causal is all that was learned, the causal model. Other
    programs load it; `load_encoder` and `evaluate_text` do. A base that is a causal model of `transformers`, of any
    architecture, learns on by "causal" alone.

    Args:
        source, base, objectives, size, budget, steps, recipe, seed, text, title, id, label, progress: see `learn`.
        path: of the model; one that was learned is replaced when the new one is whole.

    Returns:
        `path`.

    Raises:
        SourceError, BudgetError, ModelError, TolmanError, StorageError: see `learn`.
        SpaceError: something other than a learned model is at `path`.
    """
    dials: dict[str, Any] = {"base": base, "objectives": objectives, "size": size, "budget": budget, "steps": steps}
    dials |= {"recipe": recipe, "seed": seed}
    columns = {"text": text, "title": title, "id": id, "label": label}
    path, progress = space_path(path), progress or Silent()
    _learn(source, path, MODEL, _publish_model, dials=dials, columns=columns, progress=progress)
    return path


def _learn(
    source: Source,
    path: Path,
    artifact: Artifact,
    publish: "Callable[..., ResultT]",
    *,
    dials: Mapping[str, Any],
    columns: Mapping[str, str | None],
    progress: Progress,
) -> ResultT | None:
    """What both do; `publish` puts what was made in its place. None where another process of a crew does that."""
    crew = Crew.of_environment()
    progress = Stopwatch(progress if crew.leads else Silent())
    plan, seconds, seed = parse_dials(dials)
    if artifact is SPACE:
        _require_vectors(plan)
    require_place(path, artifact)
    with Meter() as meter, crew.gathered():
        base_model = load_pretrained(plan, progress)  # first: one that can't be had would throw away what was learned
        corpus = require_documents(read_corpus(source, **columns, progress=progress))
        key = _key(corpus, plan, seconds, seed)
        if not crew.leads:
            crew.wait()  # the workshop is there
            workshop = Staging(workshop_path(path), key, made_for=path).folder
            model = base_model.encoder if base_model else None
            Maker(
                corpus, plan, model, seconds=seconds, seed=seed, workshop=workshop, progress=progress, crew=crew
            ).assist()
            crew.wait()  # what was made is in its place
            return None
        with folders_above(path):
            return _build(
                corpus,
                path,
                plan,
                base_model,
                publish,
                seconds=seconds,
                seed=seed,
                meter=meter,
                progress=progress,
                crew=crew,
            )


def predict_cost(
    source: Source,
    path: str | Path | None = None,
    *,
    base: str | Path = "scratch",
    objectives: Objectives = None,
    size: "Size | None" = None,
    budget: str | float = "60s",
    steps: int | None = None,
    recipe: "str | Path" = "usual",
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
        source, path, base, objectives, size, budget, steps, recipe, seed, text, title, id, label: as of `learn`;
            `path` is None where no space is to come of it.
        progress: who watches; nobody when None.

    Raises:
        TolmanError: what `learn` would refuse.
    """
    from tolman.rehearsal import rehearse

    watch = Stopwatch(progress or Silent())
    dials: dict[str, Any] = {"base": base, "objectives": objectives, "size": size, "budget": budget, "steps": steps}
    dials |= {"recipe": recipe, "seed": seed}
    plan, seconds, seed = parse_dials(dials)
    if path is not None:
        _require_vectors(plan)
        require_place(space_path(path))
    model = load_pretrained(plan, watch)
    corpus = require_documents(read_corpus(source, text=text, title=title, id=id, label=label, progress=watch))
    watch.lap()
    return rehearse(corpus, plan, model, seconds=seconds, seed=seed, before=dict(watch.wall), progress=watch)


def parse_dials(dials: Mapping[str, Any]) -> tuple[Plan, float, int]:
    """(plan, seconds, seed).

    Raises:
        BudgetError, ModelError, TolmanError: one of the dials can't be; see `learn`.
    """
    seconds, seed = parse_budget(dials["budget"]), require_seed(dials["seed"])
    plan = Plan.parse(str(dials["base"]), dials["objectives"], dials["size"], dials["steps"], dials["recipe"])
    refuse_as_model(plan.pretrained)
    return plan, seconds, seed


def _require_vectors(plan: Plan) -> None:
    if not plan.gives_vectors:
        raise TolmanError("what a pretrained base learns by causal alone gives no vectors for a space: add --no-space")


def require_documents(corpus: Corpus) -> Corpus:
    """`corpus`, if there is something to tell apart in it.

    Raises:
        SourceError: it has fewer than two documents.
    """
    if len(corpus) < _FEWEST_DOCUMENTS:
        raise SourceError(
            f"learning needs at least {_FEWEST_DOCUMENTS} different documents, {corpus.report.source} has {len(corpus)}"
        )
    return corpus


def require_seed(seed: int) -> int:
    """`seed` as a number that every generator takes.

    Raises:
        TolmanError: it is none.
    """
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
    publish: "Callable[..., ResultT]",
    *,
    seconds: float,
    seed: int,
    meter: Meter,
    progress: Stopwatch,
    crew: Crew,
) -> ResultT:
    """Make the encoder in a workshop beside its place, then publish it; both go on where a killed run stopped."""
    key = _key(corpus, plan, seconds, seed)
    with Staging(workshop_path(path), key, made_for=path, costly=COSTLY) as workshop:
        crew.wait()
        with meter.kept_in(workshop.folder / "cost.json"):
            model = pretrained.encoder if pretrained else None
            predicted = None
            if seconds >= WORTH_PREDICTING and crew.alone:
                asked = workshop.folder / "predicted.json"
                predicted = _predicted(asked, corpus, plan, pretrained, seconds=seconds, seed=seed, progress=progress)
            made = Maker(
                corpus, plan, model, seconds=seconds, seed=seed, workshop=workshop.folder, progress=progress, crew=crew
            ).make()
            published = publish(path, corpus, made, pretrained, meter=meter, predicted=predicted, progress=progress)
        shutil.rmtree(workshop.folder)
    crew.wait()
    return published


def workshop_path(path: Path) -> Path:
    """Where the encoder of what is to be at `path` is made."""
    return path.with_name(f"{path.name}.learning")


def _key(corpus: Corpus, plan: Plan, seconds: float, seed: int) -> dict[str, str]:
    """Of what is made: only work on the same is gone on with."""
    return {"corpus": corpus.fingerprint, "plan": json.dumps(asdict(plan)), "seconds": str(seconds), "seed": str(seed)}


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
    """The space, with all that is known of it."""
    description = replace(_description(made, pretrained), search=made.search)
    return publish_space(
        path,
        corpus,
        made.encoder,
        description,
        curve=_curve(path, made),
        cost=lambda: count_cost(meter, made.work, progress, predicted),
        progress=progress,
    )


def publish_space(
    path: Path,
    corpus: Corpus,
    encoder: Encoder,
    description: SpaceDescription,
    *,
    curve: LearningCurve,
    cost: Callable[[], Mapping[str, Any]],
    progress: Progress,
) -> LatentSpace:
    """A space of `corpus` with its cost, curves and card, in its place.

    Args:
        path, corpus, encoder, description, progress: as `LatentSpace.create` takes them.
        curve: how it was learned.
        cost: asked when all but that is done.
    """

    def finish(space: LatentSpace) -> None:
        space.describe(replace(space.description, cost=cost()))
        drawn = write_curves(space.path, curve, progress)
        with storing(f"can't write {space.path / CARD}"):
            (space.path / CARD).write_text(render_card(path.name, space.description, drawn), encoding="utf-8")

    return LatentSpace.create(path, corpus, encoder, description=description, progress=progress, finish=finish)


def _publish_model(
    path: Path,
    corpus: Corpus,
    made: Made,
    pretrained: Pretrained | None,
    *,
    meter: Meter,
    predicted: Mapping[str, Any] | None,
    progress: Stopwatch,
) -> Path:
    """The model alone, with its cost and its card, in its place."""
    progress.start("model")
    identity = {"encoder": made.encoder.fingerprint, "corpus": corpus.fingerprint}
    with Staging(path, identity, artifact=MODEL) as staging:
        staging.clear()  # what a killed run left may be half
        origin = CorpusRecord(corpus.fingerprint, corpus.report.source, len(corpus))
        cost = count_cost(meter, made.work, progress, predicted)
        description = replace(_description(made, pretrained), corpus=origin, cost=cost)
        drawn = write_curves(staging.folder, _curve(path, made), progress)
        write_model(staging.folder, path.name, made.encoder, description, drawn)
        staging.publish()
    return path


def _curve(path: Path, made: Made) -> LearningCurve:
    return LearningCurve.of(path.name, made.curve, (made.recipe.get("run") or {}).get("resumed", ()))


def count_cost(
    meter: Meter, work: Mapping[str, Any] | None, progress: Stopwatch, predicted: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """The cost up to now, as JSON values."""
    progress.lap()
    return replace(meter.read(), work=work, stages=dict(progress.wall), predicted=predicted).to_json()


def _description(made: Made, pretrained: Pretrained | None) -> SpaceDescription:
    recipe = {**made.recipe, PRETRAINED: pretrained.to_json() if pretrained else None}
    return SpaceDescription(recipe=recipe, quality=made.quality, parents=made.parents)
