import itertools

import pytest

from tolman.corpus.passages import sentences, split_passages


def cut(text):
    return [text[a:b] for a, b in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One is here. Two is there! Three?", ["One is here.", "Two is there!", "Three?"]),
        (
            "Dr. Smith et al. met at 3.5 p.m. in Rome. They ate.",
            ["Dr. Smith et al. met at 3.5 p.m. in Rome.", "They ate."],
        ),
        ("Das ist z.B. gut. Und das bzw. jenes auch.", ["Das ist z.B. gut.", "Und das bzw. jenes auch."]),
        ("これは文です。次の文です！終わり", ["これは文です。", "次の文です！", "終わり"]),
        ("هل هذا سؤال؟ نعم هو كذلك.", ["هل هذا سؤال؟", "نعم هو كذلك."]),
        ("यह वाक्य है। दूसरा वाक्य।", ["यह वाक्य है।", "दूसरा वाक्य।"]),
        ("A heading\n\nThe text below it.", ["A heading", "The text below it."]),
        ("in a slipstream . a study was made . good .", ["in a slipstream .", "a study was made .", "good ."]),
        ("it broke again. please help", ["it broke again.", "please help"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences(text, expected):
    assert cut(text) == expected


def words(texts):
    return [len(text.split()) for text in texts]


def test_a_text_that_fits_is_one_passage():
    assert split_passages("  a b c \n", words, 3) == [(2, 7)]


def test_nothing_is_lost_and_nothing_too_long():
    text = "\n\n".join(
        " ".join(f"word{i}" for i in range(n)) + ". " + " ".join(f"more{i}" for i in range(n)) + "."
        for n in (3, 12, 40, 1)
    )
    for limit in (1, 4, 10, 1_000):
        spans = split_passages(text, words, limit)
        passages = [text[a:b] for a, b in spans]
        assert all(count <= limit for count in words(passages))
        assert " ".join(passages).split() == text.split()
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_paragraphs_are_the_first_borders():
    text = "one two three\n\nfour five six"
    assert [text[a:b] for a, b in split_passages(text, words, 4)] == ["one two three", "four five six"]


def test_short_neighbours_share_a_passage():
    text = "\n\n".join(["a b"] * 10)
    assert [text[a:b].count("a") for a, b in split_passages(text, words, 9)] == [4, 4, 2]


def test_a_word_longer_than_a_passage_is_cut():
    text = "x" * 50
    spans = split_passages(text, lambda texts: [len(t) for t in texts], 20)
    assert "".join(text[a:b] for a, b in spans) == text
    assert max(b - a for a, b in spans) <= 20


def test_scripts_without_spaces_are_cut_between_characters():
    text = "日本語" * 30
    spans = split_passages(text, lambda texts: [len(t) for t in texts], 20)
    assert "".join(text[a:b] for a, b in spans) == text


def test_blank_gives_none():
    assert split_passages(" \n", words, 5) == []
