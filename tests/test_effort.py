import numpy as np
import pytest
import torch
from tiny import WORDS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tolman.curriculum import OBJECTIVES, Curriculum
from tolman.effort import effort_of_step
from tolman.judge import Exam
from tolman.lesson import Lesson
from tolman.models.fresh import fresh_transformer
from tolman.models.learning_transformer import LearningTransformer
from tolman.optimization import Group, Optimizers, all_alike
from tolman.recipe import ScratchRecipe, Shape, TransformerRecipe
from tolman.tokenization import train_text_tokenizer
from tolman.transformer_learning import frame_of, grouped

RECIPE = TransformerRecipe(
    Shape(2, 64, 2, 32, 1e-3, 512, 8, 1), 512, tokens=512, pairs=8, rounds=1, rate=1e-3, matrix_rate=1e-3
)


def exam() -> Exam:
    generator = np.random.default_rng(0)
    texts = [
        ". ".join(" ".join(generator.choice(WORDS, 9)) for _ in range(generator.integers(2, 7))) + "."
        for _ in range(80)
    ]
    return Exam([f"{text.split('.')[0]} title" for text in texts], texts, np.empty(0, np.int64), [], [])


@pytest.fixture(scope="module")
def prepared():
    documents = exam()
    tokenizer = train_text_tokenizer(documents.contents, vocabulary=RECIPE.vocabulary)
    curriculum = Curriculum.prepare(documents, tokenizer, frame_of(tokenizer))
    start = fresh_transformer(
        vocabulary=tokenizer.get_vocab_size(), layers=2, width=64, heads=2, window=32, latents=(4, 32), seed=0
    )
    return curriculum, LearningTransformer(start, frame_of(tokenizer), "float32", longest=32)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_it_notes_the_very_batches_that_the_model_would_see(prepared, name):
    curriculum, model = prepared
    (objective,) = (objective for _, objective in curriculum.objectives({name: 1.0}, RECIPE))
    model.tokens_seen = 0
    for step in range(8):
        objective.loss(model, np.random.default_rng([3, step]))
    assert effort_of_step(model, [(1.0, objective)], [], seed=3).tokens == model.tokens_seen / 8


@pytest.mark.parametrize("name", OBJECTIVES)
def test_passes_agree_with_what_torch_counts(prepared, name):
    """torch counts products as they run. It can't see that the loss makes its gradients on the way forward."""
    curriculum, model = prepared
    (objective,) = (objective for _, objective in curriculum.objectives({name: 1.0}, RECIPE))
    counter = FlopCounterMode(display=False)
    with counter:
        for step in range(8):
            objective.loss(model, np.random.default_rng([3, step])).backward()
    assert effort_of_step(model, [(1.0, objective)], [], seed=3).passes == pytest.approx(
        counter.get_total_flops() / 8, rel=0.02
    )


def test_muon_counts_what_its_iterations_multiply(prepared):
    _, model = prepared
    (matrices, _) = grouped(model, RECIPE)
    for parameter in matrices.parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizers = Optimizers([matrices])
    with FlopCounterMode(display=False) as counter:
        optimizers.step(1.0)
    counted = effort_of_step(model, [], [matrices], seed=0).optimizer
    assert counted == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_a_static_step_counts_entries_pairs_and_the_whole_table():
    lesson = Lesson.prepare(exam(), ScratchRecipe.derive(80), 0)
    trunk, objective = lesson.trunk(), lesson.objective(lesson.recipe)
    groups = all_alike(0.1)(trunk)
    effort = effort_of_step(trunk, [(1.0, objective)], groups, seed=0)
    size = sum(parameter.numel() for parameter in trunk.parameters())
    assert effort.optimizer == 14 * size
    pairs = 6 * lesson.recipe.batch**2 * sum(objective.prefixes)
    per_token = (effort.passes - pairs) / effort.tokens / lesson.recipe.dim
    assert 3 < per_token <= 6  # 6 for a token that occurs once in its text


def test_of_other_models_nothing_is_said():
    assert effort_of_step(nn.Linear(2, 2), [], [Group([nn.Parameter(torch.zeros(2))], 0.1)], seed=0) is None
