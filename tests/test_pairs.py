import pytest

from tolman.corpus.pairs import heads_and_bodies, lead


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cat sat on the mat. Then it left.", "The cat sat on the mat."),
        ("Hello. One two three four five six seven eight nine", "Hello. One two three four five six seven"),
        (" ".join(f"w{i}" for i in range(40)), "w0 w1 w2 w3 w4 w5 w6 w7"),
        ("これは日本語の文です。次の文。", "これは日本語の文です。"),
        ("...", ""),
        ("", ""),
    ],
)
def test_lead(text, expected):
    start, end = lead(text)
    assert text[start:end] == expected


def test_titles_pair_with_their_bodies():
    assert heads_and_bodies(["t", "", "u"], ["a", "b", "c"]) == (["t", "u"], ["a", "c"], "title and body")


def test_without_titles_first_sentences_pair_with_the_rest():
    texts = ["The first is a sentence. The rest is this.", "alone"]
    heads, bodies, kind = heads_and_bodies(["", ""], texts)
    assert (heads, bodies) == (["The first is a sentence."], ["The rest is this."])
    assert kind == "first sentence and rest"
