import csv
from pathlib import Path

import numpy as np
import pytest
from conftest import TICKETS, Cli

from tolman import open_space

TEXTS = ["where is my money", "the box was crushed", "code invalid"]


@pytest.mark.parametrize("role", ["document", "query"])
def test_rows_are_the_encoders_vectors_in_order(cli: Cli, tickets_space: Path, tmp_path: Path, role: str) -> None:
    (tmp_path / "t.txt").write_text("\n".join(TEXTS) + "\n")
    outcome = cli(
        "encode", tickets_space, tmp_path / "t.txt", "-o", tmp_path / "o.npy", *(["--query"] * (role == "query"))
    )
    vectors = np.load(tmp_path / "o.npy")
    assert (outcome.code, vectors.dtype) == (0, np.float32)
    np.testing.assert_allclose(vectors, open_space(tickets_space).encoder.encode(TEXTS, role), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_the_encoder_folder_alone_gives_the_same(cli: Cli, tickets_space: Path, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\n".join(TEXTS) + "\n")
    for source, output in ((tickets_space, "a.npy"), (tickets_space / "encoder", "b.npy")):
        assert cli("encode", source, tmp_path / "t.txt", "-o", tmp_path / output).code == 0
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_a_table_is_encoded_row_by_row_into_a_new_folder(cli: Cli, tickets_space: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "o.npy"
    outcome = cli("encode", tickets_space, TICKETS, "-o", out, "--text", "body", "--title", "subject")
    assert outcome.code == 0, outcome.stderr
    space = open_space(tickets_space)
    first = space.table(["id"])["id"].to_pylist().index("tk-1")
    with TICKETS.open() as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    vectors = np.load(out)
    assert len(vectors) == len(ids)
    np.testing.assert_allclose(vectors[ids.index("tk-1")], space.vectors()[first], atol=1e-3)


@pytest.mark.parametrize("file", ["none.txt", "empty.txt", "table.xlsx"])
def test_bad_input_is_one_line_and_writes_nothing(cli: Cli, tickets_space: Path, tmp_path: Path, file: str) -> None:
    (tmp_path / "empty.txt").touch()
    (tmp_path / "table.xlsx").write_text("PK")
    outcome = cli("encode", tickets_space, tmp_path / file, "-o", tmp_path / "o.npy")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr.splitlines()[-1].startswith("error: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.txt", "table.xlsx"]


def test_an_encoder_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("x\n")
    assert cli("encode", tmp_path / "none", tmp_path / "t.txt", "-o", tmp_path / "o.npy").code == 1
