import json

import pytest
import torch
from checkpoints import write_causal, write_transformer
from conftest import tree
from safetensors.torch import load_file
from test_learning import documents

from tolman import causal_tuning
from tolman.causal_tuning import tune_causal
from tolman.errors import ModelError, SourceError, TolmanError
from tolman.language_evaluation import evaluate_text
from tolman.learning import learn, learn_model, predict_cost
from tolman.models.causal_folder import CausalFolder
from tolman.progress import Silent
from tolman.recipe import Adaptation

TEXTS = [row["text"] for row in documents(60)]
TABLE = "model.embed_tokens.weight"


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def base(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base") / "llama"
    return write_causal(folder, "llama", num_key_value_heads=2, tie_word_embeddings=request.param)


def tuned(base, texts=TEXTS, steps=3, checkpoint=None):
    return tune_causal(
        list(texts),
        CausalFolder(base),
        seconds=60,
        steps=steps,
        seed=0,
        corpus="c",
        checkpoint=checkpoint,
        progress=Silent(),
    )


def test_it_learns_the_corpus_and_loads_everywhere(base, tmp_path, monkeypatch):
    monkeypatch.setattr(causal_tuning, "adaptation", lambda _model, dim: Adaptation(dim, longest=16, rate=3e-3))
    path = learn_model(list(documents(60)), tmp_path / "x.model", base=base, objectives="causal", budget=60, steps=12)
    before, after = (evaluate_text(folder, list(documents(60))).causal for folder in (base, path))
    assert after.bits_per_byte < 0.9 * before.bits_per_byte
    told = json.loads((path / "model.json").read_text())
    assert told["encoder"]["family"] == "causal"
    assert told["parents"] == [CausalFolder(base).fingerprint]
    assert told["recipe"]["averaged"]["share"] in causal_tuning.SHARES
    assert "AutoModelForCausalLM" in (path / "card.md").read_text()
    old, new = (load_file(folder / "model.safetensors") for folder in (base, path))
    assert set(old) == set(new)
    assert torch.equal(old[TABLE], new[TABLE])
    assert all(not torch.equal(old[name], new[name]) for name in old if name not in (TABLE, "lm_head.weight"))


def test_a_resumed_run_gives_the_same_weights(base, tmp_path):
    whole = tuned(base, steps=4)
    tuned(base, steps=4, checkpoint=tmp_path)
    again = tuned(base, steps=4, checkpoint=tmp_path)
    assert again.run.resumed == (4,)
    for name, tensor in whole.guesser.learned.items():
        assert torch.equal(tensor, again.guesser.learned[name])


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_no_more_is_kept_than_held_out_text_allows(base, kept, monkeypatch):
    monkeypatch.setattr(causal_tuning, "adaptation", lambda _model, dim: Adaptation(dim, longest=16, rate=10.0))
    monkeypatch.setattr(causal_tuning, "SHARES", (kept, 1.0))
    result = tuned(base)
    assert result.choice.weight == kept
    assert result.choice.quality[kept] > result.choice.quality[1]
    now, stored = dict(result.guesser.model.named_parameters()), load_file(base / "model.safetensors")
    same = [torch.equal(stored[name], now[name]) for name in stored if name not in (TABLE, "lm_head.weight")]
    assert all(same) if kept == 0 else not any(same)


def test_of_a_few_documents_nothing_is_held_out(base):
    assert tuned(base, ["the cat sat on the mat and " * 30] * 3).choice.quality == {}


@pytest.mark.parametrize(
    ("of", "dials", "error", "told"),
    [
        ("llama", {"objectives": "causal,masked"}, TolmanError, "by causal alone"),
        ("bert", {"objectives": "causal"}, ModelError, "no model that guesses the next token"),
        ("nowhere", {"objectives": "causal"}, ModelError, "no such encoder"),
    ],
)
def test_bases_that_cannot(of, dials, error, told, tmp_path):
    write_causal(tmp_path / "llama", "llama")
    write_transformer(tmp_path / "bert")
    before = tree(tmp_path)
    with pytest.raises(error, match=told):
        learn_model(list(documents(60)), tmp_path / "x.model", base=tmp_path / of, **dials)
    assert tree(tmp_path) == before


def test_a_space_needs_vectors(base, tmp_path):
    with pytest.raises(TolmanError, match="add --no-space"):
        learn(list(documents(60)), tmp_path / "x.space", base=base, objectives="causal")
    with pytest.raises(TolmanError, match="add --no-space"):
        predict_cost(list(documents(60)), tmp_path / "x.space", base=base, objectives="causal")
    assert not list(tmp_path.iterdir())


def test_too_little_text(base, tmp_path):
    few = [{"text": "one word"}, {"text": "another one"}]
    with pytest.raises(SourceError, match="too little text to learn causal by"):
        learn_model(few, tmp_path / "x.model", base=base, objectives="causal")
    assert not list(tmp_path.iterdir())


def test_weights_that_are_missing(base, tmp_path):
    from safetensors.torch import save_file

    folder = write_causal(tmp_path / "llama", "llama")
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack model\.norm\.weight"):
        learn_model(list(documents(60)), tmp_path / "x.model", base=folder, objectives="causal")
    assert not (tmp_path / "x.model").exists()


def test_a_causal_model_gives_no_vectors(base):
    folder = CausalFolder(base)
    assert folder.dim == 32
    for asked in (lambda: folder.encode(["a"]), lambda: folder.tokens("a"), lambda: folder.count_tokens(["a"])):
        with pytest.raises(ModelError, match="gives no vectors"):
            asked()
