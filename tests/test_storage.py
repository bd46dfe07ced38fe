"""A full disk: a small one in memory, which an unprivileged user may mount in a namespace of their own (Linux)."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TICKETS, tree
from tiny import tiny_corpus, tiny_encoder

from tolman import open_space
from tolman.errors import StorageError
from tolman.space.space import LatentSpace
from tolman.storage import disk_refusal, storing

# Mounts SIZE kB at a folder, copies the content of another there, runs `tolman` on it, copies back what is there then.
SCRIPT = """
set -e
mount -t tmpfs -o size={size}k tmpfs {disk}
cp -a {before}/. {disk}
set +e
cd {disk} && TMPDIR=/tmp {python} -c 'from tolman.cli import main; main()' "$@"
code=$?
cd / && cp -a {disk}/. {after}
exit $code
"""
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
Outcome = tuple[int, str, list[str]]
OnSmallDisk = Callable[..., Outcome]


def can_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    mount = subprocess.run([*NAMESPACE, f"mount -t tmpfs tmpfs {folder}"], capture_output=True, check=False)
    return mount.returncode == 0


@pytest.fixture
def on_small_disk(tmp_path: Path) -> OnSmallDisk:
    """Run `tolman ARGUMENTS` on a disk of `size` kB that holds what is in before/: code, stderr, files afterwards."""
    folders = {name: tmp_path / name for name in ("disk", "before", "after")}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    if not can_mount(folders["disk"]):
        pytest.skip("this machine lets nobody mount a small disk")

    def run(size: int, *arguments: object) -> Outcome:
        script = SCRIPT.format(size=size, python=sys.executable, **folders)
        outcome = subprocess.run(
            [*NAMESPACE, script, "sh", *map(str, arguments)], capture_output=True, text=True, check=False
        )
        return outcome.returncode, outcome.stderr, sorted(tree(folders["after"]))

    return run


def assert_refused(outcome: Outcome) -> None:
    code, stderr, _ = outcome
    assert code == 1, stderr
    last = stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert "o space left" in last
    assert "not foreseen" not in stderr
    assert "Traceback" not in stderr


@pytest.fixture
def before(tmp_path: Path) -> Path:
    (tmp_path / "before").mkdir()
    return tmp_path / "before"


@pytest.mark.parametrize(("size", "learned"), [(40, False), (700, False), (1_300, False), (3_000, True)])
def test_learn_says_so_and_leaves_nothing_but_what_it_learned(
    on_small_disk: OnSmallDisk, size: int, learned: bool
) -> None:
    """Each size runs out of room at another moment: mark, checkpoint, checkpoint, encoder."""
    outcome = on_small_disk(size, "learn", TICKETS, "-o", "t.space", "--text", "body", "--budget", "2s")
    assert_refused(outcome)
    assert ("the same command goes on" in outcome[1]) is learned
    assert any(name.endswith("checkpoint.safetensors") for name in outcome[2]) is learned
    if not learned:
        assert outcome[2] == []
    assert not any(name.startswith("t.space/") or name.startswith("t.space.partial/") for name in outcome[2])


def test_encode_says_so_and_leaves_nothing(before: Path, on_small_disk: OnSmallDisk) -> None:
    tiny_encoder().save(before / "encoder")
    (before / "t.txt").write_text("the violin froze\n" * 900)
    there = sorted(tree(before))
    size = 60 + sum(-(-file.stat().st_size // 4096) * 4 for file in before.rglob("*") if file.is_file())
    outcome = on_small_disk(size, "encode", "encoder", "t.txt", "-o", "o.npy")
    assert_refused(outcome)
    assert outcome[2] == there


@pytest.mark.parametrize("verb", ["add", "remove"])
def test_a_change_says_so_and_the_space_stays(
    before: Path, on_small_disk: OnSmallDisk, tmp_path: Path, verb: str
) -> None:
    space = LatentSpace.create(before / "t.space", tiny_corpus(range(400)), tiny_encoder()).path
    (tmp_path / "more.txt").write_text("".join(f"the violin froze {n}\n" for n in range(5_000)))
    held = open_space(space).table()
    shutil.rmtree(space / "derived")
    used = sum(-(-file.stat().st_size // 4096) * 4 for file in before.rglob("*") if file.is_file())
    arguments = {"add": [tmp_path / "more.txt"], "remove": ["d1", "d2"]}[verb]
    outcome = on_small_disk({"add": used + 200, "remove": used + 8}[verb], verb, "t.space", *arguments)
    assert_refused(outcome)
    assert not [name for name in outcome[2] if ".partial" in name or "adding-" in name]
    after = open_space(tmp_path / "after" / "t.space")
    assert after.table().equals(held)
    assert len(after.search("violin froze", 5)) == 5


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Exception("No space left on device (os error 28)"), "No space left on device"),
        (RuntimeError('IoError(Os { code: 27, kind: FileTooLarge, message: "File too large" })'), "File too large"),
        (ValueError("Permission denied"), "Permission denied"),
        (ValueError("LanceError(IO): os error 122"), "os error 122"),
        (ValueError("the header is too large"), None),
    ],
)
def test_what_the_disk_refuses_is_told_from_all_else(error: Exception, reason: str | None) -> None:
    assert disk_refusal(error) == reason

    def fail() -> None:
        with storing("can't write x"):
            raise error

    with pytest.raises(StorageError if reason else type(error)) as caught:
        fail()
    assert str(caught.value) == (f"can't write x: {reason}" if reason else str(error))
