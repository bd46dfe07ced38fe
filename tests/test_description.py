import json
from dataclasses import replace
from pathlib import Path

import pytest

from tolman.errors import SpaceError
from tolman.space.description import FORMAT, CorpusRecord, EncoderRecord, SearchSettings, SpaceDescription

CONFIDENCE = {
    "hit": {"weights": [2.0, 1.0, 0.5], "bias": -1.0},
    "answer": {"weights": [3.0, 1.0, 0.2], "bias": -2.0},
    "near": [0.4, 0.1],
    "documents": 1000,
    "passed_over": ["the"],
    "threshold": 0.5,
    "words": [1, 9],
    "calibration_error": 0.02,
}
FULL = SpaceDescription(
    created="2026-01-02T03:04:05+00:00",
    encoder=EncoderRecord("static", "ab" * 32, 64, {"model.safetensors": "cd" * 32}),
    corpus=CorpusRecord("ef" * 32, "tickets.csv", 12, "English", {"text": "body"}),
    search=SearchSettings(0.25, CONFIDENCE, "scan"),
    recipe={"objectives": ["contrastive"]},
    quality={"ndcg@10": 0.5},
    cost={"wall_seconds": 1.5},
    parents=("12" * 32,),
)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    FULL.write(tmp_path)
    assert SpaceDescription.read(tmp_path) == FULL
    assert [file.name for file in tmp_path.iterdir()] == ["space.json"]


def test_a_field_of_the_future_is_passed_over(tmp_path: Path) -> None:
    stored = FULL.to_json() | {"mood": "good"}
    stored["search"] |= {"mood": "good"}
    (tmp_path / "space.json").write_text(json.dumps(stored))
    assert SpaceDescription.read(tmp_path) == FULL


def test_a_failed_write_leaves_the_old_one(tmp_path: Path) -> None:
    FULL.write(tmp_path)
    with pytest.raises(TypeError):
        replace(FULL, recipe={"not": object()}).write(tmp_path)
    assert SpaceDescription.read(tmp_path) == FULL


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text[: len(text) // 2], "damaged"),
        (lambda _: "", "damaged"),
        (lambda _: "[]", "damaged"),
        (lambda _: "{}", "damaged"),
        (lambda text: text.replace(f'"format": {FORMAT}', '"format": 99'), "pip install -U tolman"),
        (lambda text: text.replace('"encoder"', '"oncoder"'), "encoder"),
        (lambda text: text.replace('"dim": 64', '"dim": "many"'), "dim"),
        (lambda text: text.replace('"lexical_weight": 0.25', '"lexical_weight": null'), "lexical_weight"),
        (lambda text: text.replace('"lexical_weight": 0.25', '"lexical_weight": NaN'), "lexical_weight, got nan"),
        (lambda text: text.replace('"lexical_weight": 0.25', '"lexical_weight": 1e999'), "lexical_weight, got inf"),
        (lambda text: text.replace('"lexical_weight": 0.25', '"lexical_weight": true'), "lexical_weight, got True"),
        (lambda text: text.replace('"threshold": 0.5', '"threshold": [1, {"a": NaN}]'), "finite .*confidence"),
        (lambda text: text.replace("model.safetensors", "../../etc/passwd"), "files in encoder/ .*passwd"),
        (lambda text: text.replace("model.safetensors", "/etc/passwd"), "files in encoder/ .*passwd"),
        (lambda text: text.replace("model.safetensors", "sub/../../x"), "files in encoder/ .*x"),
        (lambda text: text.replace("model.safetensors", ""), "files in encoder/"),
        (lambda text: text.replace("model.safetensors", "a\\u0000b"), "files in encoder/"),
        (lambda text: text.replace(f'"{"cd" * 32}"', "5"), "expected a sha256 .* got 5"),
        (lambda _: f'{{"format": {FORMAT}}}', "it has no 'encoder'; restore"),
        (lambda text: text.replace('"recipe": {', '"recipe": 5, "mood": {'), "expected dict for recipe, got 5"),
        (lambda text: text.replace('"parents": [', '"parents": 5, "mood": ['), "expected list for parents, got 5"),
        (lambda _: "[" * 100_000, "nested too deep"),
    ],
)
def test_a_damaged_one_is_refused_in_one_line(tmp_path: Path, change: object, told: str) -> None:
    FULL.write(tmp_path)
    file = tmp_path / "space.json"
    file.write_text(change(file.read_text()))  # type: ignore[operator]
    with pytest.raises(SpaceError, match=told) as caught:
        SpaceDescription.read(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ({"hit": {"weights": [2.0, 1.0], "bias": -1.0}}, "search.confidence can't be used"),
        ({"answer": {"weights": [3.0, 1.0], "bias": -1.0}}, "search.confidence can't be used"),
        ({"answer": {"weights": ["a", "b", "c"], "bias": -1.0}}, "search.confidence can't be used"),
        ({"hit": {"weights": [2.0, 1.0, 0.5], "bias": [[1.0], [1.0]]}}, "search.confidence gives no probabilities"),
        ({"hit": {"weights": [2.0, 1.0, 0.5]}}, "it has no 'search.confidence.bias'"),
        ({"hit": 5}, "search.confidence can't be used"),
        ({"threshold": "x"}, "search.confidence can't be used"),
        ({"words": [1]}, "search.confidence can't be used"),
        ({"near": [0.4]}, "search.confidence can't be used"),
        ({"documents": "many"}, "search.confidence can't be used"),
        ({"words": None}, "search.confidence can't be used"),
    ],
)
def test_a_confidence_that_can_not_be_used_is_refused_at_opening(tmp_path: Path, odd: object, told: str) -> None:
    replace(FULL, search=SearchSettings(confidence=CONFIDENCE | odd)).write(tmp_path)  # type: ignore[operator]
    with pytest.raises(SpaceError, match=told) as caught:
        SpaceDescription.read(tmp_path)
    assert "\n" not in str(caught.value)
    assert "is damaged: " in str(caught.value)


def test_no_space_is_told_from_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"no space at .* -o '\S+/my none\.space'`$"):
        SpaceDescription.read(tmp_path / "my none.space")
    (tmp_path / "tickets.csv").write_text("text\na\n")
    with pytest.raises(SpaceError, match=r"tickets\.csv is a file, not a space: make one of it with `tolman learn`"):
        SpaceDescription.read(tmp_path / "tickets.csv")
    with pytest.raises(SpaceError, match="is not a space"):
        SpaceDescription.read(tmp_path)


@pytest.mark.parametrize("version", [1, 2])
def test_a_space_of_an_earlier_format_opens_without_its_confidence(tmp_path: Path, version: int) -> None:
    SpaceDescription(search=SearchSettings(lexical_weight=0.3, confidence={"threshold": 0.5})).write(tmp_path)
    stored = json.loads((tmp_path / "space.json").read_text())
    (tmp_path / "space.json").write_text(json.dumps(stored | {"format": version}))
    search = SpaceDescription.read(tmp_path).search
    assert (search.lexical_weight, search.confidence) == (0.3, None)
