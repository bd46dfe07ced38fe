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

from tolman.confidence import Numbers
from tolman.counting import counted
from tolman.errors import QueryError

if TYPE_CHECKING:
    from tolman.senses.word_senses import WordSenses
    from tolman.space.space import LatentSpace

_ASKED = re.compile(r"""(?<![^\s("'])([^\W\d_]\w*)~(\w+)(?=[\s)"'.,;:?!]|$)""")
_BESIDE = 200  # characters
_FEWEST_TOGETHER = 3  # occurrences with the hint beside them, from which on these tell
_CLEAR_TOGETHER = 2.0  # standard deviations
_WORDS_OF_A_NUMBER = 3
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
        text: to be searched: as asked, with a space for the tilde after a word that has senses; a number that chose
            one stands for the words that tell it.
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
        word, hint = match.groups()
        senses, choice = _choose(space, word.lower(), hint.lower())
        chosen.append(choice)
        if choice.number is not None and senses is not None:
            found = frozenset(senses.documents_of(choice.number))
            documents = found if documents is None else documents & found
            hint = " ".join(choice.words[:_WORDS_OF_A_NUMBER]) if hint.isdecimal() else hint
        if senses is not None:
            text, done = f"{text}{query[done : match.start()]}{word} {hint}", match.end()
    return SensedQuery(text + query[done:], tuple(chosen), documents)


def _choose(space: "LatentSpace", word: str, hint: str) -> "tuple[WordSenses | None, ChosenSense]":
    """The senses of the word, None where it can't have any, and which of them the hint chooses."""
    from tolman.senses.finding import find_senses

    senses = None
    try:
        senses = find_senses(space, word)
        number = int(hint) if hint.isdecimal() else fitting_sense(space, senses, hint)
        sense = senses.sense(number)
    except QueryError as error:
        return senses, ChosenSense(word, hint, None, note=str(error))
    return senses, ChosenSense(word, hint, number, sense.words)


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


def _beside(space: "LatentSpace", senses: "WordSenses", hint: str) -> Numbers:
    """How many occurrences of each sense (S,) have the hint beside them."""
    from tolman.senses.occurrences import find_places, one_word

    try:
        found = find_places(space, one_word(hint))
    except QueryError:
        return np.zeros(len(senses))
    hinted: dict[str, list[int]] = {}
    for place in found.places:
        hinted.setdefault(place.document, []).append(place.start)
    counts_S = np.zeros(len(senses))
    for occurrence in senses.occurrences:
        starts = hinted.get(occurrence.id, ())
        counts_S[occurrence.sense - 1] += any(abs(start - occurrence.start) <= _BESIDE for start in starts)
    return counts_S


def _nearness(space: "LatentSpace", senses: "WordSenses", hint: str) -> Numbers:
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
