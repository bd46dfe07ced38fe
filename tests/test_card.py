from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tolman.card import render_card
from tolman.cost import Cost
from tolman.space.description import CorpusRecord, EncoderRecord, SearchSettings, SpaceDescription

DESCRIPTION = SpaceDescription(
    created="2026-01-01T00:00:00+00:00",
    encoder=EncoderRecord("static", "ab" * 32, 256),
    corpus=CorpusRecord("cd" * 32, "tickets|old.csv", 12_345, "English"),
    search=SearchSettings(lexical_weight=0.25, confidence={"bias": 1}),
    recipe={"plan": {"size": None, "scratch": True}, "batch": 1024, "objectives": ["contrastive"], "rate": 0.0123456},
    quality={"questions": 300, "documents": 2000, "bm25": 0.61, "start": 0.5, "confidence_calibration_error": 0.0312},
    cost=Cost(61.25, 55.5, 512 * 2**20, 666.0, "estimated: by hand").to_json(),
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
        "| plan: scratch | True |",
        "each to be answered by its own document among 2,000:",
        "| words alone (BM25) | 0.610 |",
        "| the learned encoder at its start (LSA) | 0.500 |",
        "Confidence is off by 0.0312 in the mean (expected calibration error).",
        "| weight of words (BM25) beside meaning | 0.250 |",
        "| peak memory | 512 MiB |",
        "| energy | 0.18 Wh (estimated: by hand) |",
    ):
        assert line in card.splitlines()


def test_what_was_not_said_is_not_shown() -> None:
    assert "size" not in render_card("tickets.space", DESCRIPTION)


def test_what_was_not_measured_is_not_claimed() -> None:
    card = render_card("x.space", SpaceDescription(encoder=EncoderRecord("transformer", "ab" * 32, 384)))
    assert "nDCG" not in card
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
