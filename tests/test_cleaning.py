import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tolman.corpus.cleaning import clean_line, clean_text

CODE = "def add(a, b):\n    if a:\n        return a + b\n    return b"


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Die  Größe\tist\u00a0falsch.\r\n\r\n\r\n\r\nBitte ändern! ", "Die Größe ist falsch.\n\nBitte ändern!"),
        ("Gro\u0308ße", "Größe"),
        ("返品\u3000できますか。\u2028はい。", "返品 できますか。\nはい。"),
        ("か\u3099", "が"),
        ("\u202bمرحبا\u202c  بالعالم\ufeff", "مرحبا بالعالم"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d🔧 fixed it", "👩\u200d🔧 fixed it"),
        (CODE, CODE),
        (CODE.replace("    ", "\t"), CODE),
        ("soft\u00adly \x00\x07spoken\x1b", "softly spoken"),
        ("half \ud83d a pair", "half a pair"),
        (" \n\t\u200b\x00 ", ""),
    ],
)
def test_each_script_in_its_one_form(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


@given(st.text(st.sampled_from("a Ö\u0308か\u3099 \n\t\r\u00a0\u200b\u2029\x00\ud800=")))
def test_cleaning_is_done_in_one_go_and_can_be_stored(text: str) -> None:
    clean = clean_text(text)
    assert clean_text(clean) == clean
    assert unicodedata.is_normalized("NFC", clean)
    assert clean.encode().decode() == clean
    assert not [mark for mark in ("\t", "\r", " \n", "\n\n\n", "a  a", "\x00") if mark in clean]


def test_a_title_is_one_line() -> None:
    assert clean_line(" Two\n\n lines\u2029here ") == "Two lines here"
