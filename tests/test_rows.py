from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tiny import tiny_encoder

from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.encoding import encode_documents
from tolman.errors import SourceError
from tolman.space.rows import Holdings, as_rows, conform
from tolman.space.store import DocumentStore, document_schema

ENCODER = tiny_encoder()
SCHEMA = document_schema(ENCODER.dim, pa.schema([("year", pa.int64())]))


def documents(*known: tuple[str, str, Sequence[str]]) -> pa.Table:
    columns = {
        "id": [name for name, _, _ in known],
        "title": [""] * len(known),
        "text": [text for _, text, _ in known],
        "duplicate_ids": pa.array([list(names) for _, _, names in known], pa.list_(pa.string())),
    }
    return conform(pa.table(columns), SCHEMA)[0]


@pytest.fixture
def holdings(tmp_path: Path) -> Holdings:
    store = DocumentStore.create(tmp_path / "documents.lance", SCHEMA)
    store.append(as_rows(ENCODER, documents(("a", "lamp", "bc"), ("d", "engine", ""), ("e", "violin", "f")), SCHEMA))
    return Holdings(store)


def held(table: pa.Table) -> dict[str, tuple[str, list[str]]]:
    rows = table.select(["id", "text", "duplicate_ids"]).to_pylist()
    return {row["id"]: (row["text"], row["duplicate_ids"] or []) for row in rows}


def test_rows_hold_the_vectors_of_the_encoder() -> None:
    filler = " ".join(f"word{i % 200}" for i in range(5_000))
    corpus = Corpus.from_documents(
        [Document("s", "A lamp.", "Title"), Document("l", filler), Document("t", "An engine.")]
    )
    rows = as_rows(ENCODER, corpus.table, document_schema(ENCODER.dim, pa.schema([])))
    encoded = encode_documents(ENCODER, corpus.contents())
    assert rows["fulltext"].to_pylist() == corpus.contents()
    np.testing.assert_array_equal(np.stack(rows["vector"].to_pylist()), encoded.vectors_ND)
    spans, vectors = rows["passage_spans"].to_pylist(), rows["passage_vectors"].to_pylist()
    assert spans[0] is spans[2] is vectors[0] is vectors[2] is None
    assert spans[1] == [edge for span in encoded.passage_spans[1] for edge in span]
    np.testing.assert_array_equal(np.reshape(vectors[1], (-1, ENCODER.dim)), encoded.passage_vectors_PD)


def test_columns_are_brought_into_line() -> None:
    table = pa.table({"year": [1.0, 2.0], "text": ["x", "y"], "id": ["1", "2"], "colour": ["r", "g"]})
    made, ignored = conform(table, SCHEMA)
    assert ignored == ("colour",)
    assert made.schema.names == ["id", "title", "text", "label", "duplicate_ids", "year"]
    assert made["year"].to_pylist() == [1, 2]
    for wrong in (["x", "y"], [1.5, 2.0]):
        with pytest.raises(SourceError, match="'year' holds int64"):
            conform(table.set_column(0, "year", pa.array(wrong)), SCHEMA)


def test_an_id_is_found_as_its_own_or_as_a_duplicate(holdings: Holdings) -> None:
    assert holdings.rows_of(["d", "c", "zzz", "a", "f"]).tolist() == [1, 0, -1, 0, 2]


def test_unchanged_means_text_and_company(holdings: Holdings) -> None:
    wanted = documents(
        ("a", "lamp", "bc"), ("b", "lamp", ""), ("d", "engine!", ""), ("e", "violin", "d"), ("g", "x", "")
    )
    assert holdings.unchanged(wanted).tolist() == [True, True, False, False, False]


def test_shared_rows_come_apart(holdings: Holdings) -> None:
    assert held(holdings.taken_apart(["b"])) == {"a": ("lamp", []), "c": ("lamp", [])}
    assert held(holdings.taken_apart(["a", "c"])) == {"b": ("lamp", [])}
    assert held(holdings.taken_apart(["d", "zzz"])) == {}
    assert held(holdings.taken_apart(["f"]))["e"] == ("violin", [])


def test_duplicates_that_are_held_elsewhere_get_rows(holdings: Holdings) -> None:
    assert held(holdings.split(documents(("n", "new", "dm")))) == {"n": ("new", ["m"]), "d": ("new", [])}
