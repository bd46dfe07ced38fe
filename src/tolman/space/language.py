"""In which language a corpus is written, as far as its full-text index needs to know.

Stop words and stems of the wrong language do harm, so a language is named only where its commonest words are plainly
there.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import islice

# The commonest function words that set a language apart from the others here; the names are Lance's.
_COMMON_WORDS = {
    "Danish": "og det er som ikke til har på blev også efter eller",
    "Dutch": "het een van dat niet zijn voor met wordt ook maar door",
    "English": "the and of is that was with this for are from which",
    "Finnish": "ja on ei että oli hän mutta myös kun tai joka ovat",
    "French": "les des est une dans pour qui que pas sur avec plus",
    "German": "der die und das nicht ist ein auf mit den auch eine",
    "Hungarian": "az egy és hogy nem volt meg csak mint vagy ezt kell",
    "Italian": "il di che non per una sono della con gli anche nel",
    "Norwegian": "og det er som ikke til har på ble også etter eller",
    "Portuguese": "não uma que para com os dos mais foi são pelo ao",
    "Romanian": "și este care nu din pentru sunt mai fost prin această către",
    "Russian": "и в не на что с по как это но из для",
    "Spanish": "el los las que una por con para del más pero fue",
    "Swedish": "och det är som inte till har på blev också efter eller",
    "Turkish": "bir ve bu için ile çok olarak daha gibi kadar olan sonra",
}
_LANGUAGES = {name: frozenset(words.split()) for name, words in _COMMON_WORDS.items()}
_SAMPLE_CHARACTERS = 2_000
_LEAST_SHARE = 0.08  # of all words; running text has 15 to 30 %
_LEAD = 1.15  # over the next language


def guess_language(texts: Sequence[str]) -> str | None:
    """The language most of `texts` are in, by its name in English; None if it isn't plain."""
    words = Counter(word.strip(".,;:!?()\"'") for text in texts for word in text[:_SAMPLE_CHARACTERS].lower().split())
    total = sum(words.values())
    counts = {name: sum(words[word] for word in common) for name, common in _LANGUAGES.items()}
    (best, count), (_, second) = islice(sorted(counts.items(), key=lambda pair: -pair[1]), 2)
    return best if count > _LEAST_SHARE * total and count > _LEAD * second else None
