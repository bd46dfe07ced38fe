import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tiny import tiny_encoder

from tolman.errors import SpaceError, SpaceMismatch
from tolman.space import seal
from tolman.space.description import EncoderRecord

ENCODER = tiny_encoder()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ENCODER.save(tmp_path / "encoder")
    return tmp_path


@pytest.fixture
def record(folder: Path) -> EncoderRecord:
    return EncoderRecord("static", ENCODER.fingerprint, ENCODER.dim, seal.digests(folder / "encoder"))


def verify(folder: Path, record: EncoderRecord) -> bool:
    """Whether it was verified anew."""
    return seal.verify(folder / "encoder", record, folder / "derived") is not None


def test_digests_are_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "words").write_bytes(b"abc")
    assert seal.digests(tmp_path) == {"deep/words": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}


def test_an_untouched_encoder_passes_and_is_hashed_once(
    folder: Path, record: EncoderRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verify(folder, record)
    monkeypatch.setattr(seal, "_digest", lambda _: pytest.fail("hashed again"))
    monkeypatch.setattr(seal, "load_encoder", lambda _: pytest.fail("loaded to be verified again"))
    assert not verify(folder, record)
    assert [file.name for file in (folder / "derived").iterdir()] == [seal.VERIFIED]


def test_one_changed_byte_is_found_even_after_a_pass(folder: Path, record: EncoderRecord) -> None:
    verify(folder, record)
    weights = folder / "encoder" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    os.utime(weights, ns=(1, 1))
    with pytest.raises(SpaceError, match=r"model\.safetensors is not the file that made this space"):
        verify(folder, record)


@pytest.mark.parametrize("passed", [False, True])
@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        ({"fingerprint": "f" * 64}, SpaceMismatch, "expected encoder ffffffffffff"),
        ({"family": "blended"}, SpaceError, "says encoder.family 'blended', the encoder has 'static'"),
        ({"dim": 31}, SpaceError, "says encoder.dim 31, the encoder has 32"),
        ({"files": {}}, SpaceError, "names no files"),
    ],
)
def test_a_record_of_another_encoder_is_found(
    folder: Path, record: EncoderRecord, passed: bool, change: dict[str, object], kind: type[SpaceError], told: str
) -> None:
    if passed:
        verify(folder, record)
    for _ in range(2):  # a refusal is not remembered as a pass
        with pytest.raises(kind, match=told):
            verify(folder, replace(record, **change))


def test_a_missing_file_is_named(folder: Path, record: EncoderRecord) -> None:
    (folder / "encoder" / "tokenizer.json").unlink()
    with pytest.raises(SpaceError, match=r"tokenizer\.json can't be read"):
        verify(folder, record)


def test_damaged_memory_of_a_pass_only_costs_time(folder: Path, record: EncoderRecord) -> None:
    (folder / "derived").mkdir()
    (folder / "derived" / seal.VERIFIED).write_text("{")
    assert verify(folder, record)
    assert json.loads((folder / "derived" / seal.VERIFIED).read_text())
    assert seal.verify(folder / "encoder", record, Path("/proc/nowhere"))  # can't be remembered: fine too


def test_a_pass_that_can_not_be_remembered_leaves_nothing(folder: Path, record: EncoderRecord) -> None:
    (folder / "derived" / seal.VERIFIED).mkdir(parents=True)  # in the way, as a full disk would be
    assert verify(folder, record)
    assert verify(folder, record)
    assert [file.name for file in (folder / "derived").iterdir()] == [seal.VERIFIED]
