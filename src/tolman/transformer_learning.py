"""Learn a transformer from nothing but the corpus, by one objective or several at once."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn

from tolman.crew import SOLO, Crew
from tolman.curriculum import Curriculum, require_time
from tolman.judge import Exam, Pool
from tolman.models.fresh import fresh_transformer
from tolman.models.learning_transformer import Frame, LearningTransformer, Transformer
from tolman.models.transformer import fastest_precision
from tolman.objectives.objective import Objective
from tolman.optimization import CLIP, Group, Optimizers
from tolman.progress import Progress
from tolman.recipe import TransformerRecipe
from tolman.tokenization import BEGIN, END, MASK, tokenize_text, train_text_tokenizer
from tolman.training import Run, Schedule, train

_WATCHED_QUESTIONS = 200
_COMPILED_FROM = 300  # seconds, of which compiling takes half a minute
_DRAWN = 4  # batches that compiling is done on: of more than one length


@dataclass(frozen=True)
class LearnedTransformer:
    """What came of it.

    Attributes:
        model: in float32.
        tokenizer: its own.
        run: what training did.
        recipe: as it was used on this machine.
    """

    model: Transformer
    tokenizer: Tokenizer
    run: Run
    recipe: TransformerRecipe


def learn_transformer(
    exam: Exam,
    pool: Pool | None,
    objectives: Mapping[str, float],
    recipe: TransformerRecipe,
    *,
    seconds: float,
    steps: int | None,
    seed: int,
    corpus: str,
    checkpoint: Path | None,
    progress: Progress,
    crew: Crew = SOLO,
    compiled: bool | None = None,
) -> LearnedTransformer:
    """Learn from the documents of `exam`.

    Args:
        exam: documents as a learner may see them.
        pool: of its questions, to watch the quality by; None when the corpus gave none.
        objectives: name to weight, see `curriculum.OBJECTIVES`.
        recipe: every number.
        seconds: of wall clock, for everything here.
        steps: at most; by the clock alone when None.
        seed: of every draw.
        corpus: fingerprint of the documents.
        checkpoint: folder that a killed run is resumed from.
        progress: told what goes on.
        crew: who learns together.
        compiled: see `LearningTransformer`; where it pays when None.

    Raises:
        SourceError: too little text for an objective.
        BudgetError: no time is left to learn.
    """
    ended, device = time.monotonic() + seconds, crew.device
    fingerprint = recipe.fingerprint(corpus, seed, seconds, steps, dict(objectives))
    if device.type == "cuda":
        memory, _ = torch.cuda.mem_get_info(device)
        recipe = recipe.on_gpus(crew.size, objectives=len(objectives), documents=len(exam.texts), memory=memory)
    progress.start("tokenizer", None)
    tokenizer = train_text_tokenizer(exam.contents, vocabulary=recipe.vocabulary)
    frame = frame_of(tokenizer)
    curriculum = Curriculum.prepare(exam, tokenizer, frame)
    wanted = curriculum.objectives(objectives, recipe)
    curriculum.require(wanted, recipe)
    require_time(ended, seconds)
    start = fresh_transformer(
        vocabulary=tokenizer.get_vocab_size(),
        layers=recipe.shape.layers,
        width=recipe.shape.width,
        heads=recipe.shape.heads,
        window=recipe.shape.window,
        latents=(recipe.latents, recipe.latent_numbers // recipe.latents) if "autoencoding" in objectives else None,
        guesses=set(objectives) != {"contrastive"},
        seed=seed,
    )
    learner = LearningTransformer(
        start,
        frame,
        fastest_precision(device),
        longest=recipe.shape.window,
        compiled=pays_to_compile(device, seconds) if compiled is None else compiled,
    ).to(device)
    progress.say(_described(recipe, learner, curriculum, crew.batches(recipe.rounds, len(objectives))))
    if learner.compiled:
        progress.start("compiling", None)
        _compile(learner, wanted)
    run = train(
        learner,
        wanted,
        Schedule.until(ended, steps, warmup=recipe.warmup, knee=recipe.knee),
        Optimizers(grouped(learner, recipe), clip=CLIP),
        seed=seed,
        checkpoint=checkpoint,
        recipe=fingerprint,
        progress=progress,
        quality=_watch(learner, tokenizer, pool) if pool and "contrastive" in objectives and crew.leads else None,
        rounds=recipe.rounds,
        crew=crew,
    )
    with torch.no_grad():
        return LearnedTransformer(learner.cpu().now(precise=True), tokenizer, run, recipe)


def pays_to_compile(device: torch.device, seconds: float) -> bool:
    """Whether a budget of so many is worth half a minute of compiling, where there is a compiler for the GPU."""
    return device.type == "cuda" and seconds >= _COMPILED_FROM and find_spec("triton") is not None


def _compile(learner: LearningTransformer, objectives: Sequence[tuple[float, Objective[Any]]]) -> None:
    """Before the schedule begins: half a minute for one step would look like a good part of the run."""
    for number in range(_DRAWN):
        for _, objective in objectives:
            objective.loss(learner, np.random.default_rng(number)).backward()  # type: ignore[no-untyped-call]
    learner.zero_grad(set_to_none=True)
    learner.tokens_seen = 0


def frame_of(tokenizer: Tokenizer) -> Frame:
    """The special tokens of `train_text_tokenizer`."""
    begin, end, mask = (tokenizer.token_to_id(token) for token in (BEGIN, END, MASK))
    assert begin is not None
    assert end is not None
    return Frame((begin,), (end,), mask)


def grouped(learner: LearningTransformer, recipe: TransformerRecipe) -> list[Group]:
    """Matrices of the blocks by orthogonal steps; tables, norms, biases and what is around the blocks by AdamW."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in learner.named_parameters():
        orthogonal = parameter.ndim == 2 and "blocks" in name
        (matrices if orthogonal else others).append(parameter)
    return [Group(matrices, recipe.matrix_rate, recipe.decay, orthogonal=True), Group(others, recipe.rate)]


def _described(recipe: TransformerRecipe, learner: LearningTransformer, curriculum: Curriculum, batches: int) -> str:
    shape = recipe.shape
    parameters = sum(parameter.numel() for parameter in learner.parameters())
    return (
        f"recipe: {shape.layers} layers of width {shape.width}, {parameters / 1e6:.1f} million parameters; "
        f"{learner.vocabulary:,} tokens, {len(curriculum.documents.ids):,} of text in {len(curriculum.documents):,} "
        f"documents; {batches * recipe.tokens:,} tokens a step by each objective, rate {recipe.rate:g}, "
        f"{learner.precision}"
    )


def _watch(learner: LearningTransformer, tokenizer: Tokenizer, pool: Pool) -> Callable[[], float]:
    """Mean nDCG@10 of `learner` on questions of the judge, over the documents that answer them and as many others."""
    questions = tokenize_text(tokenizer, pool.questions[:_WATCHED_QUESTIONS])
    ranked = min(2 * _WATCHED_QUESTIONS, len(pool.contents))
    documents = tokenize_text(tokenizer, pool.contents[:ranked])
    part = Pool(
        pool.rows[:ranked],
        pool.contents[:ranked],
        pool.questions[: len(questions)],
        pool.answers[: len(questions)],
        pool.twins[:, :ranked],
        ranked,
    )

    def quality() -> float:
        with torch.no_grad():
            questions_QD, documents_ND = learner([(questions, "query"), (documents, "document")])
        scores_QN: np.ndarray = (questions_QD @ documents_ND.T).float().cpu().numpy()
        return part.ndcg(scores_QN)

    return quality
