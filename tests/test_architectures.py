from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import TEXTS, WIDTH, write_transformer
from safetensors.torch import load_file, save_file

from tolman.errors import ModelError
from tolman.models.architectures import ARCHITECTURES
from tolman.models.transformer import TransformerEncoder
from tolman.models.trunk import PackedTrunk


def mean_of_states(folder: Path, texts: list[str]) -> np.ndarray:
    """The reference: transformers itself, one text at a time, the mean of its states, unit norm."""
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    rows = []
    with torch.inference_mode():
        for text in texts:
            inputs = tokenizer(text, truncation=True, return_tensors="pt", return_token_type_ids=False)
            rows.append(torch.nn.functional.normalize(model(**inputs).last_hidden_state[0].mean(0), dim=0).numpy())
    return np.stack(rows)


@pytest.mark.parametrize("model_type", [*ARCHITECTURES, "electra"])
def test_every_architecture_equals_transformers(model_type, tmp_path):
    folder = write_transformer(tmp_path / model_type, model_type)
    encoder = TransformerEncoder.load(folder, precision="float32")
    vectors_ND = encoder.encode(TEXTS)
    assert isinstance(encoder._trunk, PackedTrunk) == (model_type in ARCHITECTURES)
    assert vectors_ND.shape == (len(TEXTS), WIDTH)
    assert (vectors_ND * mean_of_states(folder, TEXTS)).sum(axis=1).min() > 0.999999


@pytest.mark.parametrize("activation", ["relu", "gelu_new", "silu"])
def test_activations(activation, tmp_path):
    folder = write_transformer(tmp_path / "m", hidden_act=activation)
    vectors_ND = TransformerEncoder.load(folder, precision="float32").encode(TEXTS)
    assert (vectors_ND * mean_of_states(folder, TEXTS)).sum(axis=1).min() > 0.999999


def test_a_checkpoint_with_a_task_head_and_old_names(tmp_path):
    folder = write_transformer(tmp_path / "m")
    expected = TransformerEncoder.load(folder, precision="float32").encode(TEXTS)
    weights = load_file(folder / "model.safetensors")
    old = {
        f"bert.{name}".replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): weight
        for name, weight in weights.items()
    }
    save_file({**old, "cls.predictions.bias": torch.zeros(120)}, folder / "model.safetensors")
    np.testing.assert_array_equal(TransformerEncoder.load(folder, precision="float32").encode(TEXTS), expected)


def test_a_missing_weight_is_named(tmp_path):
    folder = write_transformer(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"lack encoder\.layer\.1\.output\.dense\.bias"):
        TransformerEncoder.load(folder)


def test_a_weight_without_a_place_is_named(tmp_path):
    folder = write_transformer(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "encoder.layer.0.adapter.weight": torch.zeros(2)}, folder / "model.safetensors")
    with pytest.raises(
        ModelError, match=r"1 weights have no place in a bert \(first: encoder\.layer\.0\.adapter\.weight\)"
    ):
        TransformerEncoder.load(folder)
