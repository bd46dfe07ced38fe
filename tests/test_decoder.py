import numpy as np
import pytest
import torch
from writers import LATENTS, TEXTS, WINDOW, learner_of, tiny_text_tokenizer, tiny_transformer, write_learned

from tolman.errors import ModelError
from tolman.models import decoder as decoding
from tolman.models.decoder import Decoder
from tolman.models.learning_transformer import Frame
from tolman.models.transformer_folder import save_new

SHORT = [text for text in TEXTS if len(text) < 60]


@pytest.fixture(scope="module")
def learner():
    return learner_of(tiny_transformer(tiny_text_tokenizer()), tiny_text_tokenizer())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_learned(tmp_path_factory.mktemp("models") / "m", latents=True)


@pytest.fixture(scope="module")
def decoder(folder):
    return Decoder.load(folder, precision="float32")


def test_latents_are_those_that_were_learned(learner, decoder):
    tokens = decoder.tokens(SHORT)
    with torch.no_grad():
        expected = learner.latents(tokens)
    assert expected.shape == (len(SHORT), *LATENTS)
    torch.testing.assert_close(decoder.latents(tokens), expected, atol=2e-5, rtol=1e-4)


def test_scores_are_the_loss_that_was_learned_by(learner, decoder):
    tokens = decoder.tokens(SHORT)
    with torch.no_grad():
        loss = float(learner.reconstruction_loss(tokens, tokens, 0.0, np.random.default_rng(0)))
    scores = decoder.scores(decoder.latents(tokens), tokens)
    assert len(scores.logs) == len(tokens.ids) + len(tokens)
    assert -scores.logs.mean() == pytest.approx(loss, abs=2e-5)


def test_batches_change_nothing(decoder, monkeypatch):
    tokens = decoder.tokens(SHORT)
    latents = decoder.latents(tokens)
    expected, written = decoder.scores(latents, tokens).totals, decoder.write(latents, 9)
    monkeypatch.setattr(decoding, "TOKENS_AT_ONCE", 20)
    monkeypatch.setattr(decoding, "_TEXTS_AT_ONCE", 2)
    torch.testing.assert_close(decoder.latents(tokens), latents, atol=2e-5, rtol=1e-4)
    np.testing.assert_allclose(decoder.scores(latents, tokens).totals, expected, atol=1e-3)
    np.testing.assert_array_equal(decoder.write(latents, 9).ids, written.ids)


def test_each_token_written_is_the_most_probable_after_those_before_it(folder):
    """Against the whole pass, made anew for every token. What it likes to write is made the end, for some to end."""
    decoder = Decoder.load(folder, precision="float32")
    drawn = torch.randn(60, *LATENTS, generator=torch.Generator().manual_seed(0))
    latents = torch.nn.functional.layer_norm(drawn, LATENTS[1:])
    usual = int(np.bincount(decoder.write(latents).ids).argmax())
    decoder.frame = Frame(decoder.frame.before, (usual,), None)
    written = decoder.write(latents)
    assert len(set(written.lengths.tolist())) > 1, "no text ended early: nothing tests that it may"
    assert written.lengths.max() <= decoder.most == WINDOW - LATENTS[0] - 1
    assert (written.ids != usual).all()
    for row in range(len(written)):
        text = written.only(np.array([row]))
        logits = every_logit(decoder, latents[row : row + 1], text)
        whole = [*text.ids.tolist(), decoder.frame.after[0]]
        guessed = whole if len(text.ids) < decoder.most else whole[:-1]
        assert logits.argmax(dim=1)[: len(guessed)].tolist() == guessed


def every_logit(decoder, latents, text):
    with torch.inference_mode():
        return decoder.network.head.logits(decoder._writing_states(latents, text), decoder.network.words_VH)


def test_no_text_at_all(decoder):
    nothing = decoder.tokens([])
    assert decoder.latents(nothing).shape == (0, *LATENTS)
    assert len(decoder.write(decoder.latents(nothing))) == 0


def test_tokens_stand_for_their_text(decoder):
    assert decoder.plain(decoder.tokens(["re\u0301sume\u0301  twice", ""])) == ["r\u00e9sum\u00e9  twice", ""]


@pytest.mark.parametrize("lacking", ["bottleneck.safetensors", "causal"])
def test_what_cannot_write_says_what_it_lacks(tmp_path, lacking):
    save_new(
        tmp_path,
        tiny_transformer(tiny_text_tokenizer(), latents=None if lacking.startswith("b") else LATENTS),
        tiny_text_tokenizer(),
        ["masked"] if lacking == "causal" else ["causal"],
    )
    with pytest.raises(ModelError, match=f"no {lacking}.*--objectives autoencoding"):
        Decoder.load(tmp_path)
