from dataclasses import replace

import numpy as np
import pytest
import torch
from checkpoints import write_sentence_transformer, write_transformer

from tolman.adapting import SHARES, USUAL_SHARE, adapt_transformer, choose_share
from tolman.errors import ModelError
from tolman.judge import set_exam
from tolman.models.architectures import changed_weights
from tolman.models.checkpoint import read_weights
from tolman.models.encoder import ROLES
from tolman.models.learning_transformer import Frame, LearningTransformer, Transformer
from tolman.models.transformer import TransformerEncoder
from tolman.models.transformer_folder import save_adapted
from tolman.models.tree import named_tensors
from tolman.progress import Silent
from tolman.recipe import Adaptation
from tolman.tokenization import tokenize_text

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
        replace(Adaptation.derive(base.dim, base.checkpoint.max_tokens), pairs=16, tokens=128, longest=32, rate=1e-3),
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


class Judge:
    """Finds every share as good as it is told."""

    def __init__(self, *grades):
        self.grades, self.asked = grades, -1

    def cosines(self, _encoder):
        self.asked += 1
        return self.asked

    def grade_scores(self, asked):
        return np.full(20, self.grades[asked], np.float32)

    def ndcg(self, asked):
        return self.grades[asked]


@pytest.mark.parametrize(
    ("grades", "kept"),
    [
        ((0.3, 0.5, 0.62), 1.0),  # the second half gains more than half of what the first did
        ((0.3, 0.5, 0.58), 0.5),
        ((0.3, 0.5, 0.45), 0.5),
        ((0.3, 0.2, 0.1), 0.0),
    ],
)
def test_all_of_the_way_is_gone_where_its_second_half_gains_enough(result, base, grades, kept):
    assert choose_share(result, base, Judge(*grades))[0].weight == kept


def test_what_learning_spoiled_is_not_returned(exam, base):
    spoiled = adapted(exam, base, {"contrastive": 1.0}, steps=1)
    wrecked = replace(spoiled, end=spoiled.between(1.0), start=spoiled.start)
    for _, tensor in named_tensors(wrecked.end.trunk.blocks):
        tensor.copy_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)))
    choice, ndcg = choose_share(wrecked, base, exam.pool(100, 0))
    assert choice.quality[choice.weight] >= choice.quality[1.0]
    assert ndcg[choice.weight] >= ndcg[1.0]


def test_layers_over_the_pooled_vector_stay(exam, tmp_path):
    from sentence_transformers.sentence_transformer.modules import Dense, Pooling

    folder = write_sentence_transformer(tmp_path / "dense", Pooling(32), Dense(32, 12))
    encoder = TransformerEncoder.load(folder, precision="float32")
    assert Adaptation.derive(encoder.dim, encoder.checkpoint.max_tokens).dim == 12
    result = adapted(exam, encoder, {"contrastive": 1.0}, steps=2)
    for (name, before), (_, after) in zip(named_tensors(result.start), named_tensors(result.end), strict=True):
        assert torch.equal(before, after) == ("embeddings" in name or name.startswith("head")), name


@pytest.mark.parametrize("pooled", [True, False])
def test_vectors_are_learned_behind_the_prompts_that_the_encoder_uses(base, monkeypatch, pooled):
    monkeypatch.setattr("tolman.models.learning_transformer.GRID", 1)  # nothing is cut
    head = replace(base.checkpoint.head, include_prompt=pooled)
    prompts = {"query": "refund ", "document": "the mat "}
    prompted = TransformerEncoder(
        replace(base.checkpoint, prompts=prompts, head=head), base.folder, precision="float32"
    )
    frame = Frame(tuple(prompted.before), tuple(prompted.after), None)
    ids = {role: tuple(prompted.prompt_ids(role)) for role in ROLES}
    learner = LearningTransformer(Transformer(base.checkpoint.trunk, head), frame, "float32", longest=64, prompts=ids)
    texts = ["the cat sits on", "a mat", "long"]
    for role in ROLES:
        assert ids[role]
        with torch.no_grad():
            (ours,) = learner([(tokenize_text(base.checkpoint.tokenizer, texts), role)])
        np.testing.assert_allclose(ours.numpy(), prompted.encode(texts, role), atol=1e-5)


def test_a_tokenizer_without_a_mask_can_not_learn_by_masked(exam, base, monkeypatch):
    monkeypatch.setattr("tolman.adapting._MASKS", ("<hidden>",))
    assert adapted(exam, base, {"contrastive": 1.0}, steps=1).run.steps == 1
    with pytest.raises(ModelError, match="can't learn by masked"):
        adapted(exam, base, {"masked": 1.0}, steps=1)


def test_running_text_is_no_longer_than_the_model_looks(base):
    assert Adaptation.derive(32, 64).window == 64
    assert Adaptation.derive(32, 512).window == 128
