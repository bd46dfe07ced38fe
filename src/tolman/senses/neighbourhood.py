"""Which words tell a sense: those that stand near the word in this sense rather than in the others, or near any word.

By the z-score of the log-odds ratio with a prior (Monroe, Colaresi and Quinn 2008, doi:10.1093/pan/mpn018): a word is
telling only as far as its number bears it out. The smaller counts of two: against the other senses, and against places
drawn from the whole space, without which function words would be telling.

Legend for shapes:
    S  senses     V  words
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import islice

import numpy as np

from tolman.confidence import Numbers
from tolman.corpus.passages import words
from tolman.senses.contexts import Window

_NEAR = 12  # words on either side
_SHORTEST = 3  # letters
_FEWEST = 3  # contexts


def near_words(window: Window) -> set[str]:
    """The words in sight, in lower case, the word itself left out."""
    text = window.without_word(_NEAR)
    return {text[start:end].lower() for start, end in words(text)}


def telling_words(
    windows: Sequence[Window],
    sense_N: np.ndarray,
    anywhere: Sequence[Window],
    forms: Collection[str],
    *,
    most: int,
    is_function_word: Callable[[str], bool],
) -> list[tuple[str, ...]]:
    """For each sense at most `most` words, the most telling first.

    Args:
        windows: of all occurrences.
        sense_N: of each, from 0.
        anywhere: windows drawn from the whole space.
        forms: of the word itself, which tell nothing.
        most: words a sense.
        is_function_word: of words that tell nothing either; asked only about those that would be told.
    """
    senses = int(sense_N.max()) + 1
    counts = [Counter[str]() for _ in range(senses)]
    for window, sense in zip(windows, sense_N.tolist(), strict=True):
        counts[sense].update(near_words(window))
    background = Counter(word for window in anywhere for word in near_words(window))
    total = sum(counts, Counter[str]())
    known = sorted(w for w, n in total.items() if n >= _FEWEST and len(w) >= _SHORTEST and w not in forms)
    if not known:
        return [() for _ in counts]
    count_SV = np.array([[count[word] for word in known] for count in counts], np.float64)
    size_S1 = np.bincount(sense_N, minlength=senses).astype(np.float64)[:, None]
    drawn_V = np.array([background[word] for word in known], np.float64)[None]
    score_SV = more_often(count_SV, size_S1, drawn_V, float(len(anywhere)))
    if senses > 1:
        others = (count_SV.sum(axis=0) - count_SV, size_S1.sum() - size_S1)
        score_SV = np.minimum(score_SV, more_often(count_SV, size_S1, *others))
    best_SV = np.argsort(-score_SV, axis=1, kind="stable").tolist()
    telling = ((known[v] for v in row if score_SV[s, v] > 0) for s, row in enumerate(best_SV))
    return [tuple(islice((word for word in row if not is_function_word(word)), most)) for row in telling]


def more_often(count: Numbers, of: Numbers, other: Numbers, of_other: Numbers | float) -> Numbers:
    """z-scores of how much oftener a word stands in `of` places than in `of_other` ones."""
    prior = (count + other + 0.5) / (of + of_other + 1)
    odds = np.log((count + prior) / (of - count + 1)) - np.log((other + prior) / (of_other - other + 1))
    score: Numbers = odds / np.sqrt(1 / (count + prior) + 1 / (other + prior))
    return score
