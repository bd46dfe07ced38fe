import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tolman import training
from tolman.errors import BudgetError, SourceError
from tolman.judge import set_exam
from tolman.models import load_encoder
from tolman.models.bottleneck import Bottleneck
from tolman.models.transformer_folder import read_bottleneck, save_new
from tolman.progress import Silent
from tolman.recipe import Shape, TransformerRecipe
from tolman.transformer_learning import learn_transformer

WORDS = "river bank loan engine wing storm harvest violin copper lemon glacier senate".split()
TEXTS = ["a river bank", "the senate met on monday", "Copper! and lemons, 42 of them", "größe 東京"]
ALL = {"masked": 1.0, "causal": 1.0, "autoencoding": 1.0, "contrastive": 0.5}


@pytest.fixture(scope="module")
def exam():
    generator = np.random.default_rng(0)
    titles = [f"The {WORDS[i % 12]} of number {i}" for i in range(100)]
    texts = [
        " ".join(f"Sentence {n} about the {' and the '.join(generator.choice(WORDS, 4))}." for n in range(4))
        for _ in titles
    ]
    return set_exam(titles, texts, seed=0)


BUDGET = {"seconds": 600, "steps": 8, "seed": 0, "corpus": "c", "checkpoint": None, "progress": Silent()}


def recipe():
    derived = TransformerRecipe.derive(20_000, 100, "tiny")
    shape = Shape(layers=2, width=32, heads=2, window=32, rate=4e-3, tokens=1_024, pairs=16, rounds=2)
    return replace(derived, shape=shape, vocabulary=400, tokens=256, pairs=16, latents=2, latent_numbers=16)


def learn(exam, objectives=ALL, *, steps=8, checkpoint=None, seed=0):
    return learn_transformer(
        exam,
        exam.pool(60, 0),
        objectives,
        recipe(),
        **(BUDGET | {"steps": steps, "seed": seed, "checkpoint": checkpoint}),
    )


@pytest.fixture(scope="module")
def learned(exam):
    return learn(exam)


@pytest.fixture(scope="module")
def folder(learned, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "learned"
    save_new(folder, learned.model, learned.tokenizer, ALL)
    return folder


def test_every_objective_is_told_apart_in_the_curve(learned):
    assert learned.run.steps == 8
    assert set(learned.run.curve[-1].losses) == set(ALL)
    assert learned.run.tokens > 8 * 256


def test_a_run_of_so_many_steps_is_repeated_bit_for_bit(exam, learned):
    again, other = learn(exam), learn(exam, seed=1)
    words = [run.model.trunk.embeddings.words_VH for run in (learned, again, other)]
    torch.testing.assert_close(words[0], words[1], rtol=0, atol=0)
    assert not torch.equal(words[0], words[2])


def test_a_killed_run_ends_with_the_weights_of_an_undisturbed_one(exam, learned, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_EVERY_S", 0.0)
    kept = training._Training.save_when_due
    calls = []

    def killed(self):
        kept(self)
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("killed")

    monkeypatch.setattr(training._Training, "save_when_due", killed)
    with pytest.raises(RuntimeError, match="killed"):
        learn(exam, checkpoint=tmp_path)
    resumed = learn(exam, checkpoint=tmp_path)
    assert len(calls) == 8  # four before the kill, four after
    torch.testing.assert_close(
        resumed.model.trunk.blocks[1].qkv.weight, learned.model.trunk.blocks[1].qkv.weight, rtol=0, atol=0
    )


def test_the_encoder_gives_unit_vectors_of_any_script(folder):
    encoder = load_encoder(folder)
    vectors_ND = encoder.encode(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(vectors_ND, axis=1), 1, atol=1e-5)
    assert encoder.passage_tokens == 30
    assert len(encoder.tokens("größe 東京").vectors_TD) == len(encoder.tokens("größe 東京").spans)


def test_the_tokenizer_gives_the_text_back(learned):
    for text in TEXTS:
        assert learned.tokenizer.decode(learned.tokenizer.encode(text).ids).strip() == text


LOADED_ELSEWHERE = """
import json, sys
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer
folder, texts = sys.argv[1], json.loads(sys.argv[2])
tokenizer = AutoTokenizer.from_pretrained(folder)
ids = tokenizer(texts[0], return_tensors="pt")
with torch.no_grad():
    masked = AutoModelForMaskedLM.from_pretrained(folder)(**ids).logits[0]
    causal = AutoModelForCausalLM.from_pretrained(folder + "/causal")(**ids).logits[0]
vectors = SentenceTransformer(folder).encode(texts)
print(json.dumps([ids["input_ids"][0].tolist(), masked.tolist(), causal.tolist(), vectors.tolist()]))
"""


def test_transformers_and_sentence_transformers_compute_the_same(folder, learned):
    command = [sys.executable, "-c", LOADED_ELSEWHERE, str(folder), json.dumps(TEXTS)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    ids, masked, causal, vectors = json.loads(told.stdout.splitlines()[-1])
    assert ids == learned.tokenizer.encode(TEXTS[0]).ids
    model = learned.model
    words = model.trunk.embeddings.words_VH
    for expected, is_causal in ((masked, False), (causal, True)):
        states = model.trunk(torch.tensor(ids), [len(ids)], causal=is_causal)
        torch.testing.assert_close(model.language.logits(states, words), torch.tensor(expected), rtol=1e-3, atol=1e-4)
    ours = np.stack([load_encoder_in_float32(folder).encode([text])[0] for text in TEXTS])
    np.testing.assert_allclose(ours, vectors, atol=1e-5)


def load_encoder_in_float32(folder: Path):
    from tolman.models.transformer import TransformerEncoder

    return TransformerEncoder.load(folder, precision="float32")


def test_the_bottleneck_and_the_causal_model_go_where_the_encoder_goes(folder, learned, tmp_path):
    load_encoder(folder).save(tmp_path / "copy")
    found = read_bottleneck(tmp_path / "copy")
    assert isinstance(found, Bottleneck)
    assert found.numbers == 16
    torch.testing.assert_close(found.queries_KH, learned.model.bottleneck.queries_KH)
    assert (tmp_path / "copy" / "causal" / "model.safetensors").is_file()
    assert load_encoder(tmp_path / "copy").fingerprint == load_encoder(folder).fingerprint


def test_a_model_of_the_next_token_alone_is_a_causal_model(exam, tmp_path):
    learned = learn(exam, {"causal": 1.0}, steps=2)
    save_new(tmp_path / "model", learned.model, learned.tokenizer, ["causal"], encoder=False)
    settings = json.loads((tmp_path / "model" / "config.json").read_text())
    assert settings["architectures"] == ["ModernBertDecoderForCausalLM"]
    assert not (tmp_path / "model" / "modules.json").exists()


def test_a_head_that_never_learned_is_not_written(exam, tmp_path):
    learned = learn(exam, {"contrastive": 1.0}, steps=2)
    assert learned.model.language is None
    save_new(tmp_path / "placing", learned.model, learned.tokenizer, ["contrastive"])
    guessing = learn(exam, {"causal": 1.0}, steps=2)
    save_new(tmp_path / "guessing", guessing.model, guessing.tokenizer, ["causal"])
    for name in ("placing", "guessing"):
        settings = json.loads((tmp_path / name / "config.json").read_text())
        assert settings["architectures"] == ["ModernBertModel"]
        assert load_encoder(tmp_path / name).encode(TEXTS).shape == (len(TEXTS), 32)
    assert not (tmp_path / "placing" / "causal").exists()


def test_too_little_text_for_an_objective_is_said_before_learning():
    few = set_exam(["", ""], ["five small words are here", "and five more are there"], seed=0)
    with pytest.raises(SourceError, match=r"too little text to learn masked and causal by: .* sequences have 32"):
        learn_transformer(few, None, ALL, recipe(), **(BUDGET | {"steps": 1}))


def test_a_budget_that_tokenising_takes_says_how_much_is_needed(exam):
    with pytest.raises(BudgetError, match=r"went into tokenising.*--budget \d+s"):
        learn_transformer(exam, None, ALL, recipe(), **(BUDGET | {"seconds": 0.001}))
