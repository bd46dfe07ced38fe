"""A transformer while it learns: the pass of `PackedTrunk`, over parameters.

Parameters stay in float32. Each pass computes in bfloat16, where that is faster, from copies of them, through which
the gradients flow back. Sequences are never padded: they are cut to few lengths, and computed in the order of these.

Legend for shapes:
    N  texts     B  sequences of one length     L  their length     T  tokens of all texts
    H  width of a state     D  dimensions of a vector     M  tokens that are guessed
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tolman.models.bottleneck import Bottleneck
from tolman.models.encoder import Role
from tolman.models.head import Head
from tolman.models.language_head import LanguageHead
from tolman.models.tree import map_tensors, named_tensors
from tolman.models.trunk import Linear, PackedTrunk, Precision
from tolman.tokenization import TokenSequences

GRID = 8
"""Longer texts are cut to multiples of this many tokens, so that attention runs over few groups of sequences."""
TOKENS_AT_ONCE = 16_384
"""Of texts whose vectors are compared; beyond it, states are made again on the way back instead of being kept."""


@dataclass(frozen=True, slots=True)
class Transformer:
    """All that a transformer learns.

    Attributes:
        trunk: the blocks.
        head: pools states to a vector.
        language: guesses tokens; None where no objective needs it.
        bottleneck: for reconstruction; None where no objective needs it.
    """

    trunk: PackedTrunk
    head: Head
    language: LanguageHead | None = None
    bottleneck: Bottleneck | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """Ids that stand around a text, and for a token that is hidden.

    Attributes:
        before, after: around every sequence.
        mask: stands where a token is to be guessed; None where the tokenizer has none.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    mask: int | None

    def around(self, texts: TokenSequences, longest: int) -> TokenSequences:
        """Each text with the frame, the whole at most `longest`, and a multiple of GRID unless it is shorter."""
        extra = len(self.before) + len(self.after)
        lengths = np.minimum(texts.lengths, longest - extra)
        whole = lengths + extra
        lengths = np.where(whole >= GRID, whole // GRID * GRID - extra, lengths)
        return self.put(texts.cut(texts.offsets[:-1], lengths))

    def put(self, texts: TokenSequences) -> TokenSequences:
        """Each text with the frame."""
        first, extra = len(self.before), len(self.before) + len(self.after)
        offsets = texts.offsets + extra * np.arange(len(texts) + 1)
        ids = np.empty(offsets[-1], np.int32)
        ids[np.arange(len(texts.ids)) + np.repeat(offsets[:-1] - texts.offsets[:-1] + first, texts.lengths)] = texts.ids
        for place, token in enumerate(self.before):
            ids[offsets[:-1] + place] = token
        for place, token in enumerate(self.after):
            ids[offsets[1:] - len(self.after) + place] = token
        return TokenSequences(ids, offsets)


class LearningTransformer(nn.Module):
    """Parameters, and what objectives compute with them.

    Args:
        start: where learning begins.
        frame: around texts.
        precision: of the matrix products and, while learning, of the residual stream.
        longest: tokens of a text, its frame included, that are looked at.
        prompts: ids that stand before a text whose vector is asked for, by role.
        compiled: whether blocks are compiled, which takes half a minute and pays on a GPU.

    Attributes:
        tokens_seen: by passes so far, specials and prefixes included.
    """

    def __init__(
        self,
        start: Transformer,
        frame: Frame,
        precision: Precision,
        *,
        longest: int,
        prompts: Mapping[Role, tuple[int, ...]] | None = None,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.prompts, self.compiled = prompts or {}, compiled
        self.start, self.frame, self.precision = start, frame, precision
        self.longest = min(longest, start.trunk.max_length)
        self.tokens_seen = 0
        self.tensors = nn.ParameterDict(
            {_key(name): nn.Parameter(tensor.detach().clone()) for name, tensor in named_tensors(start)}
        )

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return len(self.start.trunk.embeddings.words_VH)

    def now(self, *, precise: bool = False) -> Transformer:
        """The model as it stands, matrices in the precision of the passes, or in float32; differentiable."""
        dtype = torch.float32 if precise else getattr(torch, self.precision)

        def current(owner: Any, name: str, _tensor: Tensor) -> Tensor:
            tensor: Tensor = self.tensors[_key(name)]
            return tensor.to(dtype) if isinstance(owner, Linear) else tensor

        return map_tensors(self.start, current)

    def forward(self, batches: Sequence[tuple[TokenSequences, Role]]) -> list[Tensor]:
        """Unit vectors (N, D) of the texts of each batch, in their order; a role is told by its prompt.

        Many texts are computed part by part, and each part again for its gradients: those of all texts together, in
        the memory of one part (GradCache, Gao et al. 2021, arXiv:2101.06983).
        """
        framed = [self.framed(texts, role) for texts, role in batches]
        tokens = sum(len(texts.ids) for texts in framed)
        self._count(tokens)
        together = tokens <= TOKENS_AT_ONCE
        return [
            self._vectors(texts, self._skipped(role), keep_states=together)
            for texts, (_, role) in zip(framed, batches, strict=True)
        ]

    def framed(self, texts: TokenSequences, role: Role) -> TokenSequences:
        """With prompt and special tokens, as they are looked at."""
        frame = replace(self.frame, before=self.frame.before + self.prompts.get(role, ()))
        return frame.around(texts, self.longest)

    def token_loss(self, ids_BL: Tensor, places_M: Tensor, targets_M: Tensor, *, causal: bool) -> Tensor:
        """Mean cross entropy in nats of `targets_M`, guessed at `places_M` of the flattened `ids_BL`."""
        now = self.now()
        self._count(ids_BL.numel())
        states_TH = self._states(now, ids_BL.reshape(-1), [ids_BL.shape[1]] * len(ids_BL), causal=causal)
        return _guess(now, states_TH[places_M], targets_M)

    def latents(self, texts: TokenSequences) -> Tensor:
        """Latent vectors (N, K, E) of `texts`, in their order."""
        return self._latents(self.now(), texts)

    def reconstruction_loss(
        self, seen: TokenSequences, written: TokenSequences, hidden: float, generator: np.random.Generator
    ) -> Tensor:
        """Mean cross entropy in nats of the tokens of `written`, each text's end included, given the latent vectors of
        `seen`; a share of what was written is hidden from the decoder."""
        now = self.now()
        order, ordered = _by_length(written)
        latents_NKE = self._latents(now, seen)[torch.from_numpy(order).to(self.device)]
        ends = np.full(len(ordered), self.frame.after[0], np.int32)
        targets_M = np.insert(ordered.ids, ordered.offsets[1:], ends)
        if hidden and self.frame.mask is not None:
            unseen = generator.random(len(ordered.ids)) < hidden
            ordered = TokenSequences(np.where(unseen, np.int32(self.frame.mask), ordered.ids), ordered.offsets)
        return _guess(now, self._writing_states(now, latents_NKE, ordered), self._ids(targets_M))

    def _writing_states(self, now: Transformer, latents_NKE: Tensor, written: TokenSequences) -> Tensor:
        """States (M, H) of the causal pass that guess each token of `written`, sorted by length, and each end."""
        assert now.bottleneck is not None
        count = latents_NKE.shape[1]
        stream = Frame((0,) * count + self.frame.before, (), None).put(written)
        prefixes = torch.from_numpy((stream.offsets[:-1, None] + np.arange(count)).ravel()).to(self.device)
        rows = now.bottleneck.rows(latents_NKE).reshape(len(prefixes), -1)
        x_TH = now.trunk.embeddings.words_VH[self._ids(stream.ids)].index_copy(0, prefixes, rows)
        lengths = stream.lengths.tolist()
        self._count(len(stream.ids))
        x_TH = now.trunk.embeddings.finish(x_TH, lengths).to(getattr(torch, self.precision))
        guessing = np.ones(len(stream.ids), bool)
        guessing[(stream.offsets[:-1, None] + np.arange(count + len(self.frame.before) - 1)).ravel()] = False
        return now.trunk.through(x_TH, lengths, causal=True, compiled=self.compiled)[
            torch.from_numpy(guessing).to(self.device)
        ]

    def _latents(self, now: Transformer, texts: TokenSequences) -> Tensor:
        assert now.bottleneck is not None
        order, ordered = _by_length(self.frame.put(texts))
        lengths = ordered.lengths.tolist()
        self._count(len(ordered.ids))
        latents_NKE = now.bottleneck.latents(self._states(now, self._ids(ordered.ids), lengths), lengths)
        return latents_NKE[torch.from_numpy(np.argsort(order)).to(self.device)]

    def _vectors(self, framed: TokenSequences, skipped: int, *, keep_states: bool) -> Tensor:
        order, ordered = _by_length(framed)
        parts = []
        for first, last in _parts(ordered.lengths):
            part = ordered.only(np.arange(first, last))
            if keep_states or not torch.is_grad_enabled():
                parts.append(self._pooled(part, skipped, self.compiled))
            else:  # not compiled: of another size, code made meanwhile would keep other states the second time
                parts.append(checkpoint(self._pooled, part, skipped, False, use_reentrant=False))
        return torch.cat(parts)[torch.from_numpy(np.argsort(order)).to(self.device)]

    def _pooled(self, framed: TokenSequences, skipped: int, compiled: bool) -> Tensor:
        now, lengths = self.now(), framed.lengths.tolist()
        states_TH = self._states(now, self._ids(framed.ids), lengths, compiled=compiled)
        return now.head(states_TH, lengths, skipped)

    def _skipped(self, role: Role) -> int:
        """Tokens before a text that a head without its prompt doesn't pool; as `TransformerEncoder` has it."""
        return len(self.frame.before) + len(self.prompts[role]) if self.prompts.get(role) else 0

    def _states(
        self,
        model: Transformer,
        ids_T: Tensor,
        lengths: Sequence[int],
        *,
        causal: bool = False,
        compiled: bool | None = None,
    ) -> Tensor:
        x_TH = model.trunk.embeddings(ids_T, lengths).to(getattr(torch, self.precision))
        return model.trunk.through(
            x_TH, lengths, causal=causal, compiled=self.compiled if compiled is None else compiled
        )

    def _count(self, tokens: int) -> None:
        if torch.is_grad_enabled():  # who only looks learns nothing
            self.tokens_seen += tokens

    def _ids(self, ids_T: NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(ids_T.astype(np.int64)).to(self.device)


def _guess(model: Transformer, states_MH: Tensor, targets_M: Tensor) -> Tensor:
    assert model.language is not None
    return model.language.loss(states_MH, model.trunk.embeddings.words_VH, targets_M)


def _by_length(texts: TokenSequences) -> tuple[NDArray[np.int64], TokenSequences]:
    order = np.argsort(texts.lengths, kind="stable")
    return order, texts.only(order)


def _parts(lengths_N: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """(first, last) of consecutive texts that are computed together."""
    first = tokens = 0
    for place, length in enumerate(lengths_N):
        if place > first and tokens + length > TOKENS_AT_ONCE:
            yield first, place
            first, tokens = place, 0
        tokens += int(length)
    if first < len(lengths_N):
        yield first, len(lengths_N)


def _key(name: str) -> str:
    """A parameter's name may hold no point."""
    return name.replace(".", "/")
