import json

import numpy as np
import pytest
import torch

from tolman.errors import ModelError
from tolman.models import load_encoder
from tolman.models.static import StaticEncoder, TermSaturation
from tolman.models.static_trunk import StaticTrunk
from tolman.tokenization import tokenize, train_tokenizer

TEXTS = [f"word{i % 7} word{i % 5} common text number {i} about rivers and banks" for i in range(60)]


@pytest.fixture(scope="module")
def encoder():
    tokenizer = train_tokenizer(TEXTS, vocabulary=600)
    table_VD = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 16)).astype(np.float32)
    return StaticEncoder(tokenizer, table_VD, TermSaturation(9.0))


def test_vectors_are_the_weighted_sum(encoder):
    text = "rivers rivers rivers and banks"
    ids = encoder.tokenizer.encode(text, add_special_tokens=False).ids
    total = np.zeros(16)
    for token in set(ids):
        tf = ids.count(token)
        weight = tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(ids) / 9.0))
        total += weight * encoder.table_VD[token].astype(np.float64)
    np.testing.assert_allclose(encoder.encode([text])[0], total / np.linalg.norm(total), atol=1e-6)


def test_queries_weigh_repeats_by_their_logarithm(encoder):
    text = "rivers rivers banks"
    ids = encoder.tokenizer.encode(text, add_special_tokens=False).ids
    total = sum((1 + np.log(ids.count(t))) * encoder.table_VD[t].astype(np.float64) for t in set(ids))
    np.testing.assert_allclose(encoder.encode([text], "query")[0], total / np.linalg.norm(total), atol=1e-6)


def test_rows_keep_their_order_and_are_unit(encoder):
    many = TEXTS * 40  # more than one chunk
    vectors_ND = encoder.encode(many)
    assert vectors_ND.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors_ND, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(vectors_ND[-60:], encoder.encode(TEXTS))


def test_a_text_without_tokens_is_zero(encoder):
    assert not encoder.encode(["", "?!"]).any()


def test_save_and_load_give_the_same_vectors_and_fingerprint(encoder, tmp_path):
    encoder.save(tmp_path / "encoder")
    loaded = load_encoder(tmp_path / "encoder")
    assert loaded.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(loaded.encode(TEXTS), encoder.encode(TEXTS))


def test_fingerprint_tells_tables_apart(encoder):
    other = encoder.table_VD.copy()
    other[3, 3] += 1
    assert StaticEncoder(encoder.tokenizer, other, encoder.saturation).fingerprint != encoder.fingerprint
    saturated = StaticEncoder(encoder.tokenizer, encoder.table_VD, TermSaturation(10.0))
    assert saturated.fingerprint != encoder.fingerprint


def test_the_trunk_that_learns_is_the_encoder_that_serves(encoder):
    trunk = StaticTrunk(
        encoder.table_VD.astype(np.float32), np.full(len(encoder.table_VD), 1.7, np.float32), encoder.saturation
    )
    finished = trunk.finished(encoder.tokenizer)
    tokens = tokenize(encoder.tokenizer, TEXTS)
    with torch.no_grad():
        documents_BD, queries_BD = trunk([(tokens, "document"), (tokens, "query")])
    np.testing.assert_allclose(documents_BD.numpy(), finished.encode(TEXTS), atol=2e-3)  # float16 on the way
    np.testing.assert_allclose(queries_BD.numpy(), finished.encode(TEXTS, "query"), atol=2e-3)


def test_token_states_stand_where_the_tokens_do(encoder):
    text = "Rivers and  banks"
    states = encoder.tokens(text)
    assert len(states.spans) == len(states.vectors_TD)
    assert "".join(text[a:b] for a, b in states.spans).replace(" ", "") == "Riversandbanks"
    np.testing.assert_allclose(np.linalg.norm(states.vectors_TD, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["tolman.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_a_damaged_folder_is_refused(encoder, tmp_path, name, damage):
    encoder.save(tmp_path)
    path = tmp_path / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ModelError):
        StaticEncoder.load(tmp_path)


def test_a_table_of_another_vocabulary_is_refused(encoder):
    with pytest.raises(ModelError, match="one row a token"):
        StaticEncoder(encoder.tokenizer, encoder.table_VD[:-1], encoder.saturation)


def test_the_folder_says_what_it_is(encoder, tmp_path):
    encoder.save(tmp_path)
    assert json.loads((tmp_path / "tolman.json").read_text())["family"] == "static"
