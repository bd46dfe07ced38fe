import numpy as np
import pytest

from tolman import tokenization
from tolman.tokenization import TokenSequences, WordMemory, tokenize, train_tokenizer, vocabulary_size

TEXTS = [
    "The donkey refused to carry the load. parseHTTPResponse(read_timeout=3)",
    "Der Donaudampfschifffahrtskapitän überprüft die Straße.",
    "日本語の文章を検索する。",
    "ابحث عن النص العربي",
] * 4


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, vocabulary=1_000)


def test_every_script_comes_back_whole(tokenizer):
    for text in TEXTS:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        covered = {c for start, end in encoding.offsets for c in range(start, end)}
        words = {i for i, character in enumerate(text) if character.isalnum()}
        assert words <= covered


def test_a_character_never_seen_still_has_tokens(tokenizer):
    assert tokenizer.encode("Ω≠ק", add_special_tokens=False).ids
    assert tokenizer.encode("ק", add_special_tokens=False).ids != tokenizer.encode("Ω", add_special_tokens=False).ids


def test_names_in_code_share_tokens_with_prose(tokenizer):
    ids = [tokenizer.encode(t, add_special_tokens=False).ids for t in ("readTimeout", "read_timeout", "Read timeout")]
    assert ids[0] == ids[1] == ids[2]


def test_vocabulary_is_kept_to(tokenizer):
    assert tokenizer.get_vocab_size() <= 1_000
    assert vocabulary_size(10) == 4_000
    assert vocabulary_size(10**7) == 24_000


def test_tokenize_keeps_order_and_empties(tokenizer):
    texts = [*TEXTS, "", "?!"]
    sequences = tokenize(tokenizer, iter(texts))
    assert len(sequences) == len(texts)
    for row, text in enumerate(texts):
        assert sequences[row].tolist() == tokenizer.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("most", [10**6, 5])
def test_a_memory_of_words_changes_no_token(tokenizer, monkeypatch, most):
    monkeypatch.setattr(tokenization, "_MOST_REMEMBERED", most)
    odd = [
        "a\u00a0b c\u3000d",
        "x\u0301y \u0301z",
        "\u00a8 \u2028e",
        "HTTPServer,readTimeout;",
        "ｆｕｌｌ　ｗｉｄｔｈ",
        " ",
        "",
    ]
    memory = WordMemory(tokenizer)
    for texts in (TEXTS, odd, [*odd, *TEXTS]):
        expected = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        assert [ids.tolist() for ids in memory(texts)] == expected


def test_only_and_cut_agree_with_slicing():
    sequences = TokenSequences.join([np.arange(n, dtype=np.int32) for n in (3, 0, 5)])
    picked = sequences.only(np.array([2, 0, 2]))
    assert [picked[i].tolist() for i in range(3)] == [[0, 1, 2, 3, 4], [0, 1, 2], [0, 1, 2, 3, 4]]
    cut = sequences.cut(np.array([4, 0]), np.array([2, 1]))
    assert [cut[i].tolist() for i in range(2)] == [[1, 2], [0]]


def test_without_drops_the_share_it_says():
    sequences = TokenSequences.join([np.arange(1_000, dtype=np.int32), np.arange(1_000, dtype=np.int32)])
    dropped = sequences.without(0.3, np.random.default_rng(0))
    assert len(dropped) == 2
    assert 0.65 < len(dropped.ids) / 2_000 < 0.75
    assert (np.diff(dropped[0]) > 0).all()
