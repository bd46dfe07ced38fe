"""Learn a static encoder from nothing but the corpus: tokenizer, LSA start, contrastive learning.

Everything is derived from the corpus by `ScratchRecipe.derive`, printed, and can be overridden there.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from tokenizers import Tokenizer

from tolman.corpus.pairs import heads_and_bodies
from tolman.judge import Exam, Pool
from tolman.models.lsa import latent_semantic_table
from tolman.models.static import StaticEncoder, TermSaturation
from tolman.models.static_trunk import StaticTrunk
from tolman.objectives.contrastive import Contrastive, HeadsAndBodies, PairSource, SpansAndDocuments
from tolman.progress import Progress
from tolman.tokenization import TokenSequences, tokenize, train_tokenizer, vocabulary_size
from tolman.training import Run, Schedule, train

Size: TypeAlias = Literal["tiny", "small", "base"]
DIMENSIONS: dict[Size, int] = {"tiny": 128, "small": 256, "base": 512}
_EPOCHS = 20  # of a corpus that isn't small; with more, middling ones overfit
_RESERVE = 0.1  # of the budget, for judging start and end
# The judge sees a collapse, but not finer differences between a start and what was learned from it on a small corpus:
# soft training costs up to a seventh of its score (a question then also finds what is like its document) where people's
# judgments gain a tenth. So the end is kept unless it has lost more than that.
_COLLAPSED = 0.8
_SHORTEST_HEAD, _SHORTEST_BODY = 2, 4  # tokens


@dataclass(frozen=True)
class ScratchRecipe:
    """Every number a static encoder is learned with.

    Attributes:
        vocabulary: tokens.
        dim: dimensions; the loss is also taken at a quarter of them.
        batch: pairs.
        steps: at most; a short budget ends earlier.
        rate: peak learning rate.
        temperature: of the contrastive softmax.
        heads_share: share of batches that pair titles (or first sentences) with bodies; the rest pair spans with
            documents.
        query_dropout, document_dropout: share of tokens left out at random.
    """

    vocabulary: int
    dim: int
    batch: int
    steps: int
    rate: float
    temperature: float
    heads_share: float = 0.5
    query_dropout: float = 0.0
    document_dropout: float = 0.6

    @classmethod
    def derive(cls, documents: int, size: Size | None = None) -> "ScratchRecipe":
        """From the number of documents.

        Small corpora get fewer dimensions, lower rates and a softer softmax. With a sharp one (temperature .05) and
        whole documents they overfit within two dozen steps; at .2, with most tokens left out, they gain from hundreds.
        """
        small = documents < 3_000
        batch = max(2, min(512 if small else 1024, documents // 2))
        return cls(
            vocabulary=vocabulary_size(documents),
            dim=DIMENSIONS[size or ("small" if small else "base")],
            batch=batch,
            steps=256 if small else max(1, min(400, _EPOCHS * documents // batch)),
            temperature=0.2 if small else 0.08,
            rate=float(np.clip(0.01 * np.sqrt(documents / 18_000), 0.002, 0.01)),
        )

    def fingerprint(self, corpus: str, seed: int, seconds: float) -> str:
        """Of everything a training run depends on."""
        parts = json.dumps([asdict(self), corpus, seed, seconds])
        return hashlib.sha256(parts.encode()).hexdigest()


@dataclass(frozen=True)
class Learned:
    """A learned encoder and how it came to be.

    Attributes:
        encoder: the end, or the start where learning had collapsed.
        recipe: it was learned with.
        run: what training did; None where there was none.
        quality: nDCG@10 on held-out questions of "start" and "learned"; empty without questions.
        chosen: "start" or "learned".
    """

    encoder: StaticEncoder
    recipe: ScratchRecipe
    run: Run | None
    quality: dict[str, float]
    chosen: str


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
) -> Learned:
    """Learn from the documents of `exam`, judge on `pool`.

    Args:
        exam: documents as a learner may see them.
        pool: of its questions; None when the corpus gave none, the end is then returned unjudged.
        seconds: of wall clock, for everything here.
        seed: of every draw.
        corpus: fingerprint of the documents.
        checkpoint: folder that a killed run is resumed from.
        progress: told what goes on.
        recipe: derived from the corpus when None.
        contrastive: False returns the LSA start as it is; so does a budget that is over before the first step.
    """
    started = time.monotonic()
    recipe = recipe or ScratchRecipe.derive(len(exam.texts))
    progress.start("tokenizer and start", None)
    lesson = Lesson.prepare(exam, recipe, seed)
    start = lesson.trunk.finished(lesson.tokenizer)
    start_quality = pool.grade(start) if pool else None
    progress.say(f"recipe: {recipe.dim} dimensions, {len(lesson.documents):,} documents, {lesson.pairs}")
    left = seconds * (1 - _RESERVE) - (time.monotonic() - started)
    if contrastive and left <= 0:
        progress.say(f"the budget of {seconds:g} s went into the start: give more to learn beyond it")
    if not contrastive or left <= 0:
        quality = {"start": float(start_quality.mean())} if start_quality is not None else {}
        return Learned(start, lesson.recipe, None, quality, "start")
    run = train(
        lesson.trunk,
        [(1.0, lesson.objective)],
        Schedule(steps=recipe.steps, seconds=left, peak=recipe.rate),
        seed=seed,
        checkpoint=checkpoint,
        recipe=recipe.fingerprint(corpus, seed, seconds),
        progress=progress,
        quality=_Watcher(lesson, pool).quality if pool else None,
    )
    learned = lesson.trunk.finished(lesson.tokenizer)
    if pool is None or start_quality is None:
        return Learned(learned, lesson.recipe, run, {}, "learned")
    learned_quality = pool.grade(learned)
    better = learned_quality.mean() >= _COLLAPSED * start_quality.mean() and not run.diverged
    quality = {"start": float(start_quality.mean()), "learned": float(learned_quality.mean())}
    return Learned(learned if better else start, lesson.recipe, run, quality, "learned" if better else "start")


@dataclass
class Lesson:
    """A corpus made ready to learn from: tokens, the model at its start, the objective."""

    recipe: ScratchRecipe
    tokenizer: Tokenizer
    documents: TokenSequences
    trunk: StaticTrunk
    objective: Contrastive
    pairs: str

    @classmethod
    def prepare(cls, exam: Exam, recipe: ScratchRecipe, seed: int) -> "Lesson":
        """Tokenise, factorise, pair."""
        contents = exam.contents
        tokenizer = train_tokenizer(contents, vocabulary=recipe.vocabulary)
        documents = tokenize(tokenizer, contents)
        saturation = TermSaturation(max(1.0, float(documents.lengths.mean())))
        table_VD, importance_V = latent_semantic_table(
            documents, tokenizer.get_vocab_size(), recipe.dim, saturation, seed=seed
        )
        recipe = replace(recipe, dim=table_VD.shape[1])
        torch.manual_seed(seed)
        trunk = StaticTrunk(table_VD, importance_V, saturation)
        heads, bodies, kind = heads_and_bodies(exam.titles, exam.texts)
        return cls(
            recipe,
            tokenizer,
            documents,
            trunk,
            _objective(recipe, tokenize(tokenizer, heads), tokenize(tokenizer, bodies), documents),
            f"{len(heads):,} pairs of {kind}",
        )


def _objective(
    recipe: ScratchRecipe, heads: TokenSequences, bodies: TokenSequences, documents: TokenSequences
) -> Contrastive:
    fit = np.flatnonzero((heads.lengths >= _SHORTEST_HEAD) & (bodies.lengths >= _SHORTEST_BODY))
    spans = SpansAndDocuments(documents.only(np.flatnonzero(documents.lengths >= _SHORTEST_BODY)), recipe.batch)
    paired = HeadsAndBodies(heads.only(fit), bodies.only(fit), recipe.batch)
    sources: list[tuple[float, PairSource]] = [(1.0, spans)]
    if len(fit) >= 2:
        sources = [(recipe.heads_share, paired), (1 - recipe.heads_share, spans)]
    return Contrastive(
        sources,
        prefixes=_prefixes(recipe.dim),
        temperature=recipe.temperature,
        query_dropout=recipe.query_dropout,
        document_dropout=recipe.document_dropout,
    )


def _prefixes(dim: int) -> Sequence[int]:
    return [dim // 4, dim] if dim >= 128 else [dim]


class _Watcher:
    """Quality of the trunk as it learns, on the judge's questions, tokenised once."""

    def __init__(self, lesson: Lesson, pool: Pool) -> None:
        self.lesson, self.pool = lesson, pool

    @cached_property
    def _tokens(self) -> tuple[TokenSequences, TokenSequences]:
        tokenizer = self.lesson.tokenizer
        return tokenize(tokenizer, self.pool.questions), tokenize(tokenizer, self.pool.contents)

    def quality(self) -> float:
        """Mean nDCG@10."""
        questions, documents = self._tokens
        with torch.no_grad():
            questions_QD, documents_ND = self.lesson.trunk([(questions, "query"), (documents, "document")])
        return float(self.pool.grade_scores((questions_QD @ documents_ND.T).numpy()).mean())
