import numpy as np
import pytest
import torch
from checkpoints import TEXTS as BERT_TEXTS
from checkpoints import write_causal, write_transformer
from writers import TEXTS, WINDOW, write_learned

from tolman.errors import ModelError
from tolman.models import language_model
from tolman.models.language_folder import read_language_model, read_language_models
from tolman.models.language_model import PackedNetwork, PaddedNetwork


def log_softmax(model, ids):
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids])).logits[0].double().log_softmax(-1)


def reference_causal(folder, texts):
    """transformers itself, one text at a time: every token after <s>, and </s>; whole texts that fit the window."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        begun = [] if ids[0] == tokenizer.bos_token_id else [tokenizer.bos_token_id]
        ended = [] if ids[-1] == tokenizer.eos_token_id else [tokenizer.eos_token_id]
        ids = [*begun, *ids, *ended]
        logs = log_softmax(model, ids)
        yield [float(logs[place, token]) for place, token in enumerate(ids[1:])]


def reference_masked(folder, texts):
    """The same with each token hidden once (Salazar et al. 2020)."""
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    model, tokenizer = AutoModelForMaskedLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        yield [
            float(log_softmax(model, [*ids[:place], tokenizer.mask_token_id, *ids[place + 1 :]])[place, ids[place]])
            for place in range(1, len(ids) - 1)
        ]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    return write_learned(tmp_path_factory.mktemp("models") / "both")


def fitting(model, texts):
    extra = len(model.frame.before) + len(model.frame.after)
    return [text for text in texts if model.tokens([text]).lengths[0] + extra <= model.window]


@pytest.mark.parametrize(("place", "reference"), [(0, reference_masked), (1, reference_causal)])
def test_our_folders_say_what_transformers_says(learned, place, reference):
    model = read_language_models(learned, precision="float32")[place]
    assert isinstance(model.network, PackedNetwork)
    texts = fitting(model, TEXTS)
    assert len(texts) > 4
    scores = model.scores(model.tokens(texts))
    expected = list(reference((learned, learned / "causal")[place], texts))
    np.testing.assert_allclose(scores.logs, np.concatenate(expected), atol=2e-5)
    np.testing.assert_allclose(scores.totals, [sum(row) for row in expected], atol=2e-4)
    assert np.ptp(scores.logs) > 1


@pytest.mark.parametrize("model_type", ["bert", "roberta", "distilbert", "mpnet", "electra"])
@pytest.mark.parametrize("tied", [True, False])
def test_masked_heads_of_others(tmp_path, model_type, tied):
    from transformers import AutoConfig, AutoModelForMaskedLM

    folder = write_transformer(tmp_path / "m", model_type, tie_word_embeddings=tied)
    torch.manual_seed(1)
    AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)
    (model,) = read_language_models(folder, precision="float32")
    assert isinstance(model.network, PaddedNetwork if model_type == "electra" else PackedNetwork)
    texts = fitting(model, BERT_TEXTS)[:8]
    expected = list(reference_masked(folder, texts))
    np.testing.assert_allclose(model.scores(model.tokens(texts)).logs, np.concatenate(expected), atol=2e-5)


@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
def test_causal_models_of_others(tmp_path, model_type):
    folder = write_causal(tmp_path / "m", model_type)
    (model,) = read_language_models(folder, precision="float32")
    assert (model.kind, type(model.network)) == ("causal", PaddedNetwork)
    texts = fitting(model, BERT_TEXTS)[:8]
    expected = list(reference_causal(folder, texts))
    np.testing.assert_allclose(model.scores(model.tokens(texts)).logs, np.concatenate(expected), atol=2e-5)


@pytest.mark.parametrize("place", [0, 1])
def test_batches_and_order_change_nothing(learned, place, monkeypatch):
    model = read_language_models(learned, precision="float32")[place]
    expected = model.scores(model.tokens(TEXTS))
    monkeypatch.setattr(language_model, "TOKENS_AT_ONCE", 30)
    monkeypatch.setattr(language_model, "_LOGITS_AT_ONCE", 7)
    shuffled = np.random.default_rng(0).permutation(len(TEXTS))
    scores = model.scores(model.tokens([TEXTS[i] for i in shuffled]))
    np.testing.assert_allclose(scores.totals, expected.totals[shuffled], atol=1e-3)


def test_a_long_text_is_read_in_windows_that_overlap_by_half(learned):
    model = read_language_models(learned, precision="float32")[1]
    tokens = model.tokens([TEXTS[4]])
    scores = model.scores(tokens)
    stream = [*model.frame.before, *tokens.ids.tolist(), *model.frame.after]
    assert len(stream) > 3 * WINDOW
    assert len(scores.logs) == len(stream) - 1
    begins = 0, 0  # of the window that guesses a token, and of that before it
    for target in range(1, len(stream)):
        if target > begins[0] + WINDOW:
            begins = min(begins[0] + WINDOW // 2, len(stream) - 1 - WINDOW), begins[0]
        seen = torch.tensor(stream[begins[0] : target])
        at, chosen = torch.tensor([len(seen) - 1]), torch.tensor([stream[target]])
        with torch.inference_mode():
            expected = float(model.network(seen, [len(seen)], at, chosen))
        assert scores.logs[target - 1] == pytest.approx(expected, abs=2e-5)
        assert len(seen) >= min(target, WINDOW // 2)


def test_a_hidden_token_of_a_long_text_is_seen_from_both_sides(learned):
    model = read_language_models(learned, precision="float32")[0]
    tokens = model.tokens([TEXTS[4]])
    logs = model.scores(tokens).logs
    assert len(logs) == len(tokens.ids)
    stream = [*model.frame.before, *tokens.ids.tolist(), *model.frame.after]
    for target in (1, 2, 40, len(stream) - 2):
        start = min(max(0, target - WINDOW // 2), len(stream) - WINDOW)
        seen = torch.tensor(stream[start : start + WINDOW])
        seen[target - start] = model.frame.mask
        with torch.inference_mode():
            at, chosen = torch.tensor([target - start]), torch.tensor([stream[target]])
            expected = float(model.network(seen, [WINDOW], at, chosen))
        assert logs[target - 1] == pytest.approx(expected, abs=2e-5)


def test_some_tokens_of_a_masked_model(learned):
    model = read_language_models(learned, precision="float32")[0]
    tokens = model.tokens(TEXTS)
    places = np.array([0, 3, 17, 40, len(tokens.ids) - 1])
    np.testing.assert_allclose(model.scores_at(tokens, places), model.scores(tokens).logs[places], atol=2e-5)


def test_probabilities_of_all_that_may_come_next_sum_to_one(learned):
    model = read_language_models(learned, precision="float32")[1]
    vocabulary = len(model.network.words_VH)
    seen = torch.tensor([*model.frame.before, *model.tokens(["the cat"]).ids.tolist()])
    at = torch.full((vocabulary,), len(seen) - 1)
    with torch.inference_mode():
        logs = model.network(seen, [len(seen)], at, torch.arange(vocabulary))
    assert float(logs.double().exp().sum()) == pytest.approx(1, abs=1e-5)


def test_what_guesses_nothing_is_no_language_model(tmp_path):
    assert read_language_models(write_transformer(tmp_path / "bert")) == []
    with pytest.raises(ModelError, match="found none"):
        read_language_models(tmp_path / "nothing")


def test_a_head_that_is_not_whole_is_named(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = write_learned(tmp_path / "m", encoder=False)
    weights = load_file(folder / "model.safetensors")
    del weights["lm_head.dense.weight"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"lack lm_head\.dense\.weight"):
        read_language_model(folder, "causal")
    (folder / "config.json").write_text("[")
    with pytest.raises(ModelError, match="can't read"):
        read_language_models(folder)


def test_weights_that_transformers_would_draw_at_random_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = write_causal(tmp_path / "m", "llama")
    weights = load_file(folder / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack lm_head\.weight"):
        read_language_models(folder)
