import json

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tolman.errors import QueryError, StorageError
from tolman.tables import write_table

TABLE = pa.table({"id": ["a", "b"], "topic": pa.array([1, None], pa.int64()), "words": [["x", "y"], []]})


def test_every_format_holds_the_rows(tmp_path):
    for ending in (".parquet", ".csv", ".jsonl", ".arrow", ".PARQUET"):
        write_table(TABLE, tmp_path / f"t{ending}")
    assert pq.read_table(tmp_path / "t.parquet").equals(TABLE)
    assert pa.ipc.open_file(tmp_path / "t.arrow").read_all().equals(TABLE)
    lines = (tmp_path / "t.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == TABLE.to_pylist()
    assert pyarrow.csv.read_csv(tmp_path / "t.csv")["id"].to_pylist() == ["a", "b"]


def test_folders_above_are_made(tmp_path):
    write_table(TABLE, tmp_path / "deep" / "er" / "t.jsonl")
    assert (tmp_path / "deep/er/t.jsonl").exists()


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(QueryError, match=r"ends in \.parquet"):
        write_table(TABLE, tmp_path / "t.xlsx")


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    file = tmp_path / "t.jsonl"
    file.write_text("old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_table(TABLE, file)
    assert [each.name for each in tmp_path.iterdir()] == ["t.jsonl"]
    assert file.read_text() == "old"
