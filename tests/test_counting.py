import pytest

from tolman.counting import counted


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 documents"), (1, "1 document"), (2, "2 documents"), (1_200, "1,200 documents")]
)
def test_one_is_not_many(count: int, said: str) -> None:
    assert counted(count, "document") == said


def test_a_plural_of_its_own() -> None:
    assert [counted(count, "query is", "queries are") for count in (1, 2)] == ["1 query is", "2 queries are"]
