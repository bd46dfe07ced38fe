import errno
from pathlib import Path

import pytest
from conftest import tree

from tolman.errors import SpaceError, StorageError
from tolman.space import staging as staging_module
from tolman.space.description import FORMAT
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


def test_a_space_of_a_newer_format_is_never_replaced_and_a_damaged_one_may_be(tmp_path: Path) -> None:
    target = tmp_path / "x.space"
    target.mkdir()
    (target / "space.json").write_text(f'{{"format": {FORMAT + 1}}}')
    before = tree(tmp_path)
    with pytest.raises(SpaceError, match=f"has format {FORMAT + 1}, this Tolman reads up to {FORMAT}"):
        Staging(target, IDENTITY)
    assert tree(tmp_path) == before
    (target / "space.json").write_text('{"format": ')
    with Staging(target, IDENTITY) as staging:
        (staging.folder / "space.json").write_text("new")
        staging.publish()
    assert (target / "space.json").read_text() == "new"


def test_one_at_a_time(tmp_path: Path) -> None:
    with (
        Staging(tmp_path / "x.space", IDENTITY),
        pytest.raises(SpaceError, match="another process"),
        Staging(tmp_path / "x.space", IDENTITY),
    ):
        pass


def make(target: Path, content: str) -> None:
    with Staging(target, IDENTITY) as staging:
        (staging.folder / "space.json").write_text(content)
        staging.publish()


def test_through_a_link_what_it_points_at_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real.space", tmp_path / "link.space"
    make(real, "old")
    link.symlink_to(real)
    for content in ("new", "newer"):
        make(link, content)
        assert link.is_symlink()
        assert (real / "space.json").read_text() == content
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link.space", "real.space"]


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.space").symlink_to(tmp_path / "x.space")
    with pytest.raises(SpaceError, match="leads nowhere"):
        Staging(tmp_path / "x.space", IDENTITY)


@pytest.mark.parametrize("kind", ["folder", "folder with a staging.json", "file", "link"])
def test_a_folder_that_somebody_else_made_is_never_cleared(tmp_path: Path, kind: str) -> None:
    precious, place = tmp_path / "precious", tmp_path / "x.space.partial"
    precious.mkdir()
    (precious / "thesis.txt").write_text("mine")
    if kind == "folder with a staging.json":
        (precious / "staging.json").write_text('{"host": "example.org"}')
    if kind == "link":
        place.symlink_to(precious)
    elif kind == "file":
        place.write_text("mine")
    else:
        precious.rename(place)
    before = tree(tmp_path)
    with pytest.raises(SpaceError, match=r"x\.space\.partial is in the way and was not made by Tolman"):
        make(tmp_path / "x.space", "new")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("moment", ["_mark", "_exchange"])
def test_a_disk_that_refuses_at_the_last_moment_leaves_the_old_space_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def publish(patch: pytest.MonkeyPatch) -> None:
        with Staging(target, IDENTITY) as staging:
            (staging.folder / "space.json").write_text("new")
            patch.setattr(staging_module, moment, refuse)
            staging.publish()

    target = tmp_path / "x.space"
    make(target, "old")
    before = tree(tmp_path)
    with pytest.raises(StorageError, match="No space left"):
        publish(monkeypatch)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("moment", ["_locked", "_mark", "_exchange", "_discard"])
@pytest.mark.parametrize("platform", ["linux", "another"])
def test_killed_while_it_takes_its_place_the_next_attempt_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, platform: str
) -> None:
    """Interrupted just before each step of publishing: a space is at its place, and nothing stands in the way."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    def publish_and_be_killed(patch: pytest.MonkeyPatch) -> None:
        with Staging(target, IDENTITY) as staging:
            (staging.folder / "space.json").write_text("new")
            patch.setattr(staging_module, moment, killed)
            staging.publish()

    target = tmp_path / "x.space"
    make(target, "old")
    monkeypatch.setattr(staging_module.sys, "platform", platform)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        publish_and_be_killed(patch)
    assert (target / "space.json").read_text() == ("new" if moment == "_discard" and platform == "linux" else "old")
    make(target, "newest")
    assert {file.name: file.read_text() for file in target.iterdir()} == {"space.json": "newest"}
    assert [file.name for file in tmp_path.iterdir()] == ["x.space"]
