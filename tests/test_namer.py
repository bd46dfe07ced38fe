import shutil
from pathlib import Path

import pytest
from checkpoints import write_causal

from tolman.errors import ModelError
from tolman.topics.namer import Namer, as_name


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_causal(tmp_path_factory.mktemp("models") / "writer", "gpt2")


def test_a_model_that_knows_nothing_writes_a_name_or_none_and_always_the_same(writer: Path) -> None:
    namer = Namer(writer)
    written = [namer(["parcel", "late"], ["Where is my parcel?" * 200, "It is late"]) for _ in range(2)]
    assert written[0] == written[1]
    assert written[0] is None or 0 < len(written[0]) <= 60


def test_what_is_no_causal_model_is_refused(writer: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected a folder with a causal language model"):
        Namer(tmp_path)
    damaged = shutil.copytree(writer, tmp_path / "damaged")
    for file in damaged.glob("*.safetensors"):
        file.write_bytes(b"no weights")
    with pytest.raises(ModelError, match="transformers can't load"):
        Namer(damaged)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (' "Late parcels"\nWords: oven', "Late parcels"),
        ("Title: **Refunds**", "Refunds"),
        ("\n\n  Cards \t and   PINs.", "Cards and PINs"),
        ("", None),
        (" ... !", None),
        ("a" * 61, None),
        ("12 345", None),
    ],
)
def test_a_name_is_the_first_line_without_its_trimmings(written: str, name: str | None) -> None:
    assert as_name(written) == name
