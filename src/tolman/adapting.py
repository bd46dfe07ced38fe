"""Learn on from a pretrained transformer, in its corpus, without losing what it knows of everything else.

Deeper layers learn slower (Howard and Ruder 2018, arXiv:1801.06146), the table of words not at all, and what comes out
is averaged with where it began (Wortsman et al. 2022, arXiv:2109.01903), as much as the judge allows.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from tolman.crew import SOLO, Crew
from tolman.curriculum import Curriculum, require_time
from tolman.errors import ModelError
from tolman.judge import Exam, Pool
from tolman.models.encoder import ROLES
from tolman.models.fresh import Drawer
from tolman.models.learning_transformer import Frame, LearningTransformer, Transformer
from tolman.models.transformer import TransformerEncoder
from tolman.models.tree import map_tensors, named_tensors
from tolman.models.trunk import PackedTrunk
from tolman.optimization import CLIP, Group, Optimizers
from tolman.progress import Progress
from tolman.recipe import Adaptation
from tolman.training import Run, Schedule, train
from tolman.tuning import Choice, best_weight

SHARES = (0.0, 0.5, 1.0)
USUAL_SHARE = 0.5
_GOING_ON = 0.5  # of the gain of the first half
_HEAD = "head/"
_MASKS = ("[MASK]", "<mask>")  # as tokenizers call what is hidden


@dataclass(frozen=True)
class Adapted:
    """What came of it.

    Attributes:
        start, end: the model before and after, in float32.
        run: what training did.
    """

    start: Transformer
    end: Transformer
    run: Run

    def between(self, share: float) -> Transformer:
        """`share` of the way from the start to the end."""
        ends = dict(named_tensors(self.end))
        return map_tensors(self.start, lambda _owner, name, tensor: torch.lerp(tensor, ends[name], share))


def adapt_transformer(
    exam: Exam,
    base: TransformerEncoder,
    objectives: Mapping[str, float],
    recipe: Adaptation,
    *,
    seconds: float,
    steps: int | None,
    seed: int,
    corpus: str,
    checkpoint: Path | None,
    progress: Progress,
    crew: Crew = SOLO,
) -> Adapted:
    """Learn from the documents of `exam`, beginning with `base`.

    Args:
        exam: documents as a learner may see them.
        base: made of blocks that the lean trunk runs.
        objectives: name to weight.
        recipe: every number.
        seconds: of wall clock, for everything here.
        steps: at most; by the clock alone when None.
        seed: of every draw.
        corpus: fingerprint of the documents.
        checkpoint: folder that a killed run is resumed from.
        progress: told what goes on.
        crew: who learns together.

    Raises:
        ModelError: `base` is of another architecture, or has no token for what is hidden where one is needed.
        SourceError: too little text for an objective.
        BudgetError: no time is left to learn.
    """
    ended = time.monotonic() + seconds
    trunk = base.checkpoint.trunk
    if not isinstance(trunk, PackedTrunk):
        raise ModelError("this model is of an architecture that isn't learned on here; take it with --objectives none")
    progress.start("tokens", None)
    frame = Frame(tuple(base.before), tuple(base.after), _mask(base, objectives))
    curriculum = Curriculum.prepare(exam, base.checkpoint.tokenizer, frame)
    wanted = curriculum.objectives(objectives, recipe)
    curriculum.require(wanted, recipe)
    require_time(ended, seconds)
    start = _start(trunk, base, objectives, seed)
    prompts = {role: tuple(base.prompt_ids(role)) for role in ROLES}
    learner = LearningTransformer(start, frame, base.precision, longest=recipe.longest, prompts=prompts)
    learner = learner.to(base.device)
    run = train(
        learner,
        wanted,
        Schedule.until(ended, steps),
        Optimizers(grouped(learner, recipe), clip=CLIP),
        seed=seed,
        checkpoint=checkpoint,
        recipe=recipe.fingerprint(corpus, base.fingerprint, seed, seconds, steps, dict(objectives)),
        progress=progress,
        crew=crew,
    )
    with torch.no_grad():
        return Adapted(start, learner.cpu().now(precise=True), run)


def _mask(base: TransformerEncoder, objectives: Mapping[str, float]) -> int | None:
    ids = (base.checkpoint.tokenizer.token_to_id(token) for token in _MASKS)
    mask = next((number for number in ids if number is not None), None)
    if mask is None and "masked" in objectives:
        raise ModelError(f"the tokenizer of {base.folder} has no {' or '.join(_MASKS)}: it can't learn by masked")
    return mask


def _start(trunk: PackedTrunk, base: TransformerEncoder, objectives: Mapping[str, float], seed: int) -> Transformer:
    vocabulary, width = trunk.embeddings.words_VH.shape
    guesses = bool(set(objectives) - {"contrastive"})
    language = Drawer(seed, width).language(vocabulary, trunk.activation) if guesses else None
    return Transformer(trunk, base.checkpoint.head, language)


def grouped(learner: LearningTransformer, recipe: Adaptation) -> list[Group]:
    """One group a layer; tables, and layers over the pooled vector, are left as they are."""
    layers: dict[int, list[nn.Parameter]] = {}
    depth = len(learner.start.trunk.blocks)
    for name, parameter in learner.named_parameters():
        if "embeddings" in name or _HEAD in name:
            parameter.requires_grad_(False)
            continue
        parts = name.split("/")
        layer = int(parts[parts.index("blocks") + 1]) if "blocks" in parts else depth
        layers.setdefault(layer, []).append(parameter)
    return [
        Group(parameters, recipe.rate * recipe.layer_decay ** (depth - layer), recipe.decay)
        for layer, parameters in sorted(layers.items())
    ]


def choose_share(adapted: Adapted, base: TransformerEncoder, pool: Pool | None) -> tuple[Choice, dict[float, float]]:
    """How far to go from the start to the end, and the nDCG@10 of every share that was tried.

    Half of the way, where there are no questions too: it keeps most of the gain and loses little of what the model
    knew. The start where the judge finds that better. All of the way only where the second half of it gains at least
    half of what the first did: the judge asks for the kind of pairs that were learned from, so a little that is gained
    on them at the end is not gained on questions of people (measured on five sets, decision 9).
    """
    if pool is None:
        return Choice(USUAL_SHARE, {}), {}
    grades, ndcg = {}, {}
    for share in SHARES:
        encoder = TransformerEncoder(replace(base.checkpoint, trunk=adapted.between(share).trunk), base.folder)
        cosines_QN = pool.cosines(encoder)
        grades[share], ndcg[share] = pool.grade_scores(cosines_QN), pool.ndcg(cosines_QN)
    choice = best_weight(grades, default=USUAL_SHARE)
    if choice.weight > USUAL_SHARE and not _goes_on(choice.quality):
        choice = replace(choice, weight=USUAL_SHARE)
    return choice, ndcg


def _goes_on(quality: Mapping[float, float]) -> bool:
    """Whether what the second half of the way gains is at least half of what the first does."""
    start, half, end = (quality[share] for share in SHARES)
    return end - half >= _GOING_ON * (half - start)
