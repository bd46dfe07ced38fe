"""Finding the senses of a word: its places, what each is like, which are alike, and what tells them apart.

Legend for shapes:
    N  occurrences     D  dimensions
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tolman.counting import counted
from tolman.errors import QueryError
from tolman.models.encoder import Floats
from tolman.neighbours import Ints
from tolman.progress import Progress, Silent
from tolman.senses import cache
from tolman.senses.contexts import Window, contexts_of
from tolman.senses.induction import Partition, partition
from tolman.senses.neighbourhood import telling_words
from tolman.senses.occurrences import Place, Places, draw_places, find_places, one_word
from tolman.senses.word_senses import Example, Occurrence, Sense, WordSenses

if TYPE_CHECKING:
    from tolman.space.space import LatentSpace

FEWEST_OCCURRENCES = 10
EXAMPLES = 5
NEAR_WORDS = 12
_DRAWN = 1_000  # places in the whole space that a sense's words are compared with
_CONTEXT = 12  # words on either side of an example


def find_senses(
    space: "LatentSpace", word: str, *, exact: bool = False, progress: Progress | None = None
) -> WordSenses:
    """The senses of `word` in `space`, from `derived/` where they were found before.

    Args:
        space: where.
        word: one word, in any case.
        exact: True: only occurrences in just this form; False: also those of the forms that full text takes as the same
            word.
        progress: who watches.

    Raises:
        QueryError: it is no single word, no document has it, or it is too rare to have senses told apart.
        SpaceError, ModelError: the space is damaged.
    """
    word = one_word(word)
    file = cache.file_of(space, word, exact)
    kept = cache.load(file)
    if kept is not None:
        return kept
    found = find_places(space, word, exact=exact)
    if len(found.places) < FEWEST_OCCURRENCES:
        if not found.places:
            raise QueryError(f"no document of {space.path} has the word {word!r}")
        times = counted(len(found.places), "time")
        raise QueryError(
            f"{word!r} stands in {space.path} only {times}: to tell its senses apart takes {FEWEST_OCCURRENCES}"
        )
    watched = progress or Silent()
    watched.start(f"reading what stands around {counted(len(found.places), 'occurrence')}")
    vectors_ND = contexts_of(space.encoder, found.places).joined([place.form for place in found.places])
    anywhere = [Window.of(place) for place in draw_places(space, _DRAWN)]
    watched.start("telling senses apart")
    parts = partition(vectors_ND)
    told = telling_words(
        [Window.of(place) for place in found.places],
        parts.sense_N,
        anywhere,
        found.forms,
        most=NEAR_WORDS,
        is_function_word=lambda word: not len(space.store.lexical(word, 1)[0]),
    )
    senses = _described(word, found, vectors_ND, parts, told)
    cache.store(file, senses)
    return senses


def _described(
    word: str, found: Places, vectors_ND: Floats, parts: Partition, told: Sequence[tuple[str, ...]]
) -> WordSenses:
    places = found.places
    senses = []
    for s in range(int(parts.sense_N.max()) + 1):
        rows = np.flatnonzero(parts.sense_N == s)
        examples = _typical(places, rows, vectors_ND)
        mean = float(parts.confidence_N[rows].mean())
        senses.append(Sense(s + 1, len(rows), len(rows) / len(places), told[s], examples, mean))
    occurrences = tuple(
        Occurrence(place.document, place.start, place.end, int(sense) + 1, round(float(sure), 4))
        for place, sense, sure in zip(places, parts.sense_N, parts.confidence_N, strict=True)
    )
    return WordSenses(word, found.forms, tuple(senses), occurrences, found.documents, found.whole)


def _typical(places: Sequence[Place], rows: Ints, vectors_ND: Floats) -> tuple[Example, ...]:
    """Contexts nearest to the middle of a sense, one a document."""
    middle_D = vectors_ND[rows].mean(axis=0)
    nearest = rows[np.argsort(-(vectors_ND[rows] @ middle_D), kind="stable")]
    examples: dict[str, Example] = {}
    for row in nearest.tolist():
        if len(examples) == EXAMPLES:
            break
        window = Window.of(places[row], _CONTEXT)
        example = Example(places[row].document, window.text, window.start, window.end)
        if example.text not in {other.text for other in examples.values()}:
            examples.setdefault(places[row].document, example)
    return tuple(examples.values())
