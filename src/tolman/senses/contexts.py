"""What a word means at one place, as two vectors: what it has become there, and what is said around it.

A transformer gives both: the mean state of the word's own tokens, and that of all tokens in sight. A static encoder
knows no word in context; there the first is the vector of the few words beside it, the nearer the more often counted,
and the second that of many. A blend has those of its transformers, side by side; beside one a static encoder was
measured to do harm, so it is asked only where there is no other.

The two vectors are centred and scaled to unit length each, then count the same. The word's own state is centred form by
form (`serve`, `served`): inflection is grammar and no sense, and without this it is what the largest clusters are.

Legend for shapes:
    N  occurrences     D  dimensions
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tolman.corpus.passages import words
from tolman.models.encoder import Encoder, Floats, unit
from tolman.senses.occurrences import Place

if TYPE_CHECKING:
    from tolman.models.blended import BlendedEncoder
    from tolman.models.transformer import TransformerEncoder

SIGHT = 40  # words on either side
_NEAR = (1, 2, 3, 5, 8, 12)  # words on either side of what is beside a word, for static encoders
_TOGETHER = 512  # windows whose states are held at a time
_FEWEST_OF_A_FORM = 20  # occurrences that have a mean of their own


@dataclass(frozen=True, slots=True)
class Contexts:
    """Of N occurrences.

    Attributes:
        own_ND: unit vectors of the word as it is there.
        around_ND: unit vectors of what stands around it.
    """

    own_ND: Floats
    around_ND: Floats

    def joined(self, forms: Sequence[str]) -> Floats:
        """Unit vectors of both, centred; `forms` are those of the word at each place."""
        return unit(np.hstack([unit(_centred(self.own_ND, forms)), unit(_centred(self.around_ND, []))]))


@dataclass(frozen=True, slots=True)
class Window:
    """A place with what is in sight of it.

    Attributes:
        text: of the document around the word.
        start, end: of the word in it.
    """

    text: str
    start: int
    end: int

    @classmethod
    def of(cls, place: Place, sight: int = SIGHT) -> "Window":
        """At most `sight` words on either side."""
        end = place.at + place.end - place.start
        before = words(place.piece[: place.at])[-sight:]
        after = words(place.piece[end:])[:sight]
        first = before[0][0] if before else place.at
        last = end + after[-1][1] if after else end
        return cls(place.piece[first:last], place.at - first, end - first)

    def without_word(self, sight: int) -> str:
        """At most `sight` words on either side, the word itself left out."""
        before, after = words(self.text[: self.start])[-sight:], words(self.text[self.end :])[:sight]
        left = self.text[before[0][0] : self.start] if before else ""
        return f"{left} {self.text[self.end : self.end + after[-1][1]] if after else ''}"


def contexts_of(encoder: Encoder, places: Sequence[Place]) -> Contexts:
    """Both vectors of every place, by the encoder of the space."""
    return _contexts(encoder, [Window.of(place) for place in places])


def _contexts(encoder: Encoder, windows: Sequence[Window]) -> Contexts:
    if encoder.family == "blended":
        blend: BlendedEncoder = encoder  # type: ignore[assignment]
        weighed = list(zip(blend.parts, blend.weights, strict=True))
        knowing = [(part, weight) for part, weight in weighed if part.family != "static" and weight > 0] or weighed
        scales = [math.sqrt(weight) for _, weight in knowing]
        parts = [_contexts(part, windows) for part, _ in knowing]
        return Contexts(
            _side_by_side([part.own_ND for part in parts], scales),
            _side_by_side([part.around_ND for part in parts], scales),
        )
    return _of_states(encoder, windows) if encoder.family == "transformer" else _of_words(encoder, windows)  # type: ignore[arg-type]


def _of_states(encoder: "TransformerEncoder", windows: Sequence[Window]) -> Contexts:
    own, around = [], []
    for block in range(0, len(windows), _TOGETHER):
        some = windows[block : block + _TOGETHER]
        for window, states in zip(some, encoder.tokens_many([window.text for window in some]), strict=True):
            inside = [start < window.end and end > window.start for start, end in states.spans]
            around.append(states.vectors_TD.mean(axis=0))
            own.append(states.vectors_TD[inside].mean(axis=0) if any(inside) else around[-1])
    return Contexts(unit(np.array(own, np.float32)), unit(np.array(around, np.float32)))


def _of_words(encoder: Encoder, windows: Sequence[Window]) -> Contexts:
    near = sum(encoder.encode([window.without_word(sight) for window in windows]) for sight in _NEAR)
    assert not isinstance(near, int)
    return Contexts(unit(near), encoder.encode([window.without_word(SIGHT) for window in windows]))


def _side_by_side(vectors: Iterable[Floats], scales: Sequence[float]) -> Floats:
    return unit(np.hstack([scale * part_ND for part_ND, scale in zip(vectors, scales, strict=True)]))


def _centred(vectors_ND: Floats, forms: Sequence[str]) -> Floats:
    """Less the mean; less that of their own form, where a form has enough of them."""
    centred_ND: Floats = vectors_ND - vectors_ND.mean(axis=0)
    form_N = np.array(forms)
    for form in sorted(set(forms)):
        of_form_N = form_N == form
        if of_form_N.sum() >= _FEWEST_OF_A_FORM:
            centred_ND[of_form_N] = vectors_ND[of_form_N] - vectors_ND[of_form_N].mean(axis=0)
    return centred_ND
