"""A causal model of `transformers`, as its folder: what it is known by, and how it is copied.

It guesses tokens and gives no vectors, so it is an encoder only in name: the name it goes by in a recipe or on a card.
"""

import shutil
from collections.abc import Sequence
from functools import cached_property
from hashlib import file_digest, sha256
from pathlib import Path
from typing import NoReturn

from tolman.errors import ModelError
from tolman.models.checkpoint import OTHER_WEIGHTS
from tolman.models.encoder import Role
from tolman.models.language_folder import kind_of_model, settings_of
from tolman.storage import storing

_INDEX = ".index.json"  # of weights in several files


class CausalFolder:
    """A folder with a model that guesses the next token, of any architecture.

    Args:
        folder: where it is.

    Raises:
        ModelError: there is no such folder, or the model in it is made for something else.
    """

    family = "causal"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise ModelError(f"expected a folder with a causal model, found none: {folder}")
        if kind_of_model(folder) != "causal":
            raise ModelError(f"{folder} holds no model that guesses the next token: it can't learn on by causal")

    @property
    def dim(self) -> int:
        """Width of its states."""
        return int(settings_of(self.folder).get("hidden_size") or settings_of(self.folder).get("n_embd") or 0)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over configuration, tokenizer and weights."""
        digest = sha256()
        for path in sorted(self.folder.iterdir()):
            if path.name in ("config.json", "tokenizer.json") or path.suffix in OTHER_WEIGHTS:
                with path.open("rb") as file:
                    digest.update(file_digest(file, "sha256").digest())
        return digest.hexdigest()

    @property
    def passage_tokens(self) -> int:
        """No text is encoded in any number of pieces."""
        self._refuse()

    def encode(self, texts: Sequence[str], role: Role = "document") -> NoReturn:
        """Never.

        Raises:
            ModelError: always.
        """
        self._refuse()

    def tokens(self, text: str) -> NoReturn:
        """Never.

        Raises:
            ModelError: always.
        """
        self._refuse()

    def count_tokens(self, texts: Sequence[str]) -> NoReturn:
        """Never.

        Raises:
            ModelError: always.
        """
        self._refuse()

    def save(self, folder: Path) -> None:
        """Copy all of it.

        Raises:
            StorageError: the disk refuses.
        """
        with storing(f"can't write the model to {folder}"):
            shutil.copytree(self.folder, folder, dirs_exist_ok=True)

    def copy_without_weights(self, folder: Path) -> None:
        """Copy tokenizer, card, licence and the rest, for other weights to be put beside.

        Raises:
            StorageError: the disk refuses.
        """
        with storing(f"can't write the model to {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
            for path in self.folder.iterdir():
                if path.is_file() and path.suffix not in OTHER_WEIGHTS and not path.name.endswith(_INDEX):
                    shutil.copyfile(path, folder / path.name)

    def _refuse(self) -> NoReturn:
        raise ModelError(f"{self.folder} holds a causal model: it guesses tokens and gives no vectors")
