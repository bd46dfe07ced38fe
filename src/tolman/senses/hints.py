"""`bank~river` in a query: the sense of `bank` that `river` belongs to; `bank~2`: sense number 2.

A word, a tilde and a hint with no space between them mean a sense, if the word has several in the space and the hint
belongs to one of them. Everything else is text, as it always was: `~5 minutes`, `~/notes`, `a ~ b`, names with a tilde.
Why a hint chose nothing is said in a note, and the search goes on without it: a file of queries that people wrote holds
tildes that mean nothing.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tolman.counting import counted
from tolman.errors import QueryError
from tolman.models.encoder import Floats

if TYPE_CHECKING:
    from tolman.senses.word_senses import WordSenses
    from tolman.space.space import LatentSpace

_ASKED = re.compile(r"""(?<![^\s("'])([^\W\d_]\w*)~(\w+)(?=[\s)"'.,;:?!]|$)""")
_FEWEST_TOGETHER = 3  # occurrences with the hint beside them, from which on these tell
_CLEAR_TOGETHER = 2.0  # standard deviations
_CLEAR_MARGIN = 0.03  # of cosines


@dataclass(frozen=True, slots=True)
class ChosenSense:
    """What became of one `word~hint` of a query.

    Attributes:
        word, hint: as asked, in lower case.
        number: of the sense; None: none was chosen.
        words: what stands near the word in that sense.
        note: "" where one was chosen; else why not.
    """

    word: str
    hint: str
    number: int | None
    words: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class SensedQuery:
    """A query with the senses that it asks for.

    Attributes:
        text: to be searched: as asked, hints that chose a sense left out.
        chosen: for each `word~hint` in it.
        documents: ids of those in which every word that a sense was chosen for stands in it; None: none was chosen.
    """

    text: str
    chosen: tuple[ChosenSense, ...] = ()
    documents: frozenset[str] | None = None


def read_senses(space: "LatentSpace", query: str) -> SensedQuery:
    """Find the senses that `query` asks for. A query without a tilde costs nothing.

    Raises:
        SpaceError, ModelError: the space is damaged.
    """
    if "~" not in query:
        return SensedQuery(query)
    chosen: list[ChosenSense] = []
    documents: frozenset[str] | None = None
    text, done = "", 0
    for match in _ASKED.finditer(query):
        choice, found = _choose(space, match[1].lower(), match[2].lower())
        chosen.append(choice)
        if found is not None:
            documents = found if documents is None else documents & found
            text, done = text + query[done : match.start()] + match[1], match.end()
    return SensedQuery(text + query[done:], tuple(chosen), documents)


def _choose(space: "LatentSpace", word: str, hint: str) -> tuple[ChosenSense, frozenset[str] | None]:
    from tolman.senses.finding import find_senses

    try:
        senses = find_senses(space, word)
        number = int(hint) if hint.isdecimal() else fitting_sense(space, senses, hint)
        sense = senses.sense(number)
    except QueryError as error:
        return ChosenSense(word, hint, None, note=str(error)), None
    return ChosenSense(word, hint, number, sense.words), frozenset(senses.documents_of(number))


def fitting_sense(space: "LatentSpace", senses: "WordSenses", hint: str) -> int:
    """The number of the sense that `hint` belongs to.

    By how often it stands beside the word in each sense, if it does so at all; else by how near it is, in the latent
    space, to the typical contexts of each.

    Raises:
        QueryError: the word has one sense, or the hint fits none better than the others.
    """
    from tolman.senses.neighbourhood import more_often

    if len(senses) == 1:
        raise QueryError(f"{senses.word!r} has one sense here: {hint!r} chooses nothing")
    beside_S = _beside(space, senses, hint)
    size_S = np.array([sense.size for sense in senses.senses], np.float64)
    if beside_S.sum() >= _FEWEST_TOGETHER:
        surely_S = more_often(beside_S, size_S, beside_S.sum() - beside_S, size_S.sum() - size_S)
        if surely_S.max() >= _CLEAR_TOGETHER:
            return int(surely_S.argmax()) + 1
    near_S = _nearness(space, senses, hint)
    first, second = np.sort(near_S)[::-1][:2]
    if first - second >= _CLEAR_MARGIN:
        return int(near_S.argmax()) + 1
    raise QueryError(
        f"{hint!r} fits no sense of {senses.word!r} better than the others: {_listed(senses)}; choose one by its number"
    )


def _beside(space: "LatentSpace", senses: "WordSenses", hint: str) -> Floats:
    """How many occurrences of each sense (S,) have the hint in sight."""
    from tolman.senses.contexts import SIGHT, Window
    from tolman.senses.occurrences import Place, find_places, one_word

    try:
        found = find_places(space, one_word(hint))
    except QueryError:
        return np.zeros(len(senses))
    held = {place.document: place.content for place in found.places}
    hinted: dict[str, list[tuple[int, int]]] = {}
    for place in found.places:
        hinted.setdefault(place.document, []).append((place.start, place.end))
    counts_S = np.zeros(len(senses))
    for occurrence in senses.occurrences:
        if occurrence.id in held:
            place = Place(occurrence.id, held[occurrence.id], occurrence.start, occurrence.end)
            window = Window.of(place, SIGHT)
            first = occurrence.start - window.start
            last = first + len(window.text)
            counts_S[occurrence.sense - 1] += any(a >= first and b <= last for a, b in hinted[occurrence.id])
    return counts_S


def _nearness(space: "LatentSpace", senses: "WordSenses", hint: str) -> Floats:
    """Cosine (S,) of the hint and the middle of each sense's typical contexts."""
    hint_D = space.encoder.encode([hint], "query")[0]
    middles_SD = []
    for sense in senses.senses:
        contexts = space.encoder.encode([" ".join(sense.words), *(example.text for example in sense.examples)])
        middles_SD.append(contexts.mean(axis=0))
    return np.array([hint_D @ middle_D / max(float(np.linalg.norm(middle_D)), 1e-12) for middle_D in middles_SD])


def _listed(senses: "WordSenses") -> str:
    """ "1 (rates, low), 2 (group, company)"."""
    said = [f"{sense.number} ({', '.join(sense.words[:3])})" for sense in senses.senses]
    return f"{counted(len(said), 'sense')}, {', '.join(said)}"
