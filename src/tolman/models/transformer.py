"""An encoder made of a pretrained transformer.

Texts are sorted by length and computed in batches of so many tokens, never padded, so that memory and waste stay small
whatever the texts are. `tolman.models.trunk` has the arithmetic, `tolman.models.checkpoint` reads the folders.

Legend for shapes:
    N  texts     T  tokens of a batch or a text     H  width of a token's state     D  dimensions of the vector
"""

import json
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import file_digest, sha256
from pathlib import Path

import numpy as np
import torch

from tolman.errors import ModelError
from tolman.models.checkpoint import Checkpoint, copy_checkpoint, read_checkpoint
from tolman.models.encoder import Floats, Role, TokenStates, require_texts
from tolman.models.trunk import Precision
from tolman.storage import storing

CPUINFO = Path("/proc/cpuinfo")
# A processor's flag -> in which names of ONEDNN_MAX_CPU_ISA it is included.
_BFLOAT16 = {"amx_bf16": ("AMX",), "avx512_bf16": ("AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX10", "AMX")}
DECODER = "modernbert-decoder"
"""A type of model that is only ever run causally, which an encoder here is not."""
CPU_BATCH = 2048
"""Tokens computed at a time: enough for full speed in the matrix products, few enough that states stay in the cache."""
GPU_BATCH = 65_536
WINDOW_TEXTS = 4096
WINDOW_CHARACTERS = 4_000_000
"""How much is tokenised, and sorted, at a time: what bounds the memory for ids."""
CHARACTERS_A_TOKEN = 32
"""How much of a long text is tokenised at first; the whole of it only if that doesn't fill a sequence."""


class TransformerEncoder:
    """A transformer, its pooling and its tokenizer, read from a sentence-transformers or `transformers` folder.

    Args:
        checkpoint: what `read_checkpoint` found.
        folder: where it was found; `save` copies from there.
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        precision: of the matrix products; by default bfloat16 where the hardware multiplies it faster (a GPU, or a CPU
            with AMX or avx512_bf16), float32 elsewhere. The residual stream is float32 either way.

    Attributes:
        checkpoint: what was read, in float32.
        before, after: ids of the special tokens around every text.
    """

    family = "transformer"

    def __init__(
        self, checkpoint: Checkpoint, folder: Path, *, device: str | None = None, precision: Precision | None = None
    ) -> None:
        self.folder = folder
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.precision: Precision = precision or fastest_precision(self.device)
        self.checkpoint = checkpoint
        self._trunk = checkpoint.trunk.to(self.device, self.precision)
        self._head = checkpoint.head.to(self.device)
        self._tokenizer = checkpoint.tokenizer
        probe = self._tokenizer.encode("a")
        content = probe.special_tokens_mask.index(0)
        self.before = probe.ids[:content]
        self.after = probe.ids[content + probe.special_tokens_mask.count(0) :]

    @classmethod
    def load(
        cls, folder: Path | str, *, device: str | None = None, precision: Precision | None = None
    ) -> "TransformerEncoder":
        """Read the encoder in `folder`.

        Raises:
            ModelError: there is none, only a causal model, or it can't be read.
        """
        checkpoint = read_checkpoint(Path(folder))
        if checkpoint.settings["transformer"].get("model_type") == DECODER:
            raise ModelError(f"{folder} holds a causal model: it guesses tokens and gives no vectors")
        return cls(checkpoint, Path(folder), device=device, precision=precision)

    @property
    def dim(self) -> int:
        """D."""
        return self._head.dim(self._trunk.width)

    @property
    def prompts(self) -> dict[str, str]:
        """What is put before a text, by role."""
        return self.checkpoint.prompts

    @property
    def notes(self) -> tuple[str, ...]:
        """What the folder left open and how it was settled."""
        said = {
            "the folder names no pooling: token states are averaged": self.checkpoint.pools,
            "the folder doesn't normalise: vectors are scaled to unit length all the same": self.checkpoint.normalises,
        }
        return tuple(note for note, settled in said.items() if not settled)

    def prompt_ids(self, role: Role) -> list[int]:
        """Ids of what is put before a text; none where that is nothing."""
        return self._ids([self.prompts.get(role, "")])[0]

    @cached_property
    def passage_tokens(self) -> int:
        """Tokens of text that one sequence holds beside special tokens and the prompt of documents."""
        return self._room() - len(self.prompt_ids("document"))

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the files of weights and tokenizer, pooling and prompts; device and precision don't count."""
        checkpoint = self.checkpoint
        described = {**checkpoint.settings, "max_tokens": checkpoint.max_tokens, "prompts": checkpoint.prompts}
        digest = sha256(json.dumps(described, sort_keys=True).encode())
        for path in (*checkpoint.tokenizer_files, *checkpoint.weight_files):
            with path.open("rb") as file:
                digest.update(file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def encode(self, texts: Sequence[str], role: Role = "document") -> Floats:
        """Unit vectors (N, D), float32, in the order of `texts`.

        A text longer than a sequence counts with its beginning only (`tolman.encoding` cuts documents into passages).
        An empty one has the vector of the special tokens around it.

        Raises:
            TolmanError: no list of texts, or no such role.
        """
        texts = require_texts(texts, role)
        prompt = self.prompts.get(role, "")
        prompt_length = len(self.before) + len(self.prompt_ids(role)) if prompt else 0
        vectors_ND = np.zeros((len(texts), self.dim), dtype=np.float32)
        for start, end in windows(texts):
            sequences = self._sequences([prompt + text for text in texts[start:end]])
            for batch in self._batches(sequences):
                states_TH, lengths = self._run([sequences[i] for i in batch])
                with torch.inference_mode():
                    vectors = self._head(states_TH, lengths, prompt_length)
                vectors_ND[np.add(batch, start)] = vectors.cpu().numpy()
        return vectors_ND

    def tokens(self, text: str) -> TokenStates:
        """The last layer's state (T, H) of every token of `text`, special tokens left out; never truncated.

        A text longer than one sequence is computed in several, each without sight of the others.
        """
        return next(self.tokens_many(require_texts([text])))

    def tokens_many(self, texts: Sequence[str]) -> Iterator[TokenStates]:
        """`tokens` of each text, in order; short texts are computed together."""
        for start, end in windows(texts):
            encodings = self._tokenizer.encode_batch(list(texts[start:end]), add_special_tokens=False)
            room = self._room()
            cuts = [range(0, len(encoding.ids), room) for encoding in encodings]
            states = self._content_states(
                [encoding.ids[at : at + room] for encoding, own in zip(encodings, cuts, strict=True) for at in own]
            )
            for encoding, own in zip(encodings, cuts, strict=True):
                parts = [next(states) for _ in own] or [np.empty((0, self._trunk.width), np.float32)]
                yield TokenStates(np.concatenate(parts), tuple(encoding.offsets))

    def _content_states(self, contents: Sequence[list[int]]) -> Iterator[Floats]:
        """States of the tokens of each of some sequences, without the special ones around them."""
        sequences = [self._around(ids) for ids in contents]
        found: list[Floats] = [np.empty(0, np.float32)] * len(sequences)
        for batch in self._batches(sequences):
            states_TH, lengths = self._run([sequences[i] for i in batch])
            for i, part in zip(batch, torch.split(states_TH, lengths), strict=True):
                found[i] = part[len(self.before) : len(part) - len(self.after)].cpu().numpy()
        return iter(found)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, special tokens not counted, before any truncation."""
        counts, texts = [], require_texts(texts)
        for start, end in windows(texts):
            pieces = [list(_pieces(text)) for text in texts[start:end]]
            lengths = iter([len(ids) for ids in self._ids([piece for text in pieces for piece in text])])
            counts += [sum(next(lengths) for _ in text) for text in pieces]
        return counts

    def save(self, folder: Path) -> None:
        """Copy the folder that this encoder was read from, and write down what it left open (see `notes`).

        The copy loads in sentence-transformers and gives these vectors. Weights in other formats are not copied.

        Raises:
            ModelError: the original is gone.
            StorageError: the disk refuses.
        """
        if not self.folder.is_dir():
            raise ModelError(f"can't copy the encoder: {self.folder}, which it was read from, is gone")
        with storing(f"can't write the encoder to {folder}"):
            copy_checkpoint(self.checkpoint, self.folder, folder)

    def _run(self, sequences: Sequence[Sequence[int]]) -> tuple[torch.Tensor, list[int]]:
        """States (T, H) of `sequences` one after the other, and how long each is."""
        lengths = [len(sequence) for sequence in sequences]
        ids_T = torch.tensor([i for sequence in sequences for i in sequence], device=self.device)
        with torch.inference_mode():
            return self._trunk(ids_T, lengths), lengths

    def _batches(self, sequences: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Indices of sequences of about one length, the longest first, at most so many tokens together."""
        limit = CPU_BATCH if self.device.type == "cpu" else GPU_BATCH
        order = sorted((i for i, ids in enumerate(sequences) if ids), key=lambda i: len(sequences[i]), reverse=True)
        batch: list[int] = []
        tokens = 0
        for i in order:
            if batch and tokens + len(sequences[i]) > limit:
                yield batch
                batch, tokens = [], 0
            batch.append(i)
            tokens += len(sequences[i])
        if batch:
            yield batch

    def _sequences(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids with special tokens around them, cut to what one sequence holds."""
        room = self._room()
        beginnings = [_beginning(text, room * CHARACTERS_A_TOKEN) for text in texts]
        sequences = self._ids(beginnings)
        for i, text in enumerate(texts):
            if len(beginnings[i]) < len(text) and len(sequences[i]) <= room:
                sequences[i] = self._ids([text])[0]
        return [self._around(ids[:room]) for ids in sequences]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def _around(self, ids: list[int]) -> list[int]:
        return [*self.before, *ids, *self.after]

    def _room(self) -> int:
        """Tokens of text that one sequence holds beside the special ones."""
        return self.checkpoint.max_tokens - len(self.before) - len(self.after)


def fastest_precision(device: torch.device) -> Precision:
    """bfloat16 on a GPU or a CPU with instructions for it, which at least double the speed; else float32."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    return "bfloat16" if device.type == "cpu" and multiplies_bfloat16() else "float32"


def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for products in bfloat16 that oneDNN knows and may use."""
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    try:
        flags = CPUINFO.read_text(encoding="utf-8").split()
    except OSError:
        return False
    return any(
        flag in flags and (allowed in ("ALL", "DEFAULT") or any(part in allowed for part in parts))
        for flag, parts in _BFLOAT16.items()
    )


def windows(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(start, end) of consecutive groups of texts, small enough to be tokenised together."""
    start = characters = 0
    for end, text in enumerate(texts):
        if end > start and (end - start == WINDOW_TEXTS or characters + len(text) > WINDOW_CHARACTERS):
            yield start, end
            start, characters = end, 0
        characters += len(text)
    if start < len(texts):
        yield start, len(texts)


def _beginning(text: str, characters: int) -> str:
    """At most so many characters of `text`, up to a space, before which no tokenizer looks ahead."""
    cut = text.rfind(" ", 0, characters) if len(text) > characters else -1
    return text[:cut] if cut >= 0 else text


def _pieces(text: str) -> Iterator[str]:
    """A very long text in parts that end at a space, so that counting its tokens takes little memory."""
    start = 0
    while len(text) - start > WINDOW_CHARACTERS:
        cut = text.rfind(" ", start + 1, start + WINDOW_CHARACTERS)
        end = cut if cut > start else start + WINDOW_CHARACTERS
        yield text[start:end]
        start = end
    yield text[start:]
