"""Which words tell a sense: those that stand near the word in this sense rather than in the others.

By the z-score of the log-odds ratio with a prior (Monroe, Colaresi and Quinn 2008, "Fightin' words", doi:10.1093/pan/mpn018);
the prior is all contexts together, so that a word is telling only as far as its number bears it out. A word of one sense
has nothing to differ from: there the nearest words are the most frequent ones that aren't function words, as their even
spread over the places beside it shows.

Legend for shapes:
    S  senses     V  words
"""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from tolman.corpus.passages import words
from tolman.models.encoder import Floats
from tolman.senses.contexts import Window

_NEAR = 12  # words on either side
_SHORTEST = 3  # letters
_FEWEST = 3  # contexts


def near_words(window: Window) -> set[str]:
    """The words in sight, in lower case, the word itself left out."""
    text = window.without_word(_NEAR)
    return {text[start:end].lower() for start, end in words(text)}


def telling_words(
    windows: Sequence[Window], sense_N: np.ndarray, forms: Collection[str], most: int
) -> list[tuple[str, ...]]:
    """For each sense at most `most` words, the most telling first.

    Args:
        windows: of all occurrences.
        sense_N: of each, from 0.
        forms: of the word itself, which tell nothing.
        most: words a sense.
    """
    senses = int(sense_N.max()) + 1
    counts = [Counter[str]() for _ in range(senses)]
    for window, sense in zip(windows, sense_N.tolist(), strict=True):
        counts[sense].update(near_words(window))
    total = sum(counts, Counter[str]())
    known = sorted(w for w, n in total.items() if n >= _FEWEST and len(w) >= _SHORTEST and w not in forms)
    if not known:
        return [() for _ in counts]
    count_SV = np.array([[count[word] for word in known] for count in counts], np.float32)
    size_S = np.bincount(sense_N, minlength=senses).astype(np.float32)
    score_SV = _log_odds(count_SV, size_S) if senses > 1 else _unlike_all(count_SV, size_S)
    best = [np.argsort(-score_V, kind="stable")[:most] for score_V in score_SV]
    return [tuple(known[v] for v in row if score_SV[s, v] > 0) for s, row in enumerate(best)]


def _log_odds(count_SV: Floats, size_S: Floats) -> Floats:
    """z-scores (S, V) of how much oftener a word stands in a context of one sense than of the others."""
    prior_V = count_SV.sum(axis=0) / size_S.sum()
    with_SV, without_SV = count_SV + prior_V, size_S[:, None] - count_SV + 1
    other_SV = count_SV.sum(axis=0) - count_SV + prior_V
    other_without_SV = (size_S.sum() - size_S)[:, None] - (count_SV.sum(axis=0) - count_SV) + 1
    odds_SV = np.log(with_SV / without_SV) - np.log(other_SV / other_without_SV)
    score_SV: Floats = odds_SV / np.sqrt(1 / with_SV + 1 / other_SV)
    return score_SV


def _unlike_all(count_SV: Floats, size_S: Floats) -> Floats:
    """For a single sense: frequent, but in few enough contexts to be no function word."""
    share_SV = count_SV / size_S[:, None]
    score_SV: Floats = count_SV * np.maximum(0.0, np.log(0.2 / np.maximum(share_SV, 1e-9)))
    return score_SV
