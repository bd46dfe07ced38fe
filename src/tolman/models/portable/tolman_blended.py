"""A Tolman blended encoder as a sentence-transformers module: several encoders side by side in one vector.

Load the folder that this file lies in with `SentenceTransformer(folder, trust_remote_code=True)`. `encode` and
`encode_document` give vectors of documents, `encode_query` those of queries.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch.nn.functional import normalize

PROMPTS = {"query": ("query",), "document": ("document", "passage", "corpus")}


class TolmanBlended(torch.nn.Module):
    """Concatenates the unit vectors of its parts, each times the root of its weight: cosines add up by weight."""

    save_in_root = True

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        settings = json.loads((folder / "tolman.json").read_text(encoding="utf-8"))
        parts = [SentenceTransformer(str(folder / name), trust_remote_code=True) for name in settings["parts"]]
        self.parts = torch.nn.ModuleList(parts)
        self.weights = settings["weights"]

    @property
    def tokenizer(self) -> Any:
        """That of the first part."""
        return self.parts[0].tokenizer

    def preprocess(
        self, inputs: list[str], prompt: str | None = None, task: str | None = None, **_: Any
    ) -> dict[str, Any]:
        """The features of every part, named "PART:FEATURE"."""
        task = task or "document"
        features = {}
        for i, part in enumerate(self._parts()):
            for name, value in part.preprocess(inputs, prompt=prompt or self._prompt(part, task), task=task).items():
                features[f"{i}:{name}"] = value
        return features

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """Adds `sentence_embedding` (N, D)."""
        vectors = []
        for i, (part, weight) in enumerate(zip(self._parts(), self.weights, strict=True)):
            own = {name.split(":", 1)[1]: value for name, value in features.items() if name.startswith(f"{i}:")}
            vectors.append(weight**0.5 * normalize(part(own)["sentence_embedding"].float(), dim=1))
        features["sentence_embedding"] = normalize(torch.cat(vectors, dim=1), dim=1)
        return features

    def get_embedding_dimension(self) -> int:
        """D."""
        return sum(part.get_embedding_dimension() for part in self._parts())

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        """Copy what was loaded."""
        for name in json.loads((self.folder / "tolman.json").read_text(encoding="utf-8"))["parts"]:
            shutil.copytree(self.folder / name, Path(output_path) / name, dirs_exist_ok=True)
        shutil.copyfile(self.folder / "tolman.json", Path(output_path) / "tolman.json")

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **options: Any) -> "TolmanBlended":
        """From a folder, or a repository of the hub."""
        root = model_name_or_path
        if not os.path.isdir(root):
            from huggingface_hub import snapshot_download

            root = snapshot_download(root, revision=options.get("revision"), token=options.get("token"))
        return cls(Path(root) / subfolder)

    def _parts(self) -> list[Any]:
        return list(self.parts)

    @staticmethod
    def _prompt(part: SentenceTransformer, task: str) -> str | None:
        return next((part.prompts[name] for name in PROMPTS[task] if part.prompts.get(name)), None)
