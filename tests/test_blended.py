import json

import numpy as np
import pytest
from checkpoints import MAX_TOKENS, TEXTS, WIDTH, write_transformer

from tolman.errors import ModelError
from tolman.models import load_encoder
from tolman.models.blended import BlendedEncoder
from tolman.models.static import StaticEncoder, TermSaturation
from tolman.models.transformer import TransformerEncoder
from tolman.tokenization import train_tokenizer


@pytest.fixture(scope="module")
def static():
    tokenizer = train_tokenizer(TEXTS, vocabulary=400)
    table_VD = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 16))
    return StaticEncoder(tokenizer, table_VD, TermSaturation(9.0))


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    return TransformerEncoder.load(write_transformer(tmp_path_factory.mktemp("models") / "m"), precision="float32")


@pytest.fixture(scope="module")
def blend(static, transformer):
    return BlendedEncoder((static, transformer), (0.5, 1.5))


@pytest.mark.parametrize("role", ["document", "query"])
def test_cosines_are_the_weighted_mean_of_the_parts(blend, static, transformer, role):
    texts = [text for text in TEXTS if text]
    vectors_ND, a, b = (encoder.encode(texts, role) for encoder in (blend, static, transformer))
    assert vectors_ND.shape == (len(texts), 16 + WIDTH) == (len(texts), blend.dim)
    np.testing.assert_allclose(vectors_ND @ vectors_ND.T, 0.25 * a @ a.T + 0.75 * b @ b.T, atol=1e-5)


def test_a_part_that_knows_nothing_leaves_the_other_alone(blend, transformer):
    vector_D = blend.encode([""])[0]
    np.testing.assert_array_equal(vector_D[:16], 0)
    np.testing.assert_allclose(vector_D[16:], transformer.encode([""])[0], atol=1e-6)


def test_a_weight_of_zero_is_the_other_part(static, transformer):
    alone = BlendedEncoder((static, transformer), (0, 2)).encode(TEXTS)
    np.testing.assert_allclose(alone[:, 16:], transformer.encode(TEXTS), atol=1e-6)


def test_tokens_are_the_first_parts_with_the_others_states_over_them(blend, static, transformer):
    text = "The cats sit on the mat, refunded"
    states = blend.tokens(text)
    assert states.spans == static.tokens(text).spans
    other = transformer.tokens(text)
    for (start, end), vector_D in zip(states.spans, states.vectors_TD, strict=True):
        overlapping = [v for v, (s, e) in zip(other.vectors_TD, other.spans, strict=True) if s < end and e > start]
        mean = np.mean(overlapping, axis=0)
        np.testing.assert_allclose(
            vector_D[16:] / np.linalg.norm(vector_D[16:]), mean / np.linalg.norm(mean), atol=1e-5
        )


def test_passages_are_those_of_the_part_that_sees_least(blend, transformer):
    assert blend.passage_tokens == MAX_TOKENS - 2
    assert blend.count_tokens(TEXTS) == transformer.count_tokens(TEXTS)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_saved_and_loaded_it_is_the_same(static, transformer, tmp_path, monkeypatch, precision):
    """Bit for bit, if both compute in the precision that this machine is fastest in."""
    monkeypatch.setattr("tolman.models.transformer.fastest_precision", lambda _: precision)
    blend = BlendedEncoder((static, load_encoder(transformer.folder)), (0.5, 1.5))
    blend.save(tmp_path / "encoder")
    again = load_encoder(tmp_path / "encoder")
    assert (again.family, again.fingerprint) == ("blended", blend.fingerprint)
    np.testing.assert_array_equal(again.encode(TEXTS), blend.encode(TEXTS))


def test_the_fingerprint_is_of_parts_and_weights(blend, static, transformer):
    assert BlendedEncoder((static, transformer), (0.5, 1.5)).fingerprint == blend.fingerprint
    assert BlendedEncoder((static, transformer), (0.5, 1.6)).fingerprint != blend.fingerprint
    assert BlendedEncoder((transformer, static), (0.5, 1.5)).fingerprint != blend.fingerprint


@pytest.mark.parametrize("weights", [(1.0,), (-1.0, 1.0), (0.0, 0.0), (float("nan"), 1.0)])
def test_weights_that_can_not_be(static, transformer, weights):
    with pytest.raises(ModelError, match="blend"):
        BlendedEncoder((static, transformer), weights)


def test_a_damaged_folder_is_refused(blend, tmp_path):
    folder = tmp_path / "encoder"
    blend.save(folder)
    settings = json.loads((folder / "tolman.json").read_text())
    for broken in ({**settings, "parts": ["a", "../../b"]}, {"family": "blended"}, {**settings, "weights": ["x", 1]}):
        (folder / "tolman.json").write_text(json.dumps(broken))
        with pytest.raises(ModelError):
            load_encoder(folder)
