from pathlib import Path

import pytest

from tolman.errors import SpaceError
from tolman.space.staging import Staging

IDENTITY = {"encoder": "a", "corpus": "b"}


def stop_with(error: type[BaseException], folder: Path, identity: dict[str, str]) -> bool:
    """Begin to work and stop halfway; whether earlier work was there."""
    found = False
    try:
        with Staging(folder / "x.space", identity) as staging:
            found = (staging.folder / "work").exists()
            (staging.folder / "work").write_text("half")
            raise error
    except error:
        return found


def test_published_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "x.space"
    with Staging(target, IDENTITY) as staging:
        (staging.folder / "space.json").write_text("1")
        assert not target.exists()
        staging.publish()
    assert [file.name for file in target.iterdir()] == ["space.json"]
    assert [file.name for file in tmp_path.iterdir()] == ["x.space"]


def test_a_space_that_was_there_goes_when_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "x.space"
    target.mkdir()
    (target / "space.json").write_text("old")
    (target / "old").write_text("")
    with Staging(target, IDENTITY) as staging:
        (staging.folder / "space.json").write_text("new")
        assert (target / "space.json").read_text() == "old"
        staging.publish()
    assert {file.name: file.read_text() for file in target.iterdir()} == {"space.json": "new"}
    assert [file.name for file in tmp_path.iterdir()] == ["x.space"]


def test_an_interruption_is_resumed_with_the_same_work_only(tmp_path: Path) -> None:
    for identity, found in ((IDENTITY, False), (IDENTITY, True), ({"encoder": "c"}, False)):
        assert stop_with(KeyboardInterrupt, tmp_path, identity) == found


def test_after_an_error_nothing_is_left(tmp_path: Path) -> None:
    stop_with(ZeroDivisionError, tmp_path, IDENTITY)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_a_space_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "file").write_text("precious")
    for name in ("precious", "file"):
        with pytest.raises(SpaceError, match="is not a space"):
            Staging(tmp_path / name, IDENTITY)


def test_one_at_a_time(tmp_path: Path) -> None:
    with (
        Staging(tmp_path / "x.space", IDENTITY),
        pytest.raises(SpaceError, match="another process"),
        Staging(tmp_path / "x.space", IDENTITY),
    ):
        pass
