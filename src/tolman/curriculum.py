"""A corpus made ready for a transformer to learn from, by each of the four objectives."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from tokenizers import Tokenizer

from tolman.corpus.pairs import heads_and_bodies
from tolman.corpus.passages import sentences
from tolman.counting import counted
from tolman.errors import BudgetError, SourceError
from tolman.judge import Exam
from tolman.models.learning_transformer import Frame
from tolman.objectives.autoencoding import Autoencoding
from tolman.objectives.causal import Causal
from tolman.objectives.contrastive import Contrastive, HeadsAndBodies, PairSource, SpansAndDocuments
from tolman.objectives.masked import Masked
from tolman.objectives.objective import Objective
from tolman.objectives.windows import USUALLY_ALONE, Windows
from tolman.tokenization import TokenSequences, tokenize_text

_SHORTEST_HEAD, _SHORTEST_BODY = 2, 4  # tokens
_SENTENCE = 3, 48  # tokens, fewest and most of a text that is to be written again
_HEADS_SHARE = 0.5
_DOCUMENT_DROPOUT = 0.1
_ENOUGH = 0.2  # of a budget may go into what comes before learning


class Numbers(Protocol):
    """What objectives take from a recipe; `tolman.recipe` says what each is."""

    @property
    def dim(self) -> int: ...  # noqa: D102
    @property
    def window(self) -> int: ...  # noqa: D102
    @property
    def tokens(self) -> int: ...  # noqa: D102
    @property
    def pairs(self) -> int: ...  # noqa: D102
    @property
    def stretch(self) -> int: ...  # noqa: D102
    @property
    def temperature(self) -> float: ...  # noqa: D102
    @property
    def masked_alone(self) -> float: ...  # noqa: D102
    @property
    def masked_cuts(self) -> Sequence[int]: ...  # noqa: D102


@dataclass(frozen=True)
class Curriculum:
    """Tokens of everything that is learned from.

    Attributes:
        documents: whole.
        heads, bodies: of the pairs that the corpus gives away.
        kind: what those are.
        sentences: of a length that can be written again.
        frame: around every text.
        vocabulary: V.
    """

    documents: TokenSequences
    heads: TokenSequences
    bodies: TokenSequences
    kind: str
    sentences: TokenSequences
    frame: Frame
    vocabulary: int

    @classmethod
    def prepare(cls, exam: Exam, tokenizer: Tokenizer, frame: Frame) -> "Curriculum":
        """Tokenise, pair, cut into sentences."""
        heads, bodies, kind = heads_and_bodies(exam.titles, exam.texts)
        head_tokens, body_tokens = tokenize_text(tokenizer, heads), tokenize_text(tokenizer, bodies)
        fit = np.flatnonzero((head_tokens.lengths >= _SHORTEST_HEAD) & (body_tokens.lengths >= _SHORTEST_BODY))
        cut = tokenize_text(tokenizer, (text[slice(*span)] for text in exam.texts for span in sentences(text)))
        short = np.flatnonzero((cut.lengths >= _SENTENCE[0]) & (cut.lengths <= _SENTENCE[1]))
        return cls(
            tokenize_text(tokenizer, exam.contents),
            head_tokens.only(fit),
            body_tokens.only(fit),
            kind,
            cut.only(short),
            frame,
            tokenizer.get_vocab_size(),
        )

    def objectives(self, weights: Mapping[str, float], recipe: Numbers) -> list[tuple[float, Objective[Any]]]:
        """Those asked for, each with its weight."""
        return [(weight, OBJECTIVES[name](self, recipe)) for name, weight in weights.items()]

    def require(self, objectives: Sequence[tuple[float, Objective[Any]]], recipe: Numbers) -> None:
        """Refuse a corpus that gives one of the objectives nothing to learn by.

        Raises:
            SourceError: its text is too little.
        """
        lacking = [objective.name for _, objective in objectives if not objective.possible]
        if lacking:
            raise SourceError(
                f"too little text to learn {' and '.join(lacking)} by: {counted(len(self.documents.ids), 'token')} in "
                f"{counted(len(self.documents), 'document')}, sequences have {recipe.window}; expected more text or, "
                "from nothing, a smaller --size"
            )

    def windows(
        self, recipe: Numbers, *, extra: int = 0, alone: float = USUALLY_ALONE, cuts: Sequence[int] = (1,)
    ) -> Windows:
        """As many as hold the tokens of a batch, each `extra` longer than the longest sequence."""
        length = recipe.window + extra
        return Windows.of(
            self.documents,
            self.frame,
            batch=max(1, recipe.tokens // recipe.window),
            length=length,
            vocabulary=self.vocabulary,
            sentences=self.sentences,
            share=alone,
            cuts=cuts,
        )


def _contrastive(curriculum: Curriculum, recipe: Numbers) -> Contrastive:
    whole = curriculum.documents.only(np.flatnonzero(curriculum.documents.lengths >= _SHORTEST_BODY))
    sources: list[tuple[float, PairSource]] = [
        (_HEADS_SHARE, HeadsAndBodies(curriculum.heads, curriculum.bodies, recipe.pairs)),
        (1 - _HEADS_SHARE, SpansAndDocuments(whole, recipe.pairs)),
    ]
    return Contrastive(
        sources,
        prefixes=[recipe.dim // 4, recipe.dim],
        temperature=recipe.temperature,
        document_dropout=_DOCUMENT_DROPOUT,
        longest=recipe.stretch,
    )


OBJECTIVES: Mapping[str, Callable[[Curriculum, Numbers], Objective[Any]]] = {
    "masked": lambda curriculum, recipe: Masked(
        curriculum.windows(recipe, alone=recipe.masked_alone, cuts=recipe.masked_cuts)
    ),
    "causal": lambda curriculum, recipe: Causal(curriculum.windows(recipe, extra=1)),
    "autoencoding": lambda curriculum, recipe: Autoencoding(curriculum.sentences, recipe.tokens // 2),
    "contrastive": _contrastive,
}
"""What `--objectives` may name."""


def require_time(ended: float, seconds: float) -> None:
    """Refuse to begin learning when the budget is over.

    Args:
        ended: the moment of `time.monotonic` at which it is.
        seconds: all of it.

    Raises:
        BudgetError: it is.
    """
    late = time.monotonic() - ended
    if late >= 0:
        needed = math.ceil((seconds + late) / _ENOUGH)
        raise BudgetError(
            f"the budget of {seconds:g} s went into tokenising, no time is left to learn: give more, e.g. --budget "
            f"{needed}s"
        )
