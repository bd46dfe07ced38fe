import unicodedata

import numpy as np
import pytest
from tiny import tiny_encoder

from tolman import windows
from tolman.models.static import StaticEncoder
from tolman.snippets import SNIPPET_CHARACTERS, Snippet, best_snippets, excerpt
from tolman.windows import WindowMemory, cut_sentence

FILLER = "Nothing of the kind was ever said about it in that house, so much is sure. " * 4


class Opaque(StaticEncoder):
    """An encoder that is too slow to compare windows with."""

    family = "transformer"

    def encode(self, texts: object, role: object = "document") -> np.ndarray:
        pytest.fail("asked to encode windows")


def snippet(query: str, text: str, *, slow: bool = False, within: tuple[int, int] | None = None) -> str:
    encoder = tiny_encoder()
    vector = encoder.encode([query], "query")[0]
    chosen = Opaque(encoder.tokenizer, encoder.table_VD, encoder.saturation) if slow else encoder
    (found,) = best_snippets(query, vector, [text], [within or (0, len(text))], WindowMemory(chosen))
    assert found.text == excerpt(text, found.span)
    return text[slice(*found.span)]


@pytest.mark.parametrize("slow", [False, True])
def test_the_sentence_with_the_words_is_shown(slow: bool) -> None:
    text = (
        FILLER
        + "In the end the refund arrived in the harbour after all, and everyone who had been waiting cheered. "
        + FILLER
    )
    found = snippet("refund harbour", text, slow=slow)
    assert "refund arrived in the harbour" in found
    assert len(found) <= SNIPPET_CHARACTERS


def test_rare_words_count_more_than_common_ones() -> None:
    text = (
        "The parcel is a parcel and the parcel stays a parcel. " * 8
        + "Only this line knows the violin, and nothing else at all."
    )
    assert "violin" in snippet("the parcel violin", text, slow=True)


def test_a_text_without_sentences_is_cut() -> None:
    found = snippet("glacier", "word1 " * 5_000 + "glacier " + "word2 " * 5_000)
    assert "glacier" in found
    assert len(found) <= SNIPPET_CHARACTERS


ENDLESS = " ".join(f"remarkable{n}" for n in range(500))


@pytest.mark.parametrize("wanted", ["remarkable0", "remarkable7", "remarkable250", "remarkable499"])
def test_a_sentence_that_is_too_long_is_cut_between_words(wanted: str) -> None:
    found = snippet(wanted, ENDLESS, slow=True)
    assert wanted in found.split()
    assert set(found.split()) <= set(ENDLESS.split())
    assert SNIPPET_CHARACTERS / 2 < len(found) <= SNIPPET_CHARACTERS or wanted == "remarkable499"


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("ab" * 900, "abab"),
        ("https://example.org/a-path" + "/of-no-end" * 90, "path"),
        ("人工知能を用いた翻訳の評価" * 60, "翻訳"),
        ("ก\u0e34น\u0e49ำ" * 200, "น"),
    ],
)
def test_a_text_without_spaces_is_cut_too_and_nothing_is_lost(text: str, query: str) -> None:
    pieces = cut_sentence(text, 0, len(text))
    assert "".join(text[start:end] for start, end in pieces) == text
    assert all(0 < end - start <= SNIPPET_CHARACTERS for start, end in pieces)
    assert not any(unicodedata.category(text[start]).startswith("M") for start, _ in pieces)
    assert snippet(query, text, slow=True)


@pytest.mark.parametrize(
    ("piece", "shown"),
    [
        ("The refund came.", "The refund came."),
        ("The refund came. It was late, as always.", "The refund came. It was late, as always."),
        ("refund came.", "…refund came."),
        ("It was late", "It was late…"),
        ("was late", "…was late…"),
        ("as always. Nobody asked", "…as always. Nobody asked…"),
        ("Nobody asked why", "Nobody asked why"),
        ("", ""),
    ],
)
def test_an_ellipsis_stands_where_a_sentence_was_cut(piece: str, shown: str) -> None:
    text = FILLER + "\n\nThe refund came. It was late, as always. Nobody asked why"
    start = text.index(piece, len(FILLER) if piece else 0)
    assert excerpt(text, (start, start + len(piece))) == shown
    if piece.startswith(("The", "Nobody")):
        assert excerpt(text[start:], (0, len(piece))) == shown


def test_only_the_given_part_is_looked_at() -> None:
    text = "The refund is here. " + FILLER + "The refund is there. " + FILLER
    half = len(text) // 2
    assert text.index(snippet("refund", text, within=(half, len(text)))) >= half


def test_no_common_word_shows_the_beginning() -> None:
    assert snippet("glacier", FILLER, slow=True).startswith("Nothing of the kind")


def test_several_documents_keep_their_order() -> None:
    encoder = tiny_encoder()
    texts = ["The lamp broke.", "", "The engine sang."]
    vector = encoder.encode(["engine"], "query")[0]
    memory = WindowMemory(encoder)
    for _ in range(2):
        shown = best_snippets("engine", vector, texts, [(0, len(text)) for text in texts], memory)
        assert [text[slice(*snippet.span)] for text, snippet in zip(texts, shown, strict=True)] == texts


def test_what_is_remembered_of_a_text_changes_nothing() -> None:
    encoder, texts = tiny_encoder(), [FILLER + f"The refund {n} came. It was late, as always." for n in range(20)]
    vector, within = encoder.encode(["refund late"], "query")[0], [(0, len(text)) for text in texts]

    def show(chosen: list[str], memory: WindowMemory) -> list[Snippet]:
        return best_snippets("refund late", vector, chosen, within[: len(chosen)], memory)

    memory = WindowMemory(encoder)
    show(texts[:5], memory)
    assert show(texts, memory) == show(texts, WindowMemory(encoder))


def test_windows_are_compared_by_the_cosine_of_their_vectors() -> None:
    encoder = tiny_encoder()
    texts = ["The refund never came.", "violin", "", "the the refund refund of the parcel"]
    query_D = encoder.encode(["refund of a parcel"], "query")[0]
    for _ in range(2):
        assert encoder.cosines(query_D, encoder.weigh(texts)) == pytest.approx(
            encoder.encode(texts) @ query_D, abs=1e-6
        )
        encoder.encode(["a"] * 100)  # from here on the table is there in float32


def test_memory_of_windows_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MOST_BYTES", 20_000)
    memory = WindowMemory(tiny_encoder())
    for n in range(30):
        text = f"{FILLER} {n}"
        memory.of([text], [(0, len(text))])
        assert 0 < memory.bytes <= 20_000
    assert memory.is_full
