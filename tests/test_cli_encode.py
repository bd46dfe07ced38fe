from pathlib import Path

import numpy as np
import pytest
from conftest import Cli

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


@pytest.mark.parametrize("file", ["none.txt", "empty.txt", "table.csv"])
def test_bad_input_is_one_line_and_writes_nothing(cli: Cli, tickets_space: Path, tmp_path: Path, file: str) -> None:
    (tmp_path / "empty.txt").touch()
    (tmp_path / "table.csv").write_text("text\nx\n")
    outcome = cli("encode", tickets_space, tmp_path / file, "-o", tmp_path / "o.npy")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr.splitlines()[-1].startswith("error: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.txt", "table.csv"]


def test_an_encoder_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("x\n")
    assert cli("encode", tmp_path / "none", tmp_path / "t.txt", "-o", tmp_path / "o.npy").code == 1
