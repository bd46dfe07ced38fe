import numpy as np
import pytest
import torch
from checkpoints import TEXTS, WIDTH, write_sentence_transformer

from tolman.models.head import POOLING, Head
from tolman.models.transformer import TransformerEncoder


def stacks():
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling
    from torch.nn import GELU, Identity

    for mode in POOLING:
        yield mode, [Pooling(WIDTH, mode), Normalize()]
    yield "two modes, not normalised", [Pooling(WIDTH, ("cls", "mean"))]
    yield "dense", [Pooling(WIDTH), Dense(WIDTH, 8), Normalize()]
    projected = Dense(WIDTH, 8, bias=False, activation_function=GELU(), use_residual=True)
    kept = Dense(8, 8, activation_function=Identity(), use_residual=True)
    yield "dense with residuals", [Pooling(WIDTH), projected, kept]


def test_every_stack_of_modules_equals_sentence_transformers(tmp_path):
    from sentence_transformers import SentenceTransformer

    for name, modules in stacks():
        folder = write_sentence_transformer(tmp_path / name.replace(" ", "-"), *modules)
        expected = SentenceTransformer(str(folder), device="cpu").encode(TEXTS, normalize_embeddings=True)
        encoder = TransformerEncoder.load(folder, precision="float32")
        vectors_ND = encoder.encode(TEXTS)
        assert encoder.dim == expected.shape[1], name
        assert (vectors_ND * expected).sum(axis=1).min() > 0.999999, name
        np.testing.assert_allclose(np.linalg.norm(vectors_ND, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("mode", POOLING)
def test_pooling_looks_at_one_text_only(mode):
    states_TH = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    head = Head((mode,))
    together = head(states_TH, [5, 1, 3])
    alone = torch.cat([head(part, [len(part)]) for part in states_TH.split([5, 1, 3])])
    torch.testing.assert_close(together, alone)
