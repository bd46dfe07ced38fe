import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TICKETS, Cli, tree
from test_learning import documents

from tolman import learning, model_folder, recipe
from tolman.errors import SourceError, SpaceError, StorageError, TolmanError
from tolman.language_evaluation import evaluate_text, open_language_models
from tolman.learning import learn, learn_model
from tolman.models import load_encoder
from tolman.models.decoder import Decoder
from tolman.models.language_folder import read_language_models
from tolman.models.transformer import TransformerEncoder
from tolman.space.space import open_space

TEXTS = [row["text"] for row in documents(30)]
KILL_WHILE_WRITING = """
import os, signal, sys
from tolman import model_folder
model_folder.render_model_card = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from tolman.cli import main
main()
"""


@pytest.fixture(scope="module", autouse=True)
def _small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            recipe.SHAPES,
            "tiny",
            recipe.Shape(layers=2, width=32, heads=4, window=32, rate=4e-3, tokens=1_024, pairs=16, rounds=2),
        )
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """One folder a list of objectives, learned when it is first asked for."""
    learned = {}

    def of(objectives):
        if objectives not in learned:
            path = tmp_path_factory.mktemp("models") / "x.model"
            learned[objectives] = learn_model(
                list(documents()), path, base="transformer", objectives=objectives, size="tiny", budget="2s"
            )
        return learned[objectives]

    return of


def logits_of_ours(folder, place, text):
    """By the lean pass of one of the folder's models, in float32."""
    model = read_language_models(folder, precision="float32")[place]
    ids = torch.tensor([*model.frame.before, *model.tokens([text]).ids.tolist(), *model.frame.after])
    with torch.inference_mode():
        states = model.network.trunk(ids, [len(ids)], causal=model.kind == "causal")
        return ids, model.network.head.logits(states, model.network.words_VH)


def logits_of_transformers(kind, folder, ids, **where):
    loaded, report = kind.from_pretrained(folder, output_loading_info=True, **where)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    with torch.inference_mode():
        return loaded.eval()(input_ids=ids[None]).logits[0]


def test_causal_alone_is_a_causal_model(models):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = models("causal")
    ids, ours = logits_of_ours(folder, 0, TEXTS[0])
    theirs = logits_of_transformers(AutoModelForCausalLM, folder, ids)
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    begun = tokenizer(TEXTS[0], return_tensors="pt")  # and not ended: it is to be gone on with
    assert begun["input_ids"][0].tolist() == ids.tolist()[:-1]
    writer = AutoModelForCausalLM.from_pretrained(folder)
    assert len(writer.generate(**begun, max_new_tokens=2, min_new_tokens=2)[0]) == len(ids) + 1
    files = ("card.md", "config.json", "model.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    assert {path.name for path in folder.iterdir()} - {"learning.png"} == {*files, "learning.html"}
    assert {oct(path.stat().st_mode) for path in folder.iterdir()} == {oct((folder / "model.json").stat().st_mode)}
    assert evaluate_text(folder, TEXTS).causal.bits_per_byte < 8
    with pytest.raises(TolmanError, match="gives no vectors"):
        load_encoder(folder)


def test_a_masked_model_loads_elsewhere_and_gives_the_same(models):
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModelForMaskedLM

    folder = models("masked,contrastive")
    assert [model.kind for model in open_language_models(folder)] == ["masked"]
    ids, ours = logits_of_ours(folder, 0, TEXTS[0])
    theirs = logits_of_transformers(AutoModelForMaskedLM, folder, ids)
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)
    short = [" ".join(text.split()[:12]) for text in TEXTS]
    vectors_ND = TransformerEncoder.load(folder, precision="float32").encode(short)
    np.testing.assert_allclose(vectors_ND, SentenceTransformer(str(folder)).encode(short), atol=2e-6)


def test_all_that_was_learned_is_kept(models):
    from transformers import AutoModelForCausalLM

    folder = models("masked,causal,autoencoding")
    assert [model.kind for model in open_language_models(folder)] == ["masked", "causal"]
    ids, ours = logits_of_ours(folder, 1, TEXTS[0])
    theirs = logits_of_transformers(AutoModelForCausalLM, folder, ids, subfolder="causal")
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)
    decoder = Decoder.load(folder)
    assert len(decoder.write(decoder.latents(decoder.tokens(TEXTS[:2])), 5)) == 2


def test_what_is_kept_is_the_encoder_of_the_space(tmp_path):
    """Its steps end the run: the same bit for bit."""
    space = learn(list(documents(40)), tmp_path / "x.space", size="tiny", budget="1h")
    folder = learn_model(list(documents(40)), tmp_path / "x.model", size="tiny", budget="1h")
    assert load_encoder(folder).fingerprint == space.encoder.fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.model", "x.space"]


def test_model_json_says_how_it_was_made(models):
    described = json.loads((models("masked,contrastive") / "model.json").read_text())
    assert (described["made_by"], described["format"]) == ("tolman", 1)
    assert described["encoder"]["fingerprint"] == load_encoder(models("masked,contrastive")).fingerprint
    assert described["recipe"]["plan"]["objectives"] == {"masked": 1.0, "contrastive": 1.0}
    assert described["quality"]["dense"] > 0
    assert described["cost"]["wall_seconds"] > 0
    assert described["corpus"]["documents"] == 120
    assert "search" not in described


@pytest.mark.parametrize(
    ("objectives", "there", "missing"),
    [
        (
            "causal",
            ["AutoModelForCausalLM.from_pretrained('x.model')", "It guesses tokens and gives no vectors"],
            ["SentenceTransformer", "nDCG", "AutoModelForMaskedLM"],
        ),
        (
            "masked,contrastive",
            ["SentenceTransformer('x.model')", "AutoModelForMaskedLM.from_pretrained('x.model')", "nDCG@10 on"],
            ["AutoModelForCausalLM", "space", "BM25", "Confidence", "trained by others"],
        ),
        ("masked,causal,autoencoding", ["AutoModelForCausalLM.from_pretrained('x.model', subfolder=\"causal\")"], []),
    ],
)
def test_the_card_says_what_it_is_and_how_it_is_used(models, objectives, there, missing):
    card = (models(objectives) / "card.md").read_text()
    assert card.startswith("# x.model\n")
    for fact in (*there, "| wall time |", "| documents when it was learned | 120 |", "| run: loss last |"):
        assert fact in card
    assert [word for word in missing if word in card] == []
    exec(card.split("```python\n")[1].split("```")[0].replace("x.model", str(models(objectives))), {})


def test_what_is_not_a_model_of_ours_is_not_touched_and_nothing_is_learned(tmp_path, monkeypatch, tickets_space):
    monkeypatch.setattr(learning, "read_corpus", lambda *_, **__: pytest.fail("read before looking"))
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "model.json").write_text('{"modelTopology": {}}')
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "model.json").write_text('{"made_by": "tolman", "format": 99}')
    for path, message in (
        (theirs, "is not a learned model"),
        (tickets_space, "is not a learned model"),
        (newer, r"has format 99, this Tolman reads up to 1"),
    ):
        before = tree(path)
        with pytest.raises(SpaceError, match=message):
            learn_model("tickets.csv", path)
        assert tree(path) == before
    with pytest.raises(SpaceError, match="is not a space"):
        learn("tickets.csv", newer)


def test_a_model_is_replaced_when_the_new_one_is_whole(tmp_path):
    path = learn_model(list(documents(30)), tmp_path / "x.model", budget="1s")
    before = load_encoder(path).fingerprint
    learn_model(list(documents(40)), path, budget="1s")
    assert load_encoder(path).fingerprint != before
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.model"]


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch):
    path = learn_model(list(documents(30)), tmp_path / "x.model", budget="1s")
    before = tree(path)
    with pytest.raises(SourceError, match="at least 2 different documents"):
        learn_model(["one"], path)

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_folder, "render_model_card", refuse)
    for place in (path, tmp_path / "new" / "deep"):
        with pytest.raises(StorageError, match="No space left"):
            learn_model(list(documents(40)), place, budget="1s")
        assert tree(path) == before
        assert not (tmp_path / "new" / "deep").exists()
        kept = place.with_name(f"{place.name}.learning.partial")
        assert (kept / "encoder").is_dir()  # learned, and not to be learned again
        assert not place.with_name(f"{place.name}.partial").exists()


def test_killed_while_writing_it_goes_on_without_learning_again(cli: Cli, tmp_path: Path) -> None:
    path = learn_model(list(documents(30)), tmp_path / "x.model", budget="1s")
    before = tree(path)
    arguments = ("learn", str(TICKETS), "--no-space", "-o", str(path), "--size", "tiny", "--budget", "2s")
    child = subprocess.run([sys.executable, "-c", KILL_WHILE_WRITING, *arguments], env=os.environ, check=False)
    assert child.returncode == -signal.SIGKILL
    assert tree(path) == before
    assert len(list(tmp_path.iterdir())) > 1
    outcome = cli(*arguments)
    assert (outcome.code, outcome.stdout) == (0, f"{path}\n"), outcome.stderr
    assert "learning ..." not in outcome.stderr
    assert json.loads((path / "model.json").read_text())["corpus"]["source"] == str(TICKETS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.model"]


def test_a_model_of_a_space_is_measured_as_one(tmp_path):
    path = tmp_path / "x.space"
    learn(list(documents()), path, base="transformer", objectives="causal", size="tiny", budget="2s")
    assert open_space(path).description.recipe["plan"]["objectives"] == {"causal": 1.0}
    assert [model.kind for model in open_language_models(path)] == ["causal"]
    assert evaluate_text(open_space(path), TEXTS).causal.bits_per_byte < 8
    weights = path / "encoder" / "causal" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"oops")
    with pytest.raises(SpaceError, match="is not the file that made this space"):
        evaluate_text(path, TEXTS)
