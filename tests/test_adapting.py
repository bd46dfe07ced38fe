from dataclasses import replace

import numpy as np
import pytest
import torch
from checkpoints import write_sentence_transformer, write_transformer

from tolman.adapting import SHARES, USUAL_SHARE, adapt_transformer, choose_share
from tolman.judge import set_exam
from tolman.models.architectures import changed_weights
from tolman.models.checkpoint import read_weights
from tolman.models.transformer import TransformerEncoder
from tolman.models.transformer_folder import save_adapted
from tolman.models.tree import named_tensors
from tolman.progress import Silent
from tolman.recipe import Adaptation

WORDS = "cat mat sits refund never arrived text long".split()


@pytest.fixture(scope="module")
def exam():
    generator = np.random.default_rng(0)
    titles = [f"the {' '.join(generator.choice(WORDS, 3))} {i}" for i in range(100)]
    texts = [". ".join(" ".join(generator.choice(WORDS, 6)) for _ in range(4)) for _ in titles]
    return set_exam(titles, texts, seed=0)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = write_sentence_transformer(tmp_path_factory.mktemp("models") / "base")
    return TransformerEncoder.load(folder, precision="float32")


def adapted(exam, base, objectives, steps=4):
    return adapt_transformer(
        exam,
        base,
        objectives,
        replace(Adaptation(width=base.checkpoint.trunk.width), pairs=16, tokens=128, longest=32, rate=1e-3),
        seconds=600,
        steps=steps,
        seed=0,
        corpus="c",
        checkpoint=None,
        progress=Silent(),
    )


@pytest.fixture(scope="module")
def result(exam, base):
    return adapted(exam, base, {"contrastive": 1.0, "masked": 0.5})


def test_blocks_learn_and_embeddings_stay(result):
    assert result.run.steps == 4
    before, after = dict(named_tensors(result.start)), dict(named_tensors(result.end))
    moved = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert moved
    assert not [name for name in moved if "embeddings" in name]
    assert {name.split(".")[2] for name in moved if "blocks" in name} == {"0", "1"}


def test_between_is_a_straight_line(result):
    start, half, end = (dict(named_tensors(result.between(share))) for share in (0.0, 0.5, 1.0))
    for name, tensor in half.items():
        torch.testing.assert_close(tensor, (start[name] + end[name]) / 2)


def test_what_is_saved_is_what_was_learned(result, base, tmp_path):
    save_adapted(tmp_path / "model", result.end, base.checkpoint, base.folder)
    loaded = TransformerEncoder.load(tmp_path / "model", precision="float32")
    inside = TransformerEncoder(replace(base.checkpoint, trunk=result.end.trunk), base.folder, precision="float32")
    np.testing.assert_allclose(loaded.encode(["the cat", "a mat"]), inside.encode(["the cat", "a mat"]), atol=1e-6)
    assert np.abs(loaded.encode(["the cat"]) - base.encode(["the cat"])).max() > 1e-4
    assert loaded.fingerprint != base.fingerprint
    assert loaded.prompts == base.prompts


@pytest.mark.parametrize("model_type", ["bert", "roberta", "distilbert", "mpnet"])
def test_an_unchanged_trunk_gives_the_weights_it_was_built_from(model_type, tmp_path):
    encoder = TransformerEncoder.load(write_transformer(tmp_path / model_type, model_type))
    original = read_weights(encoder.checkpoint.weight_files)
    settings = {"model_type": model_type} | encoder.checkpoint.settings["transformer"]
    same = changed_weights(settings, original, encoder.checkpoint.trunk)
    assert same.keys() == original.keys()
    for name, weight in original.items():
        torch.testing.assert_close(same[name], weight, rtol=0, atol=1e-7)


def test_the_judge_says_how_far_to_go_and_without_one_it_is_half_the_way(result, base, exam):
    choice, ndcg = choose_share(result, base, exam.pool(60, 0))
    assert set(choice.quality) == set(ndcg) == set(SHARES)
    assert choice.weight in SHARES
    assert choose_share(result, base, None)[0].weight == USUAL_SHARE


def test_what_learning_spoiled_is_not_returned(exam, base):
    spoiled = adapted(exam, base, {"contrastive": 1.0}, steps=1)
    wrecked = replace(spoiled, end=spoiled.between(1.0), start=spoiled.start)
    for _, tensor in named_tensors(wrecked.end.trunk.blocks):
        tensor.copy_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)))
    choice, ndcg = choose_share(wrecked, base, exam.pool(100, 0))
    assert choice.quality[choice.weight] >= choice.quality[1.0]
    assert ndcg[choice.weight] >= ndcg[1.0]
