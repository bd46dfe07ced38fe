import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from checkpoints import MAX_TOKENS, TEXTS, WIDTH, write_sentence_transformer, write_transformer
from conftest import tree

from tolman.errors import ModelError
from tolman.models import load_encoder, transformer
from tolman.models.transformer import TransformerEncoder, fastest_precision, multiplies_bfloat16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_transformer(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture(scope="module")
def encoder(folder):
    return TransformerEncoder.load(folder, precision="float32")


def test_order_and_batches_change_nothing(encoder, monkeypatch):
    expected = encoder.encode(TEXTS)
    monkeypatch.setattr(transformer, "CPU_BATCH", 40)
    monkeypatch.setattr(transformer, "WINDOW_TEXTS", 3)
    shuffled = np.random.default_rng(0).permutation(len(TEXTS))
    np.testing.assert_allclose(encoder.encode([TEXTS[i] for i in shuffled]), expected[shuffled], atol=1e-6)


def test_no_texts(encoder):
    assert encoder.encode([]).shape == (0, WIDTH)
    assert encoder.count_tokens([]) == []


def test_tokens_of_many_texts_are_those_of_each(encoder):
    texts = [*TEXTS, "cat " * 150]
    for text, states in zip(texts, encoder.tokens_many(texts), strict=True):
        alone = encoder.tokens(text)
        assert states.spans == alone.spans
        np.testing.assert_allclose(states.vectors_TD, alone.vectors_TD, atol=1e-5)


def test_bfloat16_stays_close_to_float32(folder, encoder):
    vectors_ND = TransformerEncoder.load(folder, precision="bfloat16").encode(TEXTS)
    assert vectors_ND.dtype == np.float32
    assert (vectors_ND * encoder.encode(TEXTS)).sum(axis=1).min() > 0.9995


def test_a_long_text_counts_with_its_beginning_however_it_is_cut(encoder, monkeypatch):
    words = [f"word{i} cat" for i in range(300)]
    spaced = "   ".join(words) + " " * 5000 + "end"
    expected = encoder.encode([spaced])
    monkeypatch.setattr(transformer, "CHARACTERS_A_TOKEN", 1_000_000)
    np.testing.assert_array_equal(encoder.encode([spaced]), expected)


def test_a_beginning_without_tokens_is_not_the_whole_text(encoder):
    room = encoder.passage_tokens * transformer.CHARACTERS_A_TOKEN
    blank = " " * (room + 5)
    np.testing.assert_allclose(encoder.encode([blank + "the cat"]), encoder.encode(["the cat"]), atol=1e-6)


def test_counts_are_the_tokenizers_own_before_truncation(folder, encoder, monkeypatch):
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(folder)
    expected = [len(reference(text, add_special_tokens=False)["input_ids"]) for text in TEXTS]
    assert encoder.count_tokens(TEXTS) == expected
    assert max(expected) > MAX_TOKENS
    monkeypatch.setattr(transformer, "WINDOW_CHARACTERS", 30)
    assert encoder.count_tokens(TEXTS) == expected


def test_a_passage_fits_with_its_special_tokens(encoder):
    assert encoder.passage_tokens == MAX_TOKENS - 2


def test_token_states_are_those_of_transformers(folder, encoder):
    from transformers import AutoModel, AutoTokenizer

    text = TEXTS[3]
    inputs = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt", return_token_type_ids=False)
    with torch.inference_mode():
        expected = AutoModel.from_pretrained(folder).eval()(**inputs).last_hidden_state[0, 1:-1].numpy()
    states = encoder.tokens(text)
    np.testing.assert_allclose(states.vectors_TD, expected, atol=1e-5)
    assert "".join(text[start:end] for start, end in states.spans) == text.replace(" ", "")


def test_token_states_of_a_text_longer_than_a_sequence(encoder):
    states = encoder.tokens("long " * 90)
    assert states.vectors_TD.shape == (len(states.spans), WIDTH)
    assert len(states.spans) == encoder.count_tokens(["long " * 90])[0] > MAX_TOKENS
    assert encoder.tokens("").vectors_TD.shape == (0, WIDTH)


def test_roles_use_the_prompts_of_the_folder(tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

    prompts = {"query": "find the cat: ", "passage": "mat: "}
    pooling = Pooling(WIDTH, "mean", include_prompt=False)
    folder = write_sentence_transformer(tmp_path / "m", pooling, Normalize(), prompts=prompts)
    encoder, reference = TransformerEncoder.load(folder, precision="float32"), SentenceTransformer(str(folder))
    assert encoder.passage_tokens == MAX_TOKENS - 2 - encoder.count_tokens(["mat: "])[0]
    queries = encoder.encode(TEXTS, "query")
    np.testing.assert_allclose(queries, reference.encode_query(TEXTS), atol=2e-6)
    np.testing.assert_allclose(encoder.encode(TEXTS), reference.encode(TEXTS, prompt_name="passage"), atol=2e-6)


def test_the_fingerprint_is_of_what_makes_the_vectors(folder, encoder, tmp_path):
    assert TransformerEncoder.load(folder, precision="bfloat16").fingerprint == encoder.fingerprint
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert TransformerEncoder.load(copy).fingerprint == encoder.fingerprint
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x07")
    assert TransformerEncoder.load(copy).fingerprint != encoder.fingerprint
    shutil.copy(folder / "model.safetensors", weights)
    config = copy / "config.json"
    config.write_text(config.read_text().replace('"layer_norm_eps": 1e-12', '"layer_norm_eps": 1e-3'))
    assert TransformerEncoder.load(copy).fingerprint != encoder.fingerprint


def test_a_saved_sentence_transformer_is_unchanged(tmp_path):
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling

    folder = write_sentence_transformer(tmp_path / "m", Pooling(WIDTH), Dense(WIDTH, 8), Normalize())
    encoder = TransformerEncoder.load(folder)
    (folder / "pytorch_model.bin").write_bytes(b"weights in another format")
    encoder.save(tmp_path / "saved")
    saved = tree(tmp_path / "saved")
    assert saved == {name: content for name, content in tree(folder).items() if not name.endswith(".bin")}
    assert load_encoder(tmp_path / "saved").fingerprint == encoder.fingerprint


def test_a_saved_plain_transformer_gives_unit_vectors_in_sentence_transformers(encoder, tmp_path):
    from sentence_transformers import SentenceTransformer

    encoder.save(tmp_path / "saved")
    reference = SentenceTransformer(str(tmp_path / "saved")).encode(TEXTS)
    np.testing.assert_allclose(encoder.encode(TEXTS), reference, atol=2e-6)
    again = load_encoder(tmp_path / "saved")
    assert again.fingerprint == encoder.fingerprint
    assert len(encoder.notes) == 2
    assert again.notes == ()


def test_saving_after_the_original_is_gone(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "moved")
    encoder = TransformerEncoder.load(moved)
    shutil.rmtree(moved)
    with pytest.raises(ModelError, match="is gone"):
        encoder.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize(
    ("flags", "allowed", "expected"),
    [
        ("fpu avx512f amx_bf16 amx_tile", None, True),
        ("fpu avx512f amx_bf16 amx_tile", "AVX512_CORE_AMX", True),
        ("fpu avx512f amx_bf16 amx_tile", "AVX2", False),
        ("fpu avx512f avx512_bf16", None, True),
        ("fpu avx512f avx512_bf16", "AVX512_CORE_AMX", True),
        ("fpu avx512f avx512_bf16", "avx512_core_bf16", True),
        ("fpu avx512f avx512_bf16", "AVX512_CORE_FP16", True),
        ("fpu avx512f avx512_bf16", "AVX10_1_512", True),
        ("fpu avx512f avx512_bf16", "AVX2_VNNI_2", False),
        ("fpu avx512f avx512_bf16", "AVX512_CORE", False),
        ("fpu avx512f amx_bf16 amx_tile", "AVX512_CORE_BF16", False),
        ("fpu avx512f", None, False),
        (None, None, False),
    ],
)
def test_bfloat16_is_used_where_there_are_instructions_for_it(monkeypatch, tmp_path, flags, allowed, expected):
    monkeypatch.setattr(transformer, "CPUINFO", tmp_path / "cpuinfo")
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if allowed:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", allowed)
    assert multiplies_bfloat16() == expected
    assert fastest_precision(torch.device("cpu")) == ("bfloat16" if expected else "float32")


def test_loading_a_lean_architecture_leaves_transformers_out(folder):
    code = f"import sys; from tolman.models import load_encoder; load_encoder({str(folder)!r}).encode(['a']); "
    code += "print('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
