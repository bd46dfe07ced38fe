"""space.json: what a space is, how it was made, how good it is, what it cost.

One JSON object, written whole and put in place by renaming. `docs/format.md` lists every field.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import Any, Self

import numpy as np

from tolman.confidence import Confidence, Evidence
from tolman.errors import ModelError, SpaceError
from tolman.storage import write_whole

FORMAT = 3
FILE = "space.json"


@dataclass(frozen=True, slots=True)
class EncoderRecord:
    """The encoder in `encoder/`.

    Attributes:
        family: "static", "transformer" or "blended".
        fingerprint: of the encoder, see `tolman.models.encoder.Encoder`.
        dim: D.
        files: sha256 (hex) of every file in `encoder/`, by its path in there.
    """

    family: str = ""
    fingerprint: str = ""
    dim: int = 0
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CorpusRecord:
    """What the space was made from. Documents added later are not in here.

    Attributes:
        fingerprint: of the corpus.
        source: its name, as it was given.
        documents: how many.
        language: whose stop words and stems the full-text index uses; None: neither.
        columns: which column of the source became "text", "title", "id", "label".
    """

    fingerprint: str = ""
    source: str = ""
    documents: int = 0
    language: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How the space is searched unless the caller says otherwise; fitted when it was learned.

    Attributes:
        lexical_weight: of BM25 in hybrid search, see `tolman.ranking`; may be 0.
        confidence: what `tolman.confidence.Confidence.to_json` wrote; None: hits have no confidence.
        index: "auto", or the kind of dense index.
    """

    lexical_weight: float = 0.1
    confidence: Mapping[str, Any] | None = None
    index: str = "auto"


@dataclass(frozen=True, slots=True)
class SpaceDescription:
    """The content of space.json. Makers give the lower half; `LatentSpace.create` fills in the upper.

    Attributes:
        format: version of the folder's layout.
        created: when, ISO 8601 in UTC.
        encoder, corpus: what it consists of.
        search: how it is searched.
        recipe: how its encoder was learned.
        quality: what was measured.
        cost: of learning.
        parents: fingerprints of the encoders that this one was taken from or consists of; none for one learned from the
            corpus alone.
    """

    format: int = FORMAT
    created: str = ""
    encoder: EncoderRecord = field(default_factory=EncoderRecord)
    corpus: CorpusRecord = field(default_factory=CorpusRecord)
    search: SearchSettings = field(default_factory=SearchSettings)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, Any] = field(default_factory=dict)
    parents: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A mapping of plain values, as in the file."""
        return asdict(self)

    def write(self, space: Path) -> None:
        """Put it into the folder `space`, in one step.

        Raises:
            StorageError: the disk refused.
        """
        content = json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n"
        write_whole(space / FILE, lambda file: file.write(content.encode()))

    @classmethod
    def read(cls, space: Path) -> Self:
        """What is in the folder `space`.

        Raises:
            SpaceError: no such file, damaged, or of a newer format.
        """
        path = space / FILE
        if not space.exists():
            raise SpaceError(f"no space at {space}: make one with `tolman learn SOURCE -o {quote(str(space))}`")
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SpaceError(f"{space} is not a space: it has no {FILE}") from None
        except NotADirectoryError:
            raise SpaceError(f"{space} is a file, not a space: make one of it with `tolman learn`") from None
        except RecursionError:
            raise SpaceError(f"{path} is damaged, its values are nested too deep: restore it from a backup") from None
        except OSError as error:
            raise SpaceError(f"can't read {path}: {error.strerror}") from error
        except ValueError as error:
            raise SpaceError(f"{path} is damaged, it isn't whole JSON ({error}): restore it from a backup") from None
        return cls.from_json(stored, path)

    @classmethod
    def from_json(cls, stored: Any, path: Path) -> Self:
        """Check and type what was read from `path`. Unknown fields are left out: a later Tolman may have added them.

        Raises:
            SpaceError: of a newer format, or not what `to_json` writes.
        """
        version = stored.get("format") if isinstance(stored, dict) else None
        if not isinstance(version, int):
            raise SpaceError(f"{path} is damaged: expected an object with a number `format`; restore it from a backup")
        _refuse_newer(version, path)
        try:
            parts = {name: _typed(kind, stored[name]) for name, kind in _PARTS.items()}
            if version < 3:  # its confidence was fitted on other evidence: hits have none until it is learned again
                parts["search"] = replace(parts["search"], confidence=None)
            _check_files(parts["encoder"].files)
            _check_confidence(parts["search"].confidence)
            plain = {name: stored[name] for name in _PLAIN if name in stored}
            for name, value in plain.items():
                if not isinstance(value, _PLAIN[name]):
                    raise TypeError(f"expected {_PLAIN[name].__name__} for {name}, got {value!r}")
            return cls(format=version, **plain | parts | {"parents": tuple(plain.get("parents", ()))})
        except KeyError as error:
            raise SpaceError(f"{path} is damaged: it has no {error}; restore it from a backup") from None
        except (TypeError, ValueError) as error:
            raise SpaceError(f"{path} is damaged: {error}; restore it from a backup") from None


def space_path(path: object) -> Path:
    """`path` of a space, to be opened or made.

    Raises:
        SpaceError: it is no path, or an empty one.
    """
    if not isinstance(path, str | os.PathLike):
        raise SpaceError(f"expected the path of a space, got {path!r}")
    if not os.fspath(path):
        raise SpaceError("expected the path of a space, got an empty one")
    return Path(path)


def refuse_as_model(base: str | None) -> None:
    """Refuse the folder of a space where a model is meant.

    Raises:
        ModelError: says where in there the model is.
    """
    if base is not None and is_space(Path(base).expanduser()):
        raise ModelError(f"{base} is a space, expected a model: give its encoder, {Path(base) / 'encoder'}")


def is_space(path: Path) -> bool:
    """Whether `path` is the folder of a space, whole or damaged."""
    return os.path.isfile(path / FILE)  # False where Path.is_file raises: not permitted, too long


def refuse_newer(space: Path) -> None:
    """Refuse to put another space in the place of one that a later Tolman made. A damaged one may be replaced.

    Raises:
        SpaceError: the space is of a newer format.
    """
    try:
        stored = json.loads((space / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return
    version = stored.get("format") if isinstance(stored, dict) else None
    if isinstance(version, int):
        _refuse_newer(version, space / FILE)


def _refuse_newer(version: int, path: Path) -> None:
    if version > FORMAT:
        raise SpaceError(f"{path} has format {version}, this Tolman reads up to {FORMAT}: pip install -U tolman")


_PARTS: dict[str, type] = {"encoder": EncoderRecord, "corpus": CorpusRecord, "search": SearchSettings}
_PLAIN: dict[str, type] = {"created": str, "recipe": dict, "quality": dict, "cost": dict, "parents": list}


def _typed(kind: type, stored: Any) -> Any:
    """`stored` as a dataclass of ours, whose values have the types of its defaults and whose numbers are numbers."""
    if not isinstance(stored, dict):
        raise TypeError(f"expected an object for {kind.__name__}, got {type(stored).__name__}")
    default = kind()
    known = {f.name: stored[f.name] for f in fields(kind) if f.name in stored}
    for name, value in known.items():
        expected = getattr(default, name)
        right = isinstance(value, int | float) if isinstance(expected, float) else isinstance(value, type(expected))
        if (expected is not None and not right) or isinstance(value, bool):
            raise TypeError(f"expected {type(expected).__name__} for {kind.__name__}.{name}, got {value!r}")
        if not _is_finite(value):
            raise ValueError(f"expected finite numbers for {kind.__name__}.{name}, got {value!r}")
    return kind(**known)


def _check_files(files: Mapping[str, Any]) -> None:
    """Raise ValueError if a name leads out of the folder of the encoder, or a digest is none."""
    for name, digest in files.items():
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts or "\0" in name:
            raise ValueError(f"expected names of files in encoder/ for EncoderRecord.files, got {name!r}")
        if not isinstance(digest, str):
            raise ValueError(f"expected a sha256 for EncoderRecord.files, got {digest!r}")


def _check_confidence(stored: Mapping[str, Any] | None) -> None:
    """Raise KeyError, TypeError or ValueError if it can't tell how sure a search is."""
    if stored is None:
        return
    try:
        evidence = Evidence(near=1.0, coverage=1.0, words=1)
        confidence = Confidence.from_json(stored)
        confidences_M, _ = confidence.of_ranking(np.ones(2), np.ones(2), evidence, words=1, documents=2)
    except KeyError as error:
        raise KeyError(f"search.confidence.{error.args[0]}") from None
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(f"search.confidence can't be used ({_first_line(error)})") from None
    if confidences_M.shape != (2,) or not np.isfinite(confidences_M).all():
        raise ValueError("search.confidence gives no probabilities")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _is_finite(value: Any) -> bool:
    """Whether every number in a JSON value is one: Python reads NaN and Infinity, too."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def now() -> str:
    """ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
