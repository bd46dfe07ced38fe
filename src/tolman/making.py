"""From a corpus to an encoder with its settings: all of `learn` but reading before it and building the space after it.

exam (questions taken out) -> encoder -> weights and confidence, fitted on the exam.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tolman.confidence import fit_confidence
from tolman.corpus.corpus import Corpus
from tolman.corpus.passages import words
from tolman.crew import SOLO, Crew
from tolman.judge import Exam, Pool, set_exam
from tolman.learners import LEARNERS, LEARNING_ON, TOGETHER, Task
from tolman.models.encoder import Encoder, Floats
from tolman.plan import Learner, Plan
from tolman.progress import Progress
from tolman.ranking import HybridRanking
from tolman.space.description import SearchSettings
from tolman.space.language import guess_language
from tolman.storage import storing
from tolman.tuning import USUAL_BLEND, Choice, choose_blend, choose_lexical_weight, rehearse_bm25, usual_lexical_weight

ENCODER, NOTES, TAUGHT = "encoder", "learned.json", "taught.npz"  # in the workshop
COSTLY = (NOTES, TAUGHT, "checkpoint.safetensors")  # of these, what took long
MOST_LEARNED_FROM = 100_000  # documents; more are placed in the space, not learned from
POOL = 3_000  # documents that questions are asked over
_HOPELESS = 0.05  # nDCG@10 of the judge's questions, under which they calibrate nothing


@dataclass(frozen=True)
class Made:
    """An encoder, and all that was found out about it on the way; `curve` and `work` as in `tolman.learners.Found`."""

    encoder: Encoder
    search: SearchSettings
    recipe: Mapping[str, Any]
    quality: Mapping[str, Any]
    parents: tuple[str, ...]
    curve: list[dict[str, Any]] = field(default_factory=list)
    work: Mapping[str, Any] | None = None


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
        crew: Crew = SOLO,
    ) -> None:
        self.corpus, self.plan, self.seconds, self.seed = corpus, plan, seconds, seed
        self.pretrained, self.workshop, self.progress, self.crew = pretrained, workshop, progress, crew
        self.curve: list[dict[str, Any]] = []
        self.work: Mapping[str, Any] | None = None

    def make(self) -> Made:
        """Exam, encoder, weights, confidence."""
        self.progress.start("questions for the judge", None)
        exam = self._exam()
        pool = self._pool(exam)
        if pool is None and self.plan.gives_vectors:
            self.progress.say("too few suitable documents to judge by: weights are defaults, hits have no confidence")
        recipe: dict[str, Any] = {"plan": asdict(self.plan), "budget_seconds": self.seconds, "seed": self.seed}
        quality: dict[str, Any] = {}
        learned = self._learned(exam, pool, recipe, quality) if self.plan.learner else None
        learns_on = self.plan.learner in LEARNING_ON
        pretrained = None if learns_on else self.pretrained
        encoder, cosines_QN = self._combine(learned, pretrained, pool, recipe, quality)
        knows = self.plan.pretrained is not None
        search = settle(
            exam.natural, pool, cosines_QN, quality, pretrained=knows, seed=self.seed, progress=self.progress
        )
        parents = parents_of(encoder, learned, pretrained)
        if learns_on and self.pretrained is not None:
            parents = (self.pretrained.fingerprint,)
        return Made(encoder, search, recipe, quality, parents, self.curve, self.work)

    def assist(self) -> None:
        """Learn with the process that makes the encoder, and leave what came of it to that one."""
        if self.plan.learner in TOGETHER and not (self.workshop / NOTES).exists():
            exam = self._exam()
            pool = self._pool(exam)
            with TemporaryDirectory() as folder:
                LEARNERS[self._learner](self._task(exam, pool), Path(folder) / ENCODER)

    def _exam(self) -> Exam:
        rows = rows_to_learn_from(len(self.corpus), self.seed, self.progress)
        chosen = self.corpus.table.select(["title", "text"]).take(rows)
        return set_exam(chosen["title"].to_pylist(), chosen["text"].to_pylist(), seed=self.seed)

    def _pool(self, exam: Exam) -> Pool | None:
        """Of its questions; None where there are none, or no vectors to judge."""
        return exam.pool(POOL, self.seed) if len(exam) and self.plan.gives_vectors else None

    def _learned(self, exam: Exam, pool: Pool | None, recipe: dict[str, Any], quality: dict[str, Any]) -> Encoder:
        """What was learned; from the workshop where a killed run had finished it."""
        kept, notes = self.workshop / ENCODER, self.workshop / NOTES
        if not notes.exists():
            found = LEARNERS[self._learner](self._task(exam, pool), kept)
            with storing(f"can't write {notes}"):
                notes.with_suffix(".partial").write_text(json.dumps(asdict(found)))
                notes.with_suffix(".partial").replace(notes)
        stored = json.loads(notes.read_text())
        recipe.update(stored["recipe"])
        quality.update(stored["quality"])
        self.curve, self.work = stored["curve"], stored["work"]
        return self.plan.load(kept)

    @property
    def _learner(self) -> Learner:
        assert self.plan.learner is not None
        return self.plan.learner

    def _task(self, exam: Exam, pool: Pool | None) -> Task:
        return Task(
            exam,
            pool,
            self.plan,
            self.pretrained if self.plan.learner in LEARNING_ON else None,
            self.seconds,
            self.seed,
            self.corpus.fingerprint,
            self.workshop,
            self.progress,
            self.crew,
        )

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
            return BlendedEncoder((pretrained, learned), (1.0, USUAL_BLEND)), None
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


def settle(
    natural: bool,
    pool: Pool | None,
    cosines_QN: Floats | None,
    quality: dict[str, Any],
    *,
    pretrained: bool,
    seed: int,
    progress: Progress,
) -> SearchSettings:
    """Weight of BM25 and confidence, judged on `pool`; what was measured is added to `quality`."""
    if pool is None or cosines_QN is None:
        return SearchSettings(lexical_weight=usual_lexical_weight(natural=natural, pretrained=pretrained))
    lexical_QN, passed_over = rehearse_bm25(pool, guess_language(pool.contents[:200]))
    choice = choose_lexical_weight(pool, cosines_QN, lexical_QN, pretrained=pretrained)
    words_Q = np.array([len(words(question)) for question in pool.questions])
    confidence = fit_confidence(
        cosines_QN,
        lexical_QN,
        pool.answers,
        words_Q,
        heads=pool.heads,
        seed=seed,
        passed_over=passed_over,
        short=not pool.natural,
    )
    quality |= {
        "questions": len(pool.questions),
        "documents": len(pool.contents),
        "bm25": pool.ndcg(lexical_QN),
        "dense": pool.ndcg(cosines_QN),
        "hybrid": pool.ndcg(HybridRanking(choice.weight).score_all(cosines_QN, lexical_QN)),
        "confidence_calibration_error": confidence.calibration_error,
    }
    progress.say(
        f"on {len(pool.questions)} held-out questions, nDCG@10: dense {quality['dense']:.3f}, "
        f"BM25 {quality['bm25']:.3f}, hybrid {quality['hybrid']:.3f} (weight {choice.weight:g})"
    )
    if max(quality["dense"], quality["bm25"], quality["hybrid"]) < _HOPELESS:
        progress.say("next to none of these questions could be answered: hits have no confidence")
        return SearchSettings(lexical_weight=choice.weight)
    return SearchSettings(lexical_weight=choice.weight, confidence=confidence.to_json())


def rows_to_learn_from(documents: int, seed: int, progress: Progress) -> NDArray[np.int64]:
    """All, or so many drawn at random as a learner can take."""
    rows = np.arange(documents)
    if documents <= MOST_LEARNED_FROM:
        return rows
    progress.say(f"learning from {MOST_LEARNED_FROM:,} of {documents:,} documents")
    return np.sort(np.random.default_rng([seed, 3]).choice(rows, MOST_LEARNED_FROM, replace=False))


def parents_of(encoder: Encoder, learned: Encoder | None, pretrained: Encoder | None) -> tuple[str, ...]:
    """Fingerprints of what `encoder` was taken from or consists of; none if it was learned from the corpus alone."""
    if encoder is learned:
        return ()
    parts = (pretrained,) if encoder is pretrained else (learned, pretrained)
    return tuple(part.fingerprint for part in parts if part)


def _by_name(choice: Choice) -> dict[str, float]:
    return {f"{weight:g}": quality for weight, quality in choice.quality.items()}
