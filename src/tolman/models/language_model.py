"""How probable a model finds text, token by token.

A causal model guesses every token from those before it, and a text's end from all of it: the probabilities of a text
multiply to its own. A masked model is asked for each token with that one token hidden; what these multiply to is a
text's pseudo-likelihood (Salazar et al. 2020, arXiv:1910.14659).

A text that is longer than the model's window is read in windows. The causal model's overlap by half: each token is
guessed once, with at least half a window before it unless the text begins within that. The masked model's lie around
the hidden token, as far as the text allows.

Legend for shapes:
    N  texts     T  tokens of a batch     M  tokens that are guessed     V  tokens of the vocabulary     H  width
    S  stretches that go through the model, of all texts together
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from tolman.models.language_head import LanguageHead
from tolman.models.learning_transformer import Frame
from tolman.models.tree import map_tensors
from tolman.models.trunk import Linear, PackedTrunk, Precision
from tolman.progress import Progress, Silent
from tolman.tokenization import TokenSequences, tokenize_text

Kind: TypeAlias = Literal["causal", "masked"]
Places: TypeAlias = NDArray[np.int64]

TOKENS_AT_ONCE = 4_096
"""Of a batch on a CPU."""
GPU_TOKENS_AT_ONCE = 65_536
_LOGITS_AT_ONCE = 512  # tokens whose logits are in memory together
_MOST_LOGITS = 2**26  # numbers, where a model gives those of all tokens


class Network(Protocol):
    """Guesses tokens.

    Attributes:
        device: where it computes.
        tokens_at_once: of a batch, about.
    """

    @property
    def device(self) -> torch.device:
        """See above."""
        ...

    @property
    def tokens_at_once(self) -> int:
        """See above."""
        ...

    def __call__(self, ids_T: Tensor, lengths: Sequence[int], places_M: Tensor, targets_M: Tensor) -> Tensor:
        """Logarithms (M,) of the probabilities of `targets_M`, guessed at `places_M` of sequences one after another."""
        ...


@dataclass(frozen=True)
class PackedNetwork:
    """Trunk and head of ours; no padding is computed.

    Attributes:
        words_VH: what the head's states are multiplied with.
        causal: whether a token sees only itself and those before it.
    """

    trunk: PackedTrunk
    head: LanguageHead
    words_VH: Tensor
    causal: bool

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.words_VH.device

    @property
    def tokens_at_once(self) -> int:
        """As many as the device likes."""
        return TOKENS_AT_ONCE if self.device.type == "cpu" else GPU_TOKENS_AT_ONCE

    def to(self, device: torch.device, precision: Precision) -> "PackedNetwork":
        """The same network on `device`, its matrix products but the last in `precision`."""
        dtype = getattr(torch, precision)

        def move(owner: Any, _name: str, tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype) if isinstance(owner, Linear) else tensor.to(device)

        head = map_tensors(self.head, move)
        return replace(self, trunk=self.trunk.to(device, precision), head=head, words_VH=self.words_VH.to(device))

    def __call__(self, ids_T: Tensor, lengths: Sequence[int], places_M: Tensor, targets_M: Tensor) -> Tensor:
        """See `Network`."""
        states_MH = self.trunk(ids_T, lengths, causal=self.causal)[places_M]
        return self.guess(states_MH, targets_M)

    def guess(self, states_MH: Tensor, targets_M: Tensor) -> Tensor:
        """Logarithms (M,) of the probabilities of `targets_M` after `states_MH`."""
        parts = zip(torch.split(states_MH, _LOGITS_AT_ONCE), torch.split(targets_M, _LOGITS_AT_ONCE), strict=True)
        return torch.cat([_chosen(self.head.logits(states, self.words_VH), targets) for states, targets in parts])


class PaddedNetwork:
    """Any model with a language head, run by `transformers` on padded batches: right, not fast."""

    def __init__(self, model: Any, vocabulary: int, window: int) -> None:
        self.model = model
        self.tokens_at_once = max(window, min(TOKENS_AT_ONCE, _MOST_LOGITS // vocabulary))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.model.device
        return device

    def __call__(self, ids_T: Tensor, lengths: Sequence[int], places_M: Tensor, targets_M: Tensor) -> Tensor:
        """See `Network`."""
        ids_NL = torch.nn.utils.rnn.pad_sequence(list(torch.split(ids_T, list(lengths))), batch_first=True)
        mask_NL = (
            torch.arange(ids_NL.shape[1], device=ids_T.device) < torch.tensor(lengths, device=ids_T.device)[:, None]
        )
        logits_NLV = self.model(input_ids=ids_NL, attention_mask=mask_NL.long()).logits
        padded_M = mask_NL.flatten().nonzero()[:, 0][places_M]
        return _chosen(logits_NLV.flatten(0, 1)[padded_M].float(), targets_M)


def _chosen(logits_MV: Tensor, targets_M: Tensor) -> Tensor:
    return logits_MV.gather(1, targets_M[:, None])[:, 0] - logits_MV.logsumexp(dim=1)


@dataclass(frozen=True)
class TokenScores:
    """What a model says of texts.

    Attributes:
        logs: logarithms of probabilities, in nats, of the guessed tokens of all texts, one text after the other.
        offsets: (N + 1,); those of text i are logs[offsets[i]:offsets[i + 1]].
    """

    logs: NDArray[np.float64]
    offsets: Places

    @property
    def totals(self) -> NDArray[np.float64]:
        """Of each text (N,)."""
        count = len(self.offsets) - 1
        texts = np.repeat(np.arange(count), np.diff(self.offsets))
        totals: NDArray[np.float64] = np.bincount(texts, weights=self.logs, minlength=count).astype(np.float64)
        return totals


@dataclass(frozen=True)
class LanguageModel:
    """A model that guesses tokens.

    Attributes:
        kind: "causal" or "masked".
        network: what guesses.
        tokenizer: its own.
        frame: what stands around a text, and in the place of a token that is guessed.
        window: the longest sequence that the network takes, the frame included.
    """

    kind: Kind
    network: Network
    tokenizer: Tokenizer
    frame: Frame
    window: int

    def tokens(self, texts: Sequence[str]) -> TokenSequences:
        """Of every text, without the frame."""
        return tokenize_text(self.tokenizer, texts)

    def scores(self, texts: TokenSequences, progress: Progress | None = None) -> TokenScores:
        """How probable each token of `texts` is: those of a masked model each hidden once; of a causal one in order,
        and after the last one the end of the text, where the model has a token for it.

        Args:
            texts: from `tokens`.
            progress: told how many tokens are done.
        """
        stream = self.frame.put(texts)
        guessed = np.ones(len(stream.ids), bool)
        for place in range(len(self.frame.before)):
            guessed[stream.offsets[:-1] + place] = False
        if self.kind == "masked":
            for place in range(1, len(self.frame.after) + 1):
                guessed[stream.offsets[1:] - place] = False
        logs = self._guess(stream, np.flatnonzero(guessed), progress)
        offsets = np.concatenate([[0], np.cumsum(guessed)])[stream.offsets]
        return TokenScores(logs, offsets)

    def scores_at(self, texts: TokenSequences, places: Places, progress: Progress | None = None) -> NDArray[np.float64]:
        """The same for some tokens of a masked model: those at `places` of `texts.ids`, in ascending order."""
        assert self.kind == "masked"
        extra = len(self.frame.before) + len(self.frame.after)
        text_of = np.searchsorted(texts.offsets, places, side="right") - 1
        return self._guess(self.frame.put(texts), places + text_of * extra + len(self.frame.before), progress)

    def _guess(self, stream: TokenSequences, targets: Places, progress: Progress | None) -> NDArray[np.float64]:
        """Of the tokens at `targets` of the stream, ascending; a causal model is asked for all that can be guessed."""
        progress = progress or Silent()
        logs = np.empty(len(stream.ids), np.float64)
        if self.kind == "causal":
            stretches = _running(stream, self.window, len(self.frame.before))
        else:
            stretches = _around(stream, targets, self.window)
        with torch.inference_mode():
            for part in stretches.batches(self.network.tokens_at_once):
                places = self._guess_batch(stream, part, logs)
                progress.advance(places)
        return logs[targets]

    def _guess_batch(self, stream: TokenSequences, part: "_Stretches", logs: NDArray[np.float64]) -> int:
        """Fill in the logs of one batch; how many they are."""
        batch = stream.cut(part.starts, part.ends - part.starts)
        counts = part.last - part.first
        texts = np.repeat(np.arange(len(counts)), counts)
        targets = np.arange(counts.sum()) + np.repeat(part.first - np.cumsum(counts) + counts, counts)
        places = targets - part.starts[texts] + batch.offsets[:-1][texts]
        ids_T = batch.ids.astype(np.int64)
        if self.kind == "causal":
            places -= 1  # a token is guessed where the one before it stands
        else:
            assert self.frame.mask is not None
            ids_T[places] = self.frame.mask
        arrays = ids_T, places, stream.ids[targets].astype(np.int64)
        ids, at, chosen = (torch.from_numpy(array).to(self.network.device) for array in arrays)
        logs[targets] = self.network(ids, batch.lengths.tolist(), at, chosen).double().cpu().numpy()
        return len(targets)


@dataclass(frozen=True)
class _Stretches:
    """What goes through the network, all (S,), in tokens of a stream.

    Attributes:
        starts, ends: of what it sees.
        first, last: of what it guesses, the last one not included.
    """

    starts: Places
    ends: Places
    first: Places
    last: Places

    def batches(self, tokens: int) -> Iterator["_Stretches"]:
        """All of them, those of one length together, the longest first, about so many tokens at a time."""
        order = np.argsort(self.starts - self.ends, kind="stable")
        seen = np.cumsum((self.ends - self.starts)[order])
        begun = 0
        while begun < len(order):
            before = int(seen[begun - 1]) if begun else 0
            end = max(begun + 1, int(np.searchsorted(seen, before + tokens, side="right")))
            rows = order[begun:end]
            yield _Stretches(self.starts[rows], self.ends[rows], self.first[rows], self.last[rows])
            begun = end


def _running(stream: TokenSequences, window: int, before: int) -> _Stretches:
    """Overlapping windows over every text; all but its first `before` tokens are guessed once, its last is not seen."""
    step = max(1, window // 2)
    starts, ends, first, last = [], [], [], []
    for begin, end in zip(stream.offsets[:-1].tolist(), stream.offsets[1:].tolist(), strict=True):
        seen_to, guessed_to = begin, begin + before
        while guessed_to < end:
            start = max(begin, min(seen_to - window + step, end - 1 - window))
            seen_to = min(start + window, end - 1)
            starts.append(start)
            ends.append(seen_to)
            first.append(guessed_to)
            last.append(guessed_to := seen_to + 1)
    return _Stretches(*(np.array(column, np.int64) for column in (starts, ends, first, last)))


def _around(stream: TokenSequences, targets: Places, window: int) -> _Stretches:
    """For every target a window of its text with the target in its middle, or as near to it as the text allows."""
    text_of = np.searchsorted(stream.offsets, targets, side="right") - 1
    begin, end = stream.offsets[text_of], stream.offsets[text_of + 1]
    starts = np.clip(targets - window // 2, begin, np.maximum(begin, end - window))
    return _Stretches(starts, np.minimum(starts + window, end), targets, targets + 1)
