import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import tiny_corpus, tiny_encoder

from tolman.card import render_card
from tolman.cost import Cost
from tolman.learning import learn
from tolman.making import parents_of
from tolman.models import load_encoder
from tolman.models.licence import stated_licence
from tolman.models.pretrained import KNOWN_MODELS, KnownModel
from tolman.space.description import CorpusRecord, EncoderRecord, SearchSettings, SpaceDescription

DESCRIPTION = SpaceDescription(
    created="2026-01-01T00:00:00+00:00",
    encoder=EncoderRecord("static", "ab" * 32, 256),
    corpus=CorpusRecord("cd" * 32, "tickets|old.csv", 12_345, "English"),
    search=SearchSettings(lexical_weight=0.25, confidence={"bias": 1}),
    recipe={
        "plan": {"size": None, "learner": "static"},
        "batch": 1024,
        "objectives": ["contrastive"],
        "rate": 0.0123456,
    },
    quality={"questions": 300, "documents": 2000, "bm25": 0.61, "start": 0.5, "confidence_calibration_error": 0.0312},
    cost=Cost(
        *(61.25, 55.5, 512 * 2**20, 666.0, "estimated: by hand"),
        work={"steps": 1234, "tokens": 567890, "flops": 3.14e12},
        predicted={
            "wall_seconds": 60.0,
            "peak_bytes": 500 * 2**20,
            "work": {"steps": 1200, "tokens": 560000, "flops": 3e12},
        },
    ).to_json(),
)


def test_every_fact_is_on_the_card() -> None:
    card = render_card("tickets.space", DESCRIPTION)
    for line in (
        "# tickets.space",
        "| source | tickets\\|old.csv |",
        "| documents when it was learned | 12,345 |",
        "| made from | nothing but the corpus |",
        "| objectives | contrastive |",
        "| rate | 0.0123 |",
        "| learner | static |",
        "each to be answered by its own document among 2,000:",
        "| words alone (BM25) | 0.610 |",
        "| the learned encoder at its start (LSA) | 0.500 |",
        "Confidence is off by 0.0312 in the mean (expected calibration error).",
        "| weight of words (BM25) beside meaning | 0.250 |",
        "| peak memory | 512 MiB |",
        "| tokens learned from | 567,890 |",
        "| floating-point operations | 3.14 TFLOP |",
        "| predicted wall time | 60.0 s |",
        "| predicted training | 1,200 steps, 560,000 tokens, 3 TFLOP |",
        "| energy | 0.18 Wh (estimated: by hand) |",
        "from sentence_transformers import SentenceTransformer  # pip install sentence-transformers",
    ):
        assert line in card.splitlines()


def test_recipes_that_were_tried_have_a_table_of_their_own() -> None:
    trials = [{"temperature": 0.2, "steps": 96, "grade": 0.71, "ndcg": 0.5}]
    trials += [{"temperature": 0.08, "steps": 96, "grade": None, "ndcg": None}]
    lines = render_card("t.space", replace(DESCRIPTION, recipe={"trials": trials})).splitlines()
    at = lines.index("## Recipes that were tried")
    assert lines[at + 4 : at + 6] == ["| 0.200 | 96 | 0.710 | 0.500 |", "| 0.08 | 96 | - | - |"]
    one = render_card("t.space", replace(DESCRIPTION, recipe={"trials": trials[:1]}))
    assert "tried" not in one
    assert "0.710" not in one


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that others made: a folder with their card, and known as "known" in the cache."""
    folder = tmp_path / "model"
    tiny_encoder().save(folder)
    (folder / "README.md").write_text("---\ntags: [a]\nlicense: cc-by-4.0\n---\nOurs.\n")
    weights = (folder / "model.safetensors").read_bytes()
    kept = KnownModel(
        *("one for tests", "MIT", len(weights), "model.safetensors", sha256(weights).hexdigest(), None, "none", "none")
    )
    monkeypatch.setitem(KNOWN_MODELS, "known", kept)
    monkeypatch.setenv("TOLMAN_CACHE", str(tmp_path / "cache"))
    shutil.copytree(folder, tmp_path / "cache" / "models" / "known")
    return folder


@pytest.mark.parametrize(
    ("base", "made_from"),
    [
        ("scratch", "nothing but the corpus"),
        ("{model}", "{model} (licence: cc-by-4.0) `{model_print}`"),
        ("known", "known (licence: MIT) `{model_print}`"),
        (
            "scratch+known",
            "an encoder learned from the corpus `{learned_print}` and known (licence: MIT) `{model_print}`",
        ),
    ],
)
def test_the_card_says_whose_model_it_is(model: Path, tmp_path: Path, base: str, made_from: str) -> None:
    space = learn(tiny_corpus(range(12)), tmp_path / "x.space", base=base.format(model=model), budget="1s")
    facts = {"model": model, "model_print": load_encoder(model).fingerprint[:16]}
    facts["learned_print"] = load_encoder(space.path / "encoder/b").fingerprint[:16] if "+" in base else ""
    card = (space.path / "card.md").read_text(encoding="utf-8").splitlines()
    assert f"| made from | {made_from.format(**facts)} |" in card


def test_an_encoder_comes_from_what_is_left_in_it() -> None:
    learned, pretrained, blend = (tiny_encoder(seed=seed) for seed in range(3))
    assert parents_of(learned, learned, None) == parents_of(learned, learned, pretrained) == ()
    assert parents_of(pretrained, None, pretrained) == (pretrained.fingerprint,)
    assert parents_of(pretrained, learned, pretrained) == (pretrained.fingerprint,)  # a blend of weight 0
    assert parents_of(blend, learned, pretrained) == (learned.fingerprint, pretrained.fingerprint)


def test_a_card_without_a_licence_states_none(tmp_path: Path) -> None:
    assert stated_licence(tmp_path) is None
    (tmp_path / "README.md").write_text("license: mit, says the text, not the head\n")
    assert stated_licence(tmp_path) is None


def test_what_was_not_said_is_not_shown() -> None:
    assert "size" not in render_card("tickets.space", DESCRIPTION)


def test_what_was_not_measured_is_not_claimed() -> None:
    card = render_card("x.space", SpaceDescription(encoder=EncoderRecord("transformer", "ab" * 32, 384)))
    assert "nDCG" not in card
    assert "nothing but the corpus" not in card
    assert "## Cost" not in card
    assert "trust_remote_code" not in card


def test_the_python_on_the_card_gives_the_spaces_vectors(tickets_space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tickets_space.parent)
    card = (tickets_space / "card.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0]
    found: dict[str, Any] = {}
    exec(code, found)
    text = "the parcel came too late"
    np.testing.assert_allclose(found["model"].encode([text]), found["space"].encoder.encode([text]), atol=1e-5)
