import pytest

from tolman.space.fulltext import searchable


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("ThreadPoolExecutor", "Thread Pool Executor"),
        ("getElementById", "get Element By Id"),
        ("HTTPServer", "HTTP Server"),
        ("parseXMLDocument", "parse XML Document"),
    ],
)
def test_names_are_cut_at_their_seams_and_kept(name: str, parts: str) -> None:
    assert searchable(f"see concurrent.{name}.") == f"see concurrent.{name}.\n{parts}"


@pytest.mark.parametrize("text", ["", "plain prose", "The NASA report.", "snake_case_name", "Größe und Maß", "日本語"])
def test_text_without_such_names_stays_as_it_is(text: str) -> None:
    assert searchable(text) == text
