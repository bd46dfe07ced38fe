import os
from pathlib import Path

import pytest

from tolman.errors import SpaceError
from tolman.space import seal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "encoder" / "deep").mkdir(parents=True)
    (tmp_path / "encoder" / "weights").write_bytes(b"1234")
    (tmp_path / "encoder" / "deep" / "words").write_bytes(b"abc")
    return tmp_path


def test_untouched_files_pass_and_are_hashed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = seal.digests(folder / "encoder")
    assert sorted(expected) == ["deep/words", "weights"]
    seal.verify(folder / "encoder", expected, folder / "derived")
    monkeypatch.setattr(seal, "_digest", lambda _: pytest.fail("hashed again"))
    seal.verify(folder / "encoder", expected, folder / "derived")


def test_one_changed_byte_is_found_even_after_a_pass(folder: Path) -> None:
    expected = seal.digests(folder / "encoder")
    seal.verify(folder / "encoder", expected, folder / "derived")
    (folder / "encoder" / "weights").write_bytes(b"1235")
    os.utime(folder / "encoder" / "weights", ns=(1, 1))
    with pytest.raises(SpaceError, match="weights is not the file that made this space"):
        seal.verify(folder / "encoder", expected, folder / "derived")


def test_a_missing_file_is_named(folder: Path) -> None:
    expected = seal.digests(folder / "encoder")
    (folder / "encoder" / "weights").unlink()
    with pytest.raises(SpaceError, match="weights can't be read"):
        seal.verify(folder / "encoder", expected, folder / "derived")


def test_damaged_memory_of_a_pass_only_costs_time(folder: Path) -> None:
    expected = seal.digests(folder / "encoder")
    (folder / "derived").mkdir()
    (folder / "derived" / seal.VERIFIED).write_text("{")
    seal.verify(folder / "encoder", expected, folder / "derived")
    seal.verify(folder / "encoder", expected, Path("/proc/nowhere"))  # can't be remembered: fine too
