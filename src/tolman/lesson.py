"""A corpus made ready to learn a static encoder from: tokens, pairs, and where the model starts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from tokenizers import Tokenizer

from tolman.corpus.pairs import heads_and_bodies
from tolman.judge import Exam
from tolman.models.encoder import Floats
from tolman.models.lsa import latent_semantic_table
from tolman.models.static import TermSaturation
from tolman.models.static_trunk import StaticTrunk
from tolman.objectives.contrastive import Contrastive, HeadsAndBodies, PairSource, SpansAndDocuments, SpansAndSpans
from tolman.recipe import ScratchRecipe
from tolman.tokenization import TokenSequences, tokenize, train_tokenizer

_SHORTEST_HEAD, _SHORTEST_BODY = 2, 4  # tokens
_SHORT = 48  # tokens


@dataclass
class Lesson:
    """What is learned from.

    Attributes:
        recipe: with the dimensions that the corpus allows.
        tokenizer: trained on it.
        documents: all, tokenised.
        heads, bodies: of the pairs that are long enough.
        kind: what heads and bodies are.
    """

    recipe: ScratchRecipe
    tokenizer: Tokenizer
    documents: TokenSequences
    heads: TokenSequences
    bodies: TokenSequences
    kind: str
    table_VD: Floats
    importance_V: Floats
    saturation: TermSaturation

    @classmethod
    def prepare(cls, exam: Exam, recipe: ScratchRecipe, seed: int) -> "Lesson":
        """Tokenise, factorise, pair."""
        contents = exam.contents
        tokenizer = train_tokenizer(contents, vocabulary=recipe.vocabulary)
        documents = tokenize(tokenizer, contents)
        saturation = TermSaturation(max(1.0, float(documents.lengths.mean())))
        table_VD, importance_V = latent_semantic_table(
            documents, tokenizer.get_vocab_size(), recipe.dim, saturation, seed=seed
        )
        recipe = replace(recipe, dim=table_VD.shape[1])
        pairs = paired(exam, tokenizer)
        return cls(recipe, tokenizer, documents, *pairs, table_VD, importance_V, saturation)

    def narrowed(self, dim: int) -> "Lesson":
        """The same with the first `dim` dimensions of the start."""
        return replace(
            self, recipe=replace(self.recipe, dim=dim), table_VD=np.ascontiguousarray(self.table_VD[:, :dim])
        )

    @property
    def paired(self) -> bool:
        """Whether there are pairs to learn from beyond spans and documents."""
        return len(self.heads) >= 2

    @property
    def pairs(self) -> str:
        """For people."""
        return "pairs of two spans" if self.in_spans else f"{len(self.heads):,} pairs of {self.kind}"

    def trunk(self) -> StaticTrunk:
        """The model at its start."""
        return StaticTrunk(self.table_VD, self.importance_V, self.saturation)

    @property
    def in_spans(self) -> bool:
        """Whether documents are cut into two spans: most are so short that a span is nearly all of one, and less than
        half have a head and a body."""
        return float(np.median(self.documents.lengths)) < _SHORT and len(self.heads) < len(self.documents) / 2

    def objective(self, recipe: ScratchRecipe) -> Contrastive:
        """Pairs of heads and bodies, and of spans and documents, in the shares of `recipe`.

        Short documents of which less than half have a head and a body are cut into two spans instead: a span would
        nearly be its document, and the few pairs there are say nothing about the others.
        """
        whole = self.documents.only(np.flatnonzero(self.documents.lengths >= _SHORTEST_BODY))
        sources: list[tuple[float, PairSource]] = [
            (recipe.heads_share if self.paired else 0.0, HeadsAndBodies(self.heads, self.bodies, recipe.batch)),
            (1 - recipe.heads_share if self.paired else 1.0, SpansAndDocuments(whole, recipe.batch)),
        ]
        if self.in_spans:
            sources = [(1.0, SpansAndSpans(whole, recipe.batch))]
        return Contrastive(
            [(part, source) for part, source in sources if part > 0],
            prefixes=_prefixes(recipe.dim),
            temperature=recipe.temperature,
            query_dropout=recipe.query_dropout,
            document_dropout=recipe.document_dropout,
        )


def paired(exam: Exam, tokenizer: Tokenizer) -> tuple[TokenSequences, TokenSequences, str]:
    """(heads, bodies, what they are) of the pairs that are long enough."""
    heads, bodies, kind = heads_and_bodies(exam.titles, exam.texts)
    head_tokens, body_tokens = tokenize(tokenizer, heads), tokenize(tokenizer, bodies)
    fit = np.flatnonzero((head_tokens.lengths >= _SHORTEST_HEAD) & (body_tokens.lengths >= _SHORTEST_BODY))
    return head_tokens.only(fit), body_tokens.only(fit), kind


def _prefixes(dim: int) -> Sequence[int]:
    return [dim // 4, dim] if dim >= 128 else [dim]
