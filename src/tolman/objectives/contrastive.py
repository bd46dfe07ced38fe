"""Contrastive learning: the two halves of a pair belong together, all other halves of the batch don't.

Symmetric InfoNCE with in-batch negatives (van den Oord et al. 2018, arXiv:1807.03748; Radford et al. 2021,
arXiv:2103.00020) over the pairs that a corpus gives away for free, at several prefixes of the vector at once, so that
it can be cut short later (Matryoshka, Kusupati et al. 2022, arXiv:2205.13147).

Legend for shapes:
    B  pairs of a batch
    D  dimensions
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tolman.models.encoder import Role
from tolman.tokenization import TokenSequences


class ContrastiveModel(Protocol):
    """What this objective needs of a model."""

    def __call__(self, batches: Sequence[tuple[TokenSequences, Role]]) -> list[Tensor]:
        """Unit vectors (B, D) of each batch."""
        ...


class PairSource(Protocol):
    """Draws pairs of a text and a document that belong together."""

    def __len__(self) -> int:
        """How many pairs a batch has."""
        ...

    def draw(self, generator: np.random.Generator) -> tuple[TokenSequences, TokenSequences]:
        """(queries, documents), as many of one as of the other."""
        ...


@dataclass(frozen=True)
class Contrastive:
    """InfoNCE over one or several pair sources.

    Attributes:
        sources: each with its share of the batches.
        temperature: of the softmax over cosines.
        prefixes: dimensions at which the loss is taken; the last is D.
        query_dropout, document_dropout: share of tokens left out at random. Documents stand more than queries.
        longest: tokens of a text; of a longer one a stretch from anywhere in it is taken. None takes all of it.
    """

    sources: Sequence[tuple[float, PairSource]]
    prefixes: Sequence[int]
    temperature: float = 0.08
    query_dropout: float = 0.0
    document_dropout: float = 0.6
    longest: int | None = None

    name = "contrastive"

    @property
    def possible(self) -> bool:
        """Whether there are two pairs to tell apart: of fewer the loss is 0, of none no number."""
        return bool(self._sources)

    @property
    def _sources(self) -> Sequence[tuple[float, PairSource]]:
        return [(share, source) for share, source in self.sources if len(source) > 1]

    def loss(self, model: ContrastiveModel, generator: np.random.Generator) -> Tensor:
        """Mean loss over prefixes and both directions, in nats a pair."""
        sources = self._sources
        shares = np.array([share for share, _ in sources])
        _, source = sources[generator.choice(len(shares), p=shares / shares.sum())]
        queries, documents = source.draw(generator)
        if self.longest is not None:
            queries, documents = (texts.cropped(self.longest, generator) for texts in (queries, documents))
        queries = queries.without(self.query_dropout, generator)
        documents = documents.without(self.document_dropout, generator)
        queries_BD, documents_BD = model([(queries, "query"), (documents, "document")])
        losses = [self._at(queries_BD[:, :dim], documents_BD[:, :dim]) for dim in self.prefixes]
        return torch.stack(losses).mean()

    def _at(self, queries_BD: Tensor, documents_BD: Tensor) -> Tensor:
        cosines_BB = functional.normalize(queries_BD, dim=1) @ functional.normalize(documents_BD, dim=1).T
        own_B = torch.arange(len(cosines_BB), device=cosines_BB.device)
        logits_BB = cosines_BB / self.temperature
        return (functional.cross_entropy(logits_BB, own_B) + functional.cross_entropy(logits_BB.T, own_B)) / 2


@dataclass(frozen=True)
class HeadsAndBodies:
    """(title, body), or (first sentence, rest) where a corpus has no titles."""

    heads: TokenSequences
    bodies: TokenSequences
    batch: int

    def __len__(self) -> int:
        return min(self.batch, len(self.heads))

    def draw(self, generator: np.random.Generator) -> tuple[TokenSequences, TokenSequences]:
        """Pairs of whole heads and whole bodies."""
        rows = generator.choice(len(self.heads), len(self), replace=False)
        return self.heads.only(rows), self.bodies.only(rows)


@dataclass(frozen=True)
class SpansAndDocuments:
    """(a random span, the document it stands in): the inverse cloze task of Lee et al. 2019 (arXiv:1906.00300), span
    kept in.

    Attributes:
        shortest, longest: tokens of a span.
    """

    documents: TokenSequences
    batch: int
    shortest: int = 4
    longest: int = 32

    def __len__(self) -> int:
        return min(self.batch, len(self.documents))

    def draw(self, generator: np.random.Generator) -> tuple[TokenSequences, TokenSequences]:
        """Pairs of spans and whole documents."""
        rows = generator.choice(len(self.documents), len(self), replace=False)
        lengths = self.documents.lengths[rows]
        spans = np.minimum(generator.integers(self.shortest, self.longest + 1, len(rows)), lengths)
        starts = self.documents.offsets[rows] + (generator.random(len(rows)) * (lengths - spans + 1)).astype(np.int64)
        return self.documents.cut(starts, spans), self.documents.only(rows)


@dataclass(frozen=True)
class SpansAndSpans:
    """The two spans that a document is cut into at a random place between a third and two thirds of it."""

    documents: TokenSequences
    batch: int

    def __len__(self) -> int:
        return min(self.batch, len(self.documents))

    def draw(self, generator: np.random.Generator) -> tuple[TokenSequences, TokenSequences]:
        """Pairs of spans that don't overlap; in half of the batches the second ones are the queries."""
        rows = generator.choice(len(self.documents), len(self), replace=False)
        starts, lengths = self.documents.offsets[rows], self.documents.lengths[rows]
        firsts = np.maximum(1, (lengths * generator.uniform(1 / 3, 2 / 3, len(rows))).astype(np.int64))
        halves = self.documents.cut(starts, firsts), self.documents.cut(starts + firsts, lengths - firsts)
        return halves if generator.random() < 0.5 else halves[::-1]
