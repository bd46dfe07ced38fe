import numpy as np
import pytest
from writers import LATENTS, TEXTS, write_learned

import tolman
from tolman import reconstruction
from tolman.errors import ModelError, QueryError, SourceError
from tolman.models import load_encoder
from tolman.models.decoder import Decoder
from tolman.reconstruction import BUCKETS, evaluate_reconstruction

DOCUMENTS = [
    "The courier rang. He left the lamp with a neighbour! The cat sat on the mat and the mat and the mat.",
    "A lamp. " + TEXTS[4],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_learned(tmp_path_factory.mktemp("models") / "m", latents=True)


def sentences_of(decoder):
    texts = ["The courier rang.", "He left the lamp with a neighbour!"]
    texts += ["The cat sat on the mat and the mat and the mat.", "A lamp.", TEXTS[4].strip()]
    lengths = decoder.tokens(texts).lengths
    assert lengths[-1] > BUCKETS[-1][1]
    return texts[:-1], lengths[:-1]


def test_sentences_are_counted_by_their_length(folder):
    found = evaluate_reconstruction(folder, DOCUMENTS)
    _, lengths = sentences_of(Decoder.load(folder))
    expected = {f"{low}-{high}": int(((lengths >= low) & (lengths <= high)).sum()) for low, high in BUCKETS}
    assert {name: one.sentences for name, one in found.lengths.items()} == {k: n for k, n in expected.items() if n}
    assert len(found.lengths) > 1
    assert (found.numbers, found.all_sentences, found.left_out) == (LATENTS[0] * LATENTS[1], 4, 1)
    assert found.overall.sentences == 4


def test_random_weights_write_something_else(folder):
    """And the cosine is that of the encoder's vectors of both."""
    found = evaluate_reconstruction(folder, DOCUMENTS)
    assert found.overall.exact.mean == 0
    decoder, encoder = Decoder.load(folder), load_encoder(folder)
    texts, lengths = sentences_of(decoder)
    written = decoder.plain(decoder.write(decoder.latents(decoder.tokens(texts)), int(lengths.max()) + 8))
    cosines = (encoder.encode(texts) * encoder.encode(written)).sum(axis=1)
    assert found.overall.cosine == pytest.approx(float(cosines.mean()), abs=0.02)


def test_a_perfect_writer_is_exact(folder, monkeypatch):
    """Unicode in another form, and the space that the tokenizer puts before the first word, make no difference."""
    remembered = {}

    def latents(self, texts):
        remembered["texts"] = texts
        return self

    monkeypatch.setattr(Decoder, "latents", latents)
    monkeypatch.setattr(Decoder, "write", lambda self, latents, most: remembered["texts"])
    found = evaluate_reconstruction(folder, ['The re\u0301sume\u0301 sang. "Good!" A lamp.', "No end"])
    assert found.overall.exact.mean == 1
    assert found.overall.exact.low < 1
    assert found.overall.cosine == pytest.approx(1, abs=1e-3)


def test_a_writer_that_does_not_end_is_not_exact(folder, monkeypatch):
    texts = {}

    def write(self, latents, most):
        tokens = texts["tokens"]
        assert most > tokens.lengths.max()
        return reconstruction_of(tokens, most)

    def latents(self, tokens):
        texts["tokens"] = tokens

    monkeypatch.setattr(Decoder, "latents", latents)
    monkeypatch.setattr(Decoder, "write", write)
    assert evaluate_reconstruction(folder, DOCUMENTS).overall.exact.mean == 0


def reconstruction_of(tokens, most):
    """The text itself, and on and on."""
    rows = [np.resize(tokens[row], most) for row in range(len(tokens))]
    return type(tokens).join(rows)


def test_some_sentences_drawn_at_random(folder, monkeypatch):
    found = evaluate_reconstruction(folder, DOCUMENTS, most=2)
    assert (found.overall.sentences, found.all_sentences) == (2, 4)
    monkeypatch.setattr(reconstruction, "SENTENCES", 3)
    assert evaluate_reconstruction(folder, DOCUMENTS).overall.sentences == 3
    with pytest.raises(QueryError, match="1 or more: sentences"):
        evaluate_reconstruction(folder, DOCUMENTS, most=0)


def test_what_cannot_be_measured_says_so(folder, tmp_path):
    with pytest.raises(ModelError, match="no model or space at"):
        evaluate_reconstruction(tmp_path / "none", DOCUMENTS)
    with pytest.raises(ModelError, match=r"no bottleneck\.safetensors"):
        evaluate_reconstruction(write_learned(tmp_path / "m"), DOCUMENTS)
    damaged = write_learned(tmp_path / "damaged", latents=True)
    (damaged / "bottleneck.safetensors").write_bytes(b"abc")
    with pytest.raises(ModelError, match=r"can't read the weights in .*bottleneck\.safetensors"):
        evaluate_reconstruction(damaged, DOCUMENTS)
    for given in (True, 1.5, "3"):
        with pytest.raises(QueryError, match="expected a whole number of 1 or more"):
            evaluate_reconstruction(folder, DOCUMENTS, most=given)
    with pytest.raises(QueryError, match="seed"):
        evaluate_reconstruction(folder, DOCUMENTS, seed=-1)
    with pytest.raises(ModelError, match="expected a space or the path of a model"):
        evaluate_reconstruction(None, DOCUMENTS)
    with pytest.raises(SourceError, match="no sentence of at most 32 tokens"):
        evaluate_reconstruction(folder, [TEXTS[4]])


def test_the_package_measures():
    assert tolman.evaluate_reconstruction is evaluate_reconstruction
