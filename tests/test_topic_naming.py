import numpy as np
import pytest

from tolman.topics import naming
from tolman.topics.naming import Vocabulary, describe, distinct

TEXTS = [
    "The parcel was lost. Late delivery!",
    "Lost parcel, late delivery",
    "A card payment failed; the card payment came back",
    "Card payment failed twice\nthe bank says 2nd try",
    "",
]


@pytest.fixture(scope="module")
def said() -> Vocabulary:
    return Vocabulary(TEXTS)


def test_words_are_counted_once_a_document_and_only_if_two_have_them(said: Vocabulary) -> None:
    assert said.words.terms == ["card", "delivery", "failed", "late", "lost", "parcel", "payment", "the"]
    np.testing.assert_array_equal(said.words.there_NW.sum(axis=0), [2, 2, 2, 2, 2, 2, 2, 3])


def test_phrases_end_at_marks_and_have_telling_words_at_both_ends(said: Vocabulary) -> None:
    telling = frozenset(said.words.terms) - {"the"}
    assert said.phrases(telling).terms == ["card payment", "card payment failed", "late delivery", "payment failed"]
    assert said.phrases(telling - {"failed"}).terms == ["card payment", "late delivery"]


def test_who_has_a_word_or_a_phrase_is_told(said: Vocabulary) -> None:
    assert said.having("late delivery").tolist() == [True, True, False, False, False]
    assert said.having("failed").tolist() == [False, False, True, True, False]
    assert not said.having("bank").any()  # in one document
    assert not said.having("zebra crossing").any()


def test_the_commonest_are_kept_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "_MOST_TERMS", 3)
    assert Vocabulary(TEXTS).words.terms == ["card", "delivery", "the"]


def test_words_that_tell_a_part_come_first_and_phrases_for_the_words_in_them(said: Vocabulary) -> None:
    assert describe(said, np.array([0, 0, 1, 1, -1])) == [
        ("late delivery", "lost", "parcel"),
        ("card payment", "failed"),
    ]


def test_nothing_said_has_no_words() -> None:
    nothing = Vocabulary([])
    assert nothing.words.terms == []
    assert describe(nothing, np.empty(0, np.int64)) == []
    assert describe(Vocabulary(["", "12 ... 3"]), np.array([0, 0])) == [()]


def test_equal_names_grow_until_they_differ() -> None:
    assert distinct([("a", "b", "c", "d"), ("a", "b", "c", "e")]) == ["a, b, c", "a, b, c, e"]
