"""Encoders: what turns texts into vectors."""

import json
from pathlib import Path

from tolman.errors import ModelError
from tolman.models.encoder import Encoder, Floats, Role, TokenStates

__all__ = ["Encoder", "Floats", "Role", "TokenStates", "load_encoder"]


def load_encoder(folder: Path | str) -> Encoder:
    """The encoder in `folder`: one of Tolman's, as its tolman.json says, or any transformer folder.

    Raises:
        ModelError: the folder holds no encoder, or one that can't be read.
    """
    folder = Path(folder)
    family = _family(folder)
    if family == "static":
        from tolman.models.static import StaticEncoder

        return StaticEncoder.load(folder)
    if family == "blended":
        from tolman.models.blended import BlendedEncoder

        return BlendedEncoder.load(folder)
    if family == "transformer":
        from tolman.models.transformer import TransformerEncoder

        return TransformerEncoder.load(folder)
    raise ModelError(f"{folder} holds an encoder of family {family!r}, which this Tolman doesn't know: is it newer?")


def _family(folder: Path) -> str:
    path = folder / "tolman.json"
    if not path.is_file():
        return "transformer"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["family"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"can't read {path}: expected JSON with a family, got {error}") from error
