"""A latent space without a network: every token has a vector, a text is their weighted sum.

The weights are BM25's: repeats of a token saturate and long documents are normalised (Robertson and Zaragoza 2009,
doi:10.1561/1500000019). How much a token matters is the norm of its row, learned with the row itself, so no separate
list of term weights is kept. Inference is numpy alone: torch is never imported.

Legend for shapes:
    N  texts
    V  tokens of the vocabulary
    D  dimensions of the latent space
    T  tokens of one text
    U  distinct tokens of one text
    P  distinct tokens of each of N texts, end to end
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tolman.errors import ModelError
from tolman.inner_products import inner_products
from tolman.models.encoder import Floats, Role, TokenStates, require_texts
from tolman.models.portable import write_portable
from tolman.storage import readable_like_its_folder, storing
from tolman.tokenization import WordMemory

Ints: TypeAlias = NDArray[np.int32]

_PASSAGE_TOKENS = 2_048
_CHUNK = 1_024
_FEW = 64


@dataclass(frozen=True, slots=True)
class TermSaturation:
    """How much the tf-th repeat of a token still adds to a text.

    Attributes:
        k1: how soon repeats saturate.
        b: how much the length of a document counts, 0 to 1.
        average_length: tokens of an average document of the corpus.
    """

    average_length: float
    k1: float = 1.2
    b: float = 0.75

    def document(self, counts: Floats, lengths: Floats | float) -> Floats:
        """Weight of a token that stands `counts` times in a document of `lengths` tokens."""
        normalised = self.k1 * (1 - self.b + self.b * lengths / self.average_length)
        return (counts * (self.k1 + 1) / (counts + normalised)).astype(np.float32)

    def query(self, counts: Floats) -> Floats:
        """Weight of a token that stands `counts` times in a query: logarithmic, for queries are short."""
        return (1 + np.log(counts)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class TokenWeights:
    """N texts as sums of rows of the table, each a unit vector: what a text is before it is added up.

    Attributes:
        ids_P: the distinct tokens of each text, end to end.
        weights_P: of each.
        offsets: (N + 1,) text i is offsets[i]:offsets[i + 1].
    """

    ids_P: Ints
    weights_P: Floats
    offsets: Ints

    @property
    def bytes(self) -> int:
        """Held in memory by the arrays."""
        return self.ids_P.nbytes + self.weights_P.nbytes + self.offsets.nbytes

    def only(self, texts: NDArray[np.int64]) -> "TokenWeights":
        """Some of the texts, in that order."""
        starts = self.offsets[texts]
        lengths = self.offsets[texts + 1] - starts
        offsets = _offsets(lengths)
        places = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
        return TokenWeights(self.ids_P[places], self.weights_P[places], offsets)

    def split(self, counts: Sequence[int]) -> "list[TokenWeights]":
        """One after the other of so many texts, each with memory of its own."""
        edges = np.cumsum([0, *counts])
        return [self.only(np.arange(first, last)) for first, last in pairwise(edges.tolist())]

    @classmethod
    def join(cls, parts: "Sequence[TokenWeights]") -> "TokenWeights":
        """The texts of all parts; at least one part."""
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        return cls(
            np.concatenate([part.ids_P for part in parts]),
            np.concatenate([part.weights_P for part in parts]),
            _offsets(lengths),
        )


def _offsets(lengths_N: Ints) -> Ints:
    """(N + 1,) where each of N stretches begins, and where the last one ends."""
    offsets = np.zeros(len(lengths_N) + 1, np.int32)
    np.cumsum(lengths_N, out=offsets[1:])
    return offsets


class StaticEncoder:
    """Token table, saturating term weights, unit norm.

    Args:
        tokenizer: of V tokens.
        table_VD: one row a token, kept as float16 (what is saved is what is used).
        saturation: term weights of documents and queries.

    Raises:
        ModelError: the table hasn't one row a token.
    """

    family = "static"
    passage_tokens = _PASSAGE_TOKENS

    def __init__(self, tokenizer: Tokenizer, table_VD: NDArray[Any], saturation: TermSaturation) -> None:
        if table_VD.ndim != 2 or len(table_VD) != tokenizer.get_vocab_size():
            raise ModelError(
                f"a static encoder needs one row a token: {tokenizer.get_vocab_size()} tokens, table {table_VD.shape}"
            )
        self.tokenizer = tokenizer
        self.table_VD = np.ascontiguousarray(table_VD, dtype=np.float16)
        self.saturation = saturation

    @property
    def dim(self) -> int:
        """D."""
        return int(self.table_VD.shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over table, tokenizer and term weights."""
        digest = hashlib.sha256(b"tolman static 1")
        digest.update(np.asarray(self.table_VD.shape, "<i8").tobytes())
        digest.update(self.table_VD.tobytes())
        digest.update(self.tokenizer.to_str().encode())
        digest.update(json.dumps(asdict(self.saturation), sort_keys=True).encode())
        return digest.hexdigest()

    def encode(self, texts: Sequence[str], role: Role = "document") -> Floats:
        """Unit vectors (N, D); a text with no known token gives zeros.

        Raises:
            TolmanError: no list of texts, or no such role.
        """
        texts = require_texts(texts, role)
        vectors_ND = np.zeros((len(texts), self.dim), np.float32)
        wide = len(texts) > _FEW or "_wide_table" in self.__dict__
        table_VD = self._wide_table if wide else self.table_VD
        for first in range(0, len(texts), _CHUNK):
            for row, ids_T in enumerate(self._token_ids(texts[first : first + _CHUNK]), first):
                if len(ids_T):
                    vectors_ND[row] = self._pool(ids_T, role, table_VD)
        return vectors_ND

    def weigh(self, texts: Sequence[str]) -> TokenWeights:
        """Documents as sums of rows, for who compares them with many queries: see `cosines`."""
        ids = self._token_ids(require_texts(texts))
        lengths_N = np.fromiter(map(len, ids), np.int64, len(ids))
        keys = np.repeat(np.arange(len(ids)), lengths_N) * len(self.table_VD)
        keys += np.concatenate([np.empty(0, np.int32), *ids])
        keys_P, repeats_P = np.unique(keys, return_counts=True)
        text_P, ids_P = np.divmod(keys_P, len(self.table_VD))
        weights_P = self.saturation.document(repeats_P.astype(np.float32), lengths_N[text_P].astype(np.float32))
        offsets = np.searchsorted(text_P, np.arange(len(ids) + 1))
        table_VD = self.__dict__.get("_wide_table", self.table_VD)
        for start, end in pairwise(offsets.tolist()):
            vector_D = weights_P[start:end] @ table_VD[ids_P[start:end]].astype(np.float32, copy=False)
            weights_P[start:end] /= max(float(np.linalg.norm(vector_D)), 1e-12)
        return TokenWeights(ids_P.astype(np.int32), weights_P, offsets.astype(np.int32))

    def cosines(self, query_D: Floats, texts: TokenWeights) -> Floats:
        """Of a query's vector and each of the texts that were weighed (N,), without adding up a vector for any."""
        wide = "_wide_table" in self.__dict__  # not widened for the sake of one query
        near_P = inner_products(self._wide_table, query_D, texts.ids_P) if wide else self._rows(texts.ids_P) @ query_D
        before = np.zeros(len(near_P) + 1)
        np.cumsum(near_P * texts.weights_P, out=before[1:])
        return (before[texts.offsets[1:]] - before[texts.offsets[:-1]]).astype(np.float32)

    def _rows(self, ids_P: Ints) -> Floats:
        return self.table_VD[ids_P].astype(np.float32)

    def tokens(self, text: str) -> TokenStates:
        """Unit vector of every token. A static token has the same state in every context."""
        (text,) = require_texts([text])
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        rows_TD = self.table_VD[np.asarray(encoding.ids, np.int32)].astype(np.float32)
        norms_T1 = np.maximum(np.linalg.norm(rows_TD, axis=1, keepdims=True), 1e-12)
        return TokenStates(rows_TD / norms_T1, tuple(encoding.offsets))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""
        return [len(ids_T) for ids_T in self._token_ids(require_texts(texts))]

    @cached_property
    def _token_ids(self) -> WordMemory:
        return WordMemory(self.tokenizer)

    def sharing_words(self, other: "StaticEncoder") -> "StaticEncoder":
        """This encoder, with the tokens of words that `other`, of the same tokenizer, has met: nothing but faster."""
        self._token_ids = other._token_ids
        return self

    @cached_property
    def _wide_table(self) -> Floats:
        """The table in float32: widened once for many texts; for a few only the rows they need are."""
        return self.table_VD.astype(np.float32)

    def _pool(self, ids_T: Ints, role: Role, table_VD: NDArray[Any]) -> Floats:
        ids_U, repeats_U = np.unique(ids_T, return_counts=True)
        counts_U = repeats_U.astype(np.float32)
        weights_U = (
            self.saturation.query(counts_U) if role == "query" else self.saturation.document(counts_U, len(ids_T))
        )
        vector_D: Floats = weights_U @ table_VD[ids_U].astype(np.float32, copy=False)
        return vector_D / max(float(np.linalg.norm(vector_D)), 1e-12)

    def save(self, folder: Path) -> None:
        """Write tolman.json, tokenizer.json, model.safetensors and a module for sentence-transformers into `folder`.

        Raises:
            StorageError: the disk refuses.
        """
        from safetensors.numpy import save_file

        config = {
            "family": self.family,
            "format": 1,
            "saturation": asdict(self.saturation),
            "fingerprint": self.fingerprint,
        }
        with storing(f"can't write the encoder to {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
            save_file({"table": self.table_VD}, folder / "model.safetensors")
            readable_like_its_folder(folder / "model.safetensors")
            self.tokenizer.save(str(folder / "tokenizer.json"))
            (folder / "tolman.json").write_text(json.dumps(config, indent=1) + "\n")
            write_portable(folder, "tolman_static", "TolmanStatic")

    @classmethod
    def load(cls, folder: Path) -> "StaticEncoder":
        """Read what `save` wrote.

        Raises:
            ModelError: a file is missing or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            config = json.loads((folder / "tolman.json").read_text())
            table_VD = load_file(folder / "model.safetensors")["table"]
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            return cls(tokenizer, table_VD, TermSaturation(**config["saturation"]))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(f"{folder} holds no readable static encoder: {error}") from error
        except Exception as error:  # tokenizers raises bare Exception for a damaged tokenizer.json
            if type(error) is Exception:
                raise ModelError(f"{folder}/tokenizer.json is damaged: {error}") from error
            raise
