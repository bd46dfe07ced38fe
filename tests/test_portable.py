"""What Tolman saves, sentence-transformers loads: the same vectors, without Tolman."""

import subprocess
import sys

import numpy as np
import pytest
from checkpoints import TEXTS, WIDTH, write_sentence_transformer

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
def blend(static, tmp_path_factory):
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

    prompts = {"query": "find: ", "passage": "mat: "}
    folder = tmp_path_factory.mktemp("models") / "m"
    write_sentence_transformer(folder, Pooling(WIDTH), Normalize(), prompts=prompts)
    return BlendedEncoder((static, TransformerEncoder.load(folder, precision="float32")), (0.5, 1.5))


def load(folder, monkeypatch):
    """As a user does; the copies of modules that transformers makes are kept apart."""
    from sentence_transformers import SentenceTransformer
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(folder.parent / "hf-modules"))
    return SentenceTransformer(str(folder), trust_remote_code=True, device="cpu")


@pytest.mark.parametrize("family", ["static", "blend"])
def test_sentence_transformers_gives_the_same_vectors(family, request, tmp_path, monkeypatch):
    encoder = request.getfixturevalue(family)
    encoder.save(tmp_path / "encoder")
    model = load(tmp_path / "encoder", monkeypatch)
    assert model.get_embedding_dimension() == encoder.dim
    np.testing.assert_allclose(model.encode(TEXTS), encoder.encode(TEXTS), atol=2e-6)
    np.testing.assert_allclose(model.encode_document(TEXTS), encoder.encode(TEXTS), atol=2e-6)
    np.testing.assert_allclose(model.encode_query(TEXTS), encoder.encode(TEXTS, "query"), atol=2e-6)


@pytest.mark.parametrize("family", ["static", "blend"])
def test_a_model_saved_by_sentence_transformers_is_still_ours(family, request, tmp_path, monkeypatch):
    encoder = request.getfixturevalue(family)
    encoder.save(tmp_path / "encoder")
    load(tmp_path / "encoder", monkeypatch).save(str(tmp_path / "again"))
    np.testing.assert_allclose(load(tmp_path / "again", monkeypatch).encode(TEXTS), encoder.encode(TEXTS), atol=2e-6)


def test_the_module_in_the_folder_never_imports_tolman(blend, tmp_path):
    blend.save(tmp_path / "encoder")
    code = (
        "import sys; from sentence_transformers import SentenceTransformer; "
        f"SentenceTransformer({str(tmp_path / 'encoder')!r}, trust_remote_code=True, device='cpu').encode(['cat']); "
        "print([name for name in sys.modules if name.split('.')[0] == 'tolman'])"
    )
    environment = {"HF_MODULES_CACHE": str(tmp_path / "hf-modules"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert result.stdout == "[]\n"
