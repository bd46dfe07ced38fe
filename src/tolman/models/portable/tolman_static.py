"""A Tolman static encoder as a sentence-transformers module: token table, saturating term weights, unit norm.

Load the folder that this file lies in with `SentenceTransformer(folder, trust_remote_code=True)`. `encode` and
`encode_document` give vectors of documents, `encode_query` those of queries.

Legend for shapes:
    N  texts     U  distinct tokens of each text, all texts together     V  tokens of the vocabulary     D  dimensions
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

FILES = ("tolman.json", "tokenizer.json", "model.safetensors")


class TolmanStatic(torch.nn.Module):
    """Sums each text's token rows, weighted by BM25's saturating term weights, and normalises."""

    save_in_root = True

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.saturation = json.loads((folder / "tolman.json").read_text(encoding="utf-8"))["saturation"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        table_VD = load_file(folder / "model.safetensors")["table"].float()
        self.table = torch.nn.EmbeddingBag.from_pretrained(table_VD, mode="sum", include_last_offset=True)

    def preprocess(
        self, inputs: list[str], prompt: str | None = None, task: str | None = None, **_: Any
    ) -> dict[str, Any]:
        """Distinct tokens and their weights, text after text. `task` "query" gives the weights of queries."""
        texts = [(prompt or "") + text for text in inputs]
        ids, weights, ends = [np.empty(0, np.int64)], [np.empty(0, np.float32)], [0]
        for encoding in self.tokenizer.encode_batch(texts, add_special_tokens=False):
            ids_U, counts_U = np.unique(np.asarray(encoding.ids, np.int64), return_counts=True)
            ids.append(ids_U)
            weights.append(self._weights(counts_U.astype(np.float32), len(encoding.ids), task))
            ends.append(ends[-1] + len(ids_U))
        return {
            "input_ids": torch.from_numpy(np.concatenate(ids)),
            "token_weights": torch.from_numpy(np.concatenate(weights)),
            "offsets": torch.tensor(ends),
        }

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """Adds `sentence_embedding` (N, D)."""
        sums_ND = self.table(features["input_ids"], features["offsets"], per_sample_weights=features["token_weights"])
        features["sentence_embedding"] = torch.nn.functional.normalize(sums_ND, dim=1)
        return features

    def get_embedding_dimension(self) -> int:
        """D."""
        return int(self.table.embedding_dim)

    def _weights(self, counts_U: Any, length: int, task: str | None) -> Any:
        if task == "query":
            return (1 + np.log(counts_U)).astype(np.float32)
        k1, b, average = (self.saturation[name] for name in ("k1", "b", "average_length"))
        return (counts_U * (k1 + 1) / (counts_U + k1 * (1 - b + b * length / average))).astype(np.float32)

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        """Copy what was loaded."""
        for name in FILES:
            shutil.copyfile(self.folder / name, Path(output_path) / name)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **options: Any) -> "TolmanStatic":
        """From a folder, or a repository of the hub."""
        root = model_name_or_path
        if not os.path.isdir(root):
            from huggingface_hub import snapshot_download

            root = snapshot_download(root, revision=options.get("revision"), token=options.get("token"))
        return cls(Path(root) / subfolder)
