"""`learn`: from a pile of text to a latent space.

corpus -> exam (questions taken out) -> encoder -> weights and confidence, fitted on the exam -> space, measured, with
its card.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tolman.card import PRETRAINED, render_card
from tolman.confidence import fit_confidence
from tolman.corpus.corpus import Corpus
from tolman.corpus.passages import words
from tolman.corpus.reading import read_corpus
from tolman.cost import Meter, parse_budget
from tolman.errors import ModelError, SourceError, TolmanError
from tolman.judge import Exam, Pool, set_exam
from tolman.models.encoder import Encoder, Floats
from tolman.progress import Progress, Silent
from tolman.ranking import HybridRanking
from tolman.space.description import SearchSettings, SpaceDescription
from tolman.space.language import guess_language
from tolman.space.space import LatentSpace
from tolman.space.staging import Staging, require_place
from tolman.storage import storing
from tolman.tuning import Choice, bm25_scores, choose_blend, choose_lexical_weight

if TYPE_CHECKING:
    from tolman.models.static import StaticEncoder
    from tolman.scratch import Size

Source: TypeAlias = "str | Path | Corpus | Iterable[Any]"

CARD = "card.md"
MOST_LEARNED_FROM = 100_000  # documents; more are placed in the space, not learned from
_POOL = (1_000, 3_000)  # documents that questions are asked over, at least and at most
_HOPELESS = 0.05  # nDCG@10 of the judge's questions, under which they calibrate nothing
_ASKED_SHARE = 0.2  # of the corpus in between, where a transformer has to encode them
_FEWEST_DOCUMENTS = 2
_SEEDS = 2**32  # scikit-learn takes no more
_SCRATCH_OBJECTIVES = ("contrastive",)


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
    progress = progress or Silent()
    path = Path(path)
    seconds, seed = parse_budget(budget), _seed(seed)
    plan = Plan.parse(str(base), objectives, size)
    require_place(path)
    with Meter() as meter:
        base_model = _pretrained(plan, progress)  # first: one that can't be had would throw away what was learned
        source = read_corpus(source, text=text, title=title, id=id, label=label, progress=progress)
        if len(source) < _FEWEST_DOCUMENTS:
            raise SourceError(
                f"learning needs at least {_FEWEST_DOCUMENTS} different documents, "
                f"{source.report.source} has {len(source)}"
            )
        with _new_folders_above(path):
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


def _pretrained(plan: "Plan", progress: Progress) -> Pretrained | None:
    """The model that the plan takes as it is or beside what is learned."""
    if plan.pretrained is None:
        return None
    from tolman.models import load_encoder
    from tolman.models.licence import stated_licence
    from tolman.models.pretrained import KNOWN_MODELS, resolve_base

    folder, known = resolve_base(plan.pretrained, progress), KNOWN_MODELS.get(plan.pretrained)
    licence = known.licence if known else stated_licence(folder)
    return Pretrained(load_encoder(folder), plan.pretrained, licence)


@contextmanager
def _new_folders_above(path: Path) -> Iterator[None]:
    """Folders that had to be made for `path` go again after an error."""
    made = [folder for folder in path.absolute().parents if not folder.exists()]
    try:
        yield
    except Exception:
        with suppress(OSError):  # never made, or somebody else put something there
            for folder in made:
                folder.rmdir()
        raise


def _build(
    corpus: Corpus,
    path: Path,
    plan: "Plan",
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
    path: Path, corpus: Corpus, made: "Made", pretrained: Pretrained | None, *, meter: Meter, progress: Progress
) -> LatentSpace:
    """The space with its cost and its card, in its place."""

    def finish(space: LatentSpace) -> None:
        space.describe(replace(space.description, cost=meter.read().to_json()))
        with storing(f"can't write {space.path / CARD}"):
            (space.path / CARD).write_text(render_card(path.name, space.description), encoding="utf-8")

    recipe = {**made.recipe, PRETRAINED: pretrained.to_json() if pretrained else None}
    description = SpaceDescription(search=made.search, recipe=recipe, quality=made.quality, parents=made.parents)
    return LatentSpace.create(path, corpus, made.encoder, description=description, progress=progress, finish=finish)


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
    from tolman.scratch import DIMENSIONS

    if size not in tuple(DIMENSIONS):
        raise TolmanError(f"expected a size of {', '.join(DIMENSIONS)}; got {size!r}")


@dataclass(frozen=True)
class Made:
    """An encoder, and all that was found out about it on the way."""

    encoder: Encoder
    search: SearchSettings
    recipe: Mapping[str, Any]
    quality: Mapping[str, Any]
    parents: tuple[str, ...]


class Maker:
    """One run of `learn`, up to the encoder and its settings: all but building the space."""

    def __init__(
        self,
        corpus: Corpus,
        plan: Plan,
        pretrained: Encoder | None,
        *,
        seconds: float,
        seed: int,
        workshop: Path,
        progress: Progress,
    ) -> None:
        self.corpus, self.plan, self.seconds, self.seed = corpus, plan, seconds, seed
        self.pretrained, self.workshop, self.progress = pretrained, workshop, progress

    def make(self) -> Made:
        """Exam, encoder, weights, confidence."""
        self.progress.start("questions for the judge", None)
        exam = self._exam()
        pool = exam.pool(pool_size(len(exam.texts), self.plan), self.seed) if len(exam) else None
        if pool is None:
            self.progress.say("too few suitable documents to judge by: weights are defaults, hits have no confidence")
        recipe: dict[str, Any] = {"plan": asdict(self.plan), "budget_seconds": self.seconds, "seed": self.seed}
        quality: dict[str, Any] = {}
        learned = self._scratch(exam, pool, recipe, quality) if self.plan.scratch else None
        pretrained = self.pretrained
        encoder, cosines_QN = self._combine(learned, pretrained, pool, recipe, quality)
        search = self._settle(pool, cosines_QN, quality)
        parents = parents_of(encoder, learned, pretrained)
        return Made(encoder, search, recipe, quality, parents)

    def _exam(self) -> Exam:
        rows = np.arange(len(self.corpus))
        if len(rows) > MOST_LEARNED_FROM:
            drawn = np.random.default_rng([self.seed, 3]).choice(rows, MOST_LEARNED_FROM, replace=False)
            rows = np.sort(drawn)
            self.progress.say(f"learning from {MOST_LEARNED_FROM:,} of {len(self.corpus):,} documents")
        chosen = self.corpus.table.select(["title", "text"]).take(rows)
        return set_exam(chosen["title"].to_pylist(), chosen["text"].to_pylist(), seed=self.seed)

    def _scratch(
        self, exam: Exam, pool: Pool | None, recipe: dict[str, Any], quality: dict[str, Any]
    ) -> "StaticEncoder":
        """The learned encoder; from the workshop where a killed run had finished it."""
        from tolman.models.static import StaticEncoder
        from tolman.scratch import ScratchRecipe, learn_scratch

        kept, notes = self.workshop / "encoder", self.workshop / "learned.json"
        if not notes.exists():
            learned = learn_scratch(
                exam,
                pool,
                seconds=self.seconds,
                seed=self.seed,
                corpus=self.corpus.fingerprint,
                checkpoint=self.workshop,
                progress=self.progress,
                recipe=ScratchRecipe.derive(len(exam.texts), self.plan.size),
                contrastive=self.plan.contrastive,
            )
            best = learned.best
            best.encoder.save(kept)
            found = {
                "scratch": asdict(best.recipe),
                "run": asdict(best.run) if best.run else None,
                "chosen": "start" if best is learned.start else "learned",
                "trials": [trial.summary() for trial in learned.trials],
            }
            told = json.dumps({"recipe": found, "quality": learned.quality})
            with storing(f"can't write {notes}"):
                notes.with_suffix(".partial").write_text(told)
                notes.with_suffix(".partial").replace(notes)
        stored = json.loads(notes.read_text())
        recipe.update(stored["recipe"])
        quality.update(stored["quality"])
        return StaticEncoder.load(kept)

    def _combine(
        self,
        learned: Encoder | None,
        pretrained: Encoder | None,
        pool: Pool | None,
        recipe: dict[str, Any],
        quality: dict[str, Any],
    ) -> tuple[Encoder, Floats | None]:
        """The encoder of the space, and its cosines on the judge's questions."""
        self.progress.start("judging", None)
        alone = learned or pretrained
        if learned is None or pretrained is None:
            assert alone is not None
            return alone, pool.cosines(alone) if pool else None
        from tolman.models.blended import BlendedEncoder

        if pool is None:
            return BlendedEncoder((pretrained, learned), (1.0, 0.5)), None
        base_QN, learned_QN = pool.cosines(pretrained), pool.cosines(learned)
        choice = choose_blend(pool, base_QN, learned_QN)
        recipe["blend"] = {"weight": choice.weight, "quality": _by_name(choice)}
        quality["pretrained"] = pool.ndcg(base_QN)
        self.progress.say(f"blend: {choice.weight:g} of the learned encoder beside 1 of {self.plan.pretrained}")
        weight = choice.weight
        if weight == 0:
            return pretrained, base_QN
        return BlendedEncoder((pretrained, learned), (1.0, weight)), np.asarray(
            (base_QN + weight * learned_QN) / (1 + weight), np.float32
        )

    def _settle(self, pool: Pool | None, cosines_QN: Floats | None, quality: dict[str, Any]) -> SearchSettings:
        """Weight of BM25 and confidence."""
        if pool is None or cosines_QN is None:
            return SearchSettings()
        lexical_QN = bm25_scores(pool, guess_language(pool.contents[:200]))
        choice = choose_lexical_weight(pool, cosines_QN, lexical_QN)
        words_Q = np.array([len(words(question)) for question in pool.questions])
        confidence = fit_confidence(cosines_QN, lexical_QN, pool.answers, words_Q, heads=pool.heads, seed=self.seed)
        quality |= {
            "questions": len(pool.questions),
            "documents": len(pool.contents),
            "bm25": pool.ndcg(lexical_QN),
            "dense": pool.ndcg(cosines_QN),
            "hybrid": pool.ndcg(HybridRanking(choice.weight).score_all(cosines_QN, lexical_QN)),
            "confidence_calibration_error": confidence.calibration_error,
        }
        self.progress.say(
            f"on {len(pool.questions)} held-out questions, nDCG@10: dense {quality['dense']:.3f}, "
            f"BM25 {quality['bm25']:.3f}, hybrid {quality['hybrid']:.3f} (weight {choice.weight:g})"
        )
        if max(quality["dense"], quality["bm25"], quality["hybrid"]) < _HOPELESS:
            self.progress.say("next to none of these questions could be answered: hits have no confidence")
            return SearchSettings(lexical_weight=choice.weight)
        return SearchSettings(lexical_weight=choice.weight, confidence=confidence.to_json())


def pool_size(documents: int, plan: Plan) -> int:
    """How many documents the judge ranks, of that many that are learned from."""
    fewest, most = _POOL
    return int(np.clip(_ASKED_SHARE * documents, fewest, most)) if plan.pretrained else most


def parents_of(encoder: Encoder, learned: Encoder | None, pretrained: Encoder | None) -> tuple[str, ...]:
    """Fingerprints of what `encoder` was taken from or consists of; none if it was learned from the corpus alone."""
    if encoder is learned:
        return ()
    parts = (pretrained,) if encoder is pretrained else (learned, pretrained)
    return tuple(part.fingerprint for part in parts if part)


def _by_name(choice: Choice) -> dict[str, float]:
    return {f"{weight:g}": quality for weight, quality in choice.quality.items()}
