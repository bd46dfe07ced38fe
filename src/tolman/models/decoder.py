"""From latent vectors to text: what an autoencoder learned, the other way round.

The decoder is the trunk as a causal model. It begins with the latent vectors, each made a row as wide as a state, and
the token that every text begins with; then it writes, token by token, what it finds most probable, until it finds the
end most probable. What it has computed for earlier tokens is kept: keys and values of every layer.

Legend for shapes:
    N  texts     K  latent vectors of each     E  numbers of a latent vector     H  width of a state
    A  attention heads     P  places so far, the latent vectors included     L  of all places at last
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from tolman.errors import ModelError
from tolman.models.bottleneck import Bottleneck
from tolman.models.checkpoint import BOTTLENECK, CAUSAL
from tolman.models.language_folder import read_packed
from tolman.models.language_model import TOKENS_AT_ONCE, PackedNetwork, TokenScores
from tolman.models.learning_transformer import Frame
from tolman.models.transformer import fastest_precision
from tolman.models.transformer_folder import read_bottleneck
from tolman.models.trunk import ACTIVATIONS, Attention, Precision, Rotation
from tolman.tokenization import BEGIN, END, TokenSequences, tokenize_text

_TEXTS_AT_ONCE = 256


class Decoder:
    """Texts to latent vectors and back.

    Args:
        network: trunk and language head, causal.
        bottleneck: states to latent vectors, and these to rows.
        tokenizer: with a token for begin and end.

    Attributes:
        frame: what stands around a text.
        most: tokens of the longest text that can be written.
    """

    def __init__(self, network: PackedNetwork, bottleneck: Bottleneck, tokenizer: Tokenizer) -> None:
        self.network, self.bottleneck, self.tokenizer = network, bottleneck, tokenizer
        begin, end = tokenizer.token_to_id(BEGIN), tokenizer.token_to_id(END)
        assert begin is not None
        assert end is not None
        self.frame = Frame((begin,), (end,), None)
        self.most = network.trunk.max_length - len(bottleneck.queries_KH) - 1

    @classmethod
    def load(cls, folder: Path, *, device: str | None = None, precision: Precision | None = None) -> "Decoder":
        """Read what autoencoding left in `folder`.

        Args:
            folder: of an encoder of ours.
            device: "cpu", "cuda", ...; by default a GPU if there is one.
            precision: of the matrix products; by default what is fastest there.

        Raises:
            ModelError: nothing was learned there that writes, or it can't be read.
        """
        bottleneck = read_bottleneck(folder)
        if bottleneck is None or not (folder / CAUSAL).is_dir():
            missing = BOTTLENECK if bottleneck is None else f"{CAUSAL}/"
            raise ModelError(
                f"{folder} can't write from latent vectors, it has no {missing}: learn with --objectives autoencoding"
            )
        where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        network, tokenizer = read_packed(folder / CAUSAL, causal=True)
        moved = Bottleneck(
            bottleneck.queries_KH.to(where),
            bottleneck.sharpness_K.to(where),
            bottleneck.narrow.to(where, torch.float32),
            bottleneck.widen.to(where, torch.float32),
        )
        return cls(network.to(where, precision or fastest_precision(where)), moved, tokenizer)

    def tokens(self, texts: Sequence[str]) -> TokenSequences:
        """Of every text, without begin and end."""
        return tokenize_text(self.tokenizer, texts)

    def plain(self, texts: TokenSequences) -> list[str]:
        """The texts that these tokens stand for, without the space that the tokenizer put before the first word."""
        decoded = self.tokenizer.decode_batch([texts[row].tolist() for row in range(len(texts))])
        return [text.removeprefix(" ") for text in decoded]

    def latents(self, texts: TokenSequences) -> Tensor:
        """Latent vectors (N, K, E), float32, of `texts`, in their order."""
        framed = self.frame.put(texts)
        order = np.argsort(framed.lengths, kind="stable")
        parts = []
        with torch.inference_mode():
            for rows in _parts(order, framed.lengths):
                part = framed.only(rows)
                lengths = part.lengths.tolist()
                states_TH = self.network.trunk(self._ids(part.ids), lengths)
                parts.append(self.bottleneck.latents(states_TH.float(), lengths))
        found = torch.cat(parts) if parts else torch.empty(0, *self._shape)
        return found[torch.from_numpy(np.argsort(order)).to(found.device)]

    def scores(self, latents_NKE: Tensor, texts: TokenSequences) -> TokenScores:
        """How probable each token of `texts` is after the latent vectors and the tokens before it, ends included."""
        targets = Frame((), self.frame.after, None).put(texts)
        logs = np.empty(len(targets.ids), np.float64)
        order = np.argsort(texts.lengths, kind="stable")
        with torch.inference_mode():
            for rows in _parts(order, texts.lengths + self._before):
                guessed = targets.only(rows)
                states_MH = self._writing_states(latents_NKE[torch.from_numpy(rows)], texts.only(rows))
                found = self.network.guess(states_MH, self._ids(guessed.ids)).double().cpu().numpy()
                places = np.arange(len(found)) + np.repeat(
                    targets.offsets[rows] - guessed.offsets[:-1], guessed.lengths
                )
                logs[places] = found
        return TokenScores(logs, targets.offsets)

    def write(self, latents_NKE: Tensor, most: int | None = None) -> TokenSequences:
        """The most probable token after the most probable token, for each of N.

        Args:
            latents_NKE: from `latents`, or anything of that shape; each vector of norm sqrt(E).
            most: tokens, where no end comes earlier.
        """
        most = min(most or self.most, self.most)
        with torch.inference_mode():
            return TokenSequences.join(
                [
                    written
                    for part in torch.split(latents_NKE, _TEXTS_AT_ONCE)
                    if len(part)
                    for written in _Writing(self.network, self.frame, self._prefix(part), most).texts()
                ]
            )

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self.bottleneck.queries_KH), len(self.bottleneck.narrow.weight)

    @property
    def _before(self) -> int:
        """What the decoder begins with."""
        return self._shape[0] + len(self.frame.before)

    def _prefix(self, latents_NKE: Tensor) -> Tensor:
        """Rows (N, K + 1, H) that the decoder begins with, before the embeddings' norm."""
        begin_H = self.network.trunk.embeddings.words_VH[self.frame.before[0]]
        return torch.cat([self.bottleneck.rows(latents_NKE), begin_H.expand(len(latents_NKE), 1, -1)], dim=1)

    def _writing_states(self, latents_NKE: Tensor, texts: TokenSequences) -> Tensor:
        """States (M, H) that guess each token of `texts`, which are sorted by length, and each end."""
        embeddings = self.network.trunk.embeddings
        words = torch.split(functional.embedding(self._ids(texts.ids), embeddings.words_VH), texts.lengths.tolist())
        prefixes = self._prefix(latents_NKE)
        x_TH = torch.cat([row for pair in zip(prefixes, words, strict=True) for row in pair])
        lengths = (texts.lengths + self._before).tolist()
        states_TH = self.network.trunk.through(embeddings.finish(x_TH, lengths), lengths, causal=True)
        guessing = [torch.arange(length) >= self._before - 1 for length in lengths]
        return states_TH[torch.cat(guessing).to(states_TH.device)]

    def _ids(self, ids_T: np.ndarray) -> Tensor:
        return torch.from_numpy(ids_T.astype(np.int64)).to(self.network.device)


def _parts(order: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """`order` in parts of about so many tokens as are computed at a time."""
    cuts = np.cumsum(lengths[order]) // TOKENS_AT_ONCE
    return np.split(order, np.flatnonzero(np.diff(cuts)) + 1) if len(order) else []


@dataclass(frozen=True)
class _Recall(Attention):
    """Attention of the newest places of N equally long sequences to all places so far, kept.

    Attributes:
        kept: keys and values (N, A, P, H / A) so far; empty before the first.
    """

    kept: list[Tensor] = field(default_factory=list)

    def __call__(self, qkv_T3H: Tensor) -> Tensor:
        """States (T, H), mixed."""
        count, new = len(self.lengths), self.lengths[0]
        q, k, v = self._parted(qkv_T3H, count)
        first = not self.kept
        self.kept[:] = [k, v] if first else [torch.cat(pair, dim=2) for pair in zip(self.kept, (k, v), strict=True)]
        mixed = functional.scaled_dot_product_attention(q, self.kept[0], self.kept[1], is_causal=first)
        return mixed.transpose(1, 2).reshape(count * new, -1)


class _Writing:
    """N texts that are being written, place by place together; those that have ended are left out of the rest."""

    def __init__(self, network: PackedNetwork, frame: Frame, prefix_NPH: Tensor, most: int) -> None:
        self.network, self.trunk, self.most, self.end = network, network.trunk, most, frame.after[0]
        self.prefix_NPH = prefix_NPH
        self.kept: list[list[Tensor]] = [[] for _ in self.trunk.blocks]
        assert self.trunk.theta is not None
        places, head = prefix_NPH.shape[1] + most, self.trunk.width // self.trunk.heads
        self.rotation = Rotation.of(places, head, self.trunk.theta, prefix_NPH.device)

    def texts(self) -> list[np.ndarray]:
        """Token ids of each."""
        written: list[list[int]] = [[] for _ in self.prefix_NPH]
        rows, place = torch.arange(len(written), device=self.prefix_NPH.device), 0
        x_NPH = self.prefix_NPH
        for _ in range(self.most):
            ids_N = self._next(x_NPH, place)
            going_N = ids_N != self.end
            if not going_N.all():
                rows, ids_N = rows[going_N], ids_N[going_N]
                self.kept = [[tensor[going_N] for tensor in kept] for kept in self.kept]
            if not len(rows):
                break
            for row, token in zip(rows.tolist(), ids_N.tolist(), strict=True):
                written[row].append(token)
            place += x_NPH.shape[1]
            x_NPH = self.trunk.embeddings.words_VH[ids_N][:, None]
        return [np.array(text, np.int32) for text in written]

    def _next(self, x_NPH: Tensor, place: int) -> Tensor:
        """The most probable token (N,) after new rows, the first of which stand at `place`."""
        count, new = x_NPH.shape[:2]
        lengths = [new] * count
        rotation = Rotation(*(table[place : place + new] for table in (self.rotation.cos_LE, self.rotation.sin_LE)))
        x_TH = self.trunk.embeddings.finish(x_NPH.flatten(0, 1), lengths)
        for block, kept in zip(self.trunk.blocks, self.kept, strict=True):
            attention = _Recall(lengths, self.trunk.heads, True, rotation, None, kept=kept)
            x_TH = block.leave(x_TH, attention(block.enter(x_TH)), ACTIVATIONS[self.trunk.activation])
        last_NH = x_TH.view(count, new, -1)[:, -1]
        if self.trunk.norm:
            last_NH = self.trunk.norm(last_NH)
        return self.network.head.logits(last_NH, self.network.words_VH).argmax(dim=1)
