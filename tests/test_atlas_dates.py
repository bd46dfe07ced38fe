"""Which columns tell when, and what is coloured and counted by them."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from atlas_client import serving
from fastapi.testclient import TestClient

from tolman.atlas.binary import unpack
from tolman.atlas.dates import days_of, tells_when


@pytest.fixture(scope="module")
def dated(dated_space: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with serving(Path(shutil.copytree(dated_space, tmp_path_factory.mktemp("served") / "dated.space"))) as client:
        yield client


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2026-11-28", "2026-02-01T10:00:00Z", None], True),
        ([date(2026, 11, 28)], True),
        ([2019, 2026, None], True),
        ([3, 2026], False),
        (["2026-11-28", "soon"], False),
        (["2026-02-30"], False),
        (["2026"], False),
        ([True, False], False),
        ([1.5], False),
    ],
)
def test_what_tells_when(values: list[object], expected: bool) -> None:
    assert tells_when(pa.array(values)) is expected


def test_a_column_of_nothing_tells_nothing() -> None:
    assert not tells_when(pa.array([None, None], pa.string()))
    assert days_of(pa.array([None], pa.string())) is None


def test_dates_as_text_are_offered_and_coloured_in_order(dated: TestClient) -> None:
    assert "opened" in dated.get("/api/space").json()["dates"]
    facts, _ = unpack(dated.get("/api/map/columns/opened").content)
    assert facts["groups"] == []  # shades, not groups
    assert facts["ends"][0] < facts["ends"][1]
    assert len(facts["ends"][0]) == len("2026-11-28")


def test_counts_over_time_are_those_of_the_documents(dated: TestClient) -> None:
    told = dated.get("/api/topics/over-time", params={"column": "opened", "every": "year"}).json()
    topics = dated.get("/api/topics").json()
    assert sum(row["documents"] for row in told["periods"]) == topics["documents"] - topics["nowhere"]
    assert {len(row["period"]) for row in told["periods"]} == {4}
    assert told["python"].endswith(".topics().over_time('opened', 'year')")
    lines = dated.get("/api/export/over-time", params={"column": "opened", "every": "year"}).text.splitlines()
    assert len(lines) == len(told["periods"]) + 1


def test_other_columns_are_refused(dated: TestClient) -> None:
    assert dated.get("/api/topics/over-time", params={"column": "year", "every": "week"}).status_code == 422
    assert dated.get("/api/topics/over-time", params={"column": "title"}).status_code == 400
