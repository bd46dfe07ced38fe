"""What `learn --no-space` leaves: the folder of a model, with model.json beside its files, which says how it was made;
and where a model is that is named by it, or by a space.

model.json    made_by "tolman", format, when, and of the encoder, corpus, recipe, quality, cost and parents what
              space.json says of a space
card.md       the same for people
...           the files of `encoder/` of a space; where causal is all that was learned, those of the causal model
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tolman.card import render_model_card
from tolman.errors import ModelError, SpaceError
from tolman.models.encoder import Encoder
from tolman.space.description import EncoderRecord, SpaceDescription, is_space, now
from tolman.space.space import ENCODER, LatentSpace, open_space
from tolman.space.staging import Artifact
from tolman.storage import storing

FILE, CARD = "model.json", "card.md"
FORMAT = 1
_MARK = {"made_by": "tolman"}
_OF_SPACES = ("format", "created", "search")  # fields of a description that mean nothing here, or are its own


def is_model(folder: Path) -> bool:
    """Whether `folder` is one that `write_model` filled."""
    return _MARK.items() <= read_description(folder).items()


def read_description(folder: Path) -> Mapping[str, Any]:
    """What model.json says; nothing where there is none, or it is no JSON object."""
    try:
        stored = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def refuse_newer(folder: Path) -> None:
    """Refuse to put another model in the place of one that a later Tolman made.

    Raises:
        SpaceError: the model is of a newer format.
    """
    version = read_description(folder).get("format")
    if isinstance(version, int) and version > FORMAT:
        raise SpaceError(
            f"{folder / FILE} has format {version}, this Tolman reads up to {FORMAT}: pip install -U tolman"
        )


MODEL = Artifact("learned model", is_model, refuse_newer)


def write_model(
    folder: Path, name: str, encoder: Encoder, description: SpaceDescription, drawn: Sequence[str] = ()
) -> None:
    """Fill `folder`, which is there.

    Args:
        folder: to write to.
        name: that people will know it by.
        encoder: what was learned.
        description: recipe, quality, cost, corpus and parents; the encoder is filled in.
        drawn: files in the folder that show how it learned.

    Raises:
        StorageError: the disk refuses.
    """
    apart = guesses_only(description.recipe)  # the causal model lies beside an encoder that isn't wanted
    causal = apart or encoder.family == "causal"
    record = EncoderRecord("causal" if causal else encoder.family, encoder.fingerprint, encoder.dim)
    description = replace(description, encoder=record)
    if causal:
        description = replace(description, quality={})  # it was measured on vectors, which this model doesn't give
    fields = {field: value for field, value in description.to_json().items() if field not in _OF_SPACES}
    with storing(f"can't write the model to {folder}"):
        if apart:
            from tolman.models.checkpoint import CAUSAL
            from tolman.models.transformer import TransformerEncoder

            assert isinstance(encoder, TransformerEncoder)
            shutil.copytree(encoder.folder / CAUSAL, folder, dirs_exist_ok=True)
        else:
            encoder.save(folder)
        described = {**_MARK, "format": FORMAT, "created": now(), **fields}
        (folder / FILE).write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (folder / CARD).write_text(render_model_card(name, description, drawn), encoding="utf-8")


def guesses_only(recipe: Mapping[str, Any]) -> bool:
    """Whether all that a transformer learned by `recipe` is to guess the next token."""
    plan = recipe.get("plan") or {}
    return plan.get("learner") == "transformer" and set(plan.get("objectives") or ()) == {"causal"}


def path_of(model: str | Path | LatentSpace) -> Path:
    """Where a model or a space is; the space may be open.

    Raises:
        ModelError: it is neither a space nor a path.
    """
    if isinstance(model, LatentSpace):
        return model.path
    if not isinstance(model, str | Path):
        raise ModelError(f"expected a space or the path of a model, got {model!r}")
    return Path(model)


def checked_model(path: Path) -> Path:
    """The folder of the model at `path`: the encoder of a space, checked to be the one that made it; or `path` itself.

    Raises:
        SpaceError, ModelError: see `LatentSpace.verify`.
    """
    if not is_space(path):
        return path
    space = open_space(path)
    space.verify()
    return space.path / ENCODER
