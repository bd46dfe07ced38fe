import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from conftest import tree
from tiny import tiny_corpus, tiny_document, tiny_encoder

from tolman.corpus import corpus
from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.corpus.reading import read_corpus
from tolman.encoding import encode_documents
from tolman.errors import QueryError, SourceError, SpaceError, SpaceMismatch, TolmanError
from tolman.models.static import StaticEncoder
from tolman.space import rows, space
from tolman.space.description import SearchSettings, SpaceDescription
from tolman.space.space import LatentSpace, open_space

ENCODER = tiny_encoder()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A space of documents 0 to 39."""
    LatentSpace.create(tmp_path / "tiny.space", tiny_corpus(range(40)), ENCODER)
    return tmp_path / "tiny.space"


def ids(opened: LatentSpace) -> set[str]:
    return set(opened.table(["id"])["id"].to_pylist())


def numbered(*numbers: int) -> set[str]:
    return {f"d{number}" for number in numbers}


# ---- making and reading


def test_what_went_in_comes_out(path: Path) -> None:
    opened = open_space(path)
    corpus = tiny_corpus(range(40))
    assert (len(opened), opened.dim) == (40, ENCODER.dim)
    assert opened.table().to_pylist() == corpus.table.select(opened.table().schema.names).to_pylist()
    np.testing.assert_array_equal(opened.vectors(), encode_documents(ENCODER, corpus.contents()).vectors_ND)
    assert opened.take(["d7", "d3"]) == [tiny_document(7), tiny_document(3)]
    assert opened.encoder.fingerprint == opened.description.encoder.fingerprint == ENCODER.fingerprint
    assert opened.description.corpus.fingerprint == corpus.fingerprint
    assert opened.table(["id", "year"], where="year > 2020")["year"].to_pylist() == [2021, 2022, 2023, 2024]
    assert sorted(file.name for file in path.iterdir()) == ["derived", "documents.lance", "encoder", "space.json"]


def test_it_goes_into_data_frames_and_back(path: Path, tmp_path: Path) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    table = open_space(path).table(["id", "title", "text", "year", "shop"])
    for frame in (table.to_pandas(), polars.from_arrow(table)):
        report = open_space(path).add(frame, id="id", title="title", text="text")
        assert (report.added, report.updated, report.unchanged) == (0, 0, 40)
    assert isinstance(table.to_pandas(), pandas.DataFrame)
    assert not open_space(path).vectors().flags.owndata


def test_derived_files_may_go_at_any_time(path: Path) -> None:
    before = [hit.id for hit in open_space(path).search("refund arrived", 5)]
    shutil.rmtree(path / "derived")
    assert [hit.id for hit in open_space(path).search("refund arrived", 5)] == before


def test_long_documents_are_found_by_any_passage(tmp_path: Path) -> None:
    filler = " ".join(f"word{i % 200}" for i in range(6_000))
    long = Document("long", f"{filler}. The violin froze in the harbour. {filler}", title="An inventory")
    opened = LatentSpace.create(
        tmp_path / "x.space", Corpus.from_documents([long, *(tiny_document(i) for i in range(20))]), ENCODER
    )
    for mode in ("dense", "hybrid", "lexical"):
        hit = next(hit for hit in opened.search("violin froze harbour", 21, mode=mode) if hit.id == "long")
        assert "violin" in hit.snippet
        assert hit.snippet == long.text[slice(*hit.snippet_span)]
        own = opened.vectors()[opened.store.positions(["long"])[0]]
        assert hit.cosine > own @ ENCODER.encode(["violin froze harbour"], "query")[0]
    np.testing.assert_allclose(np.linalg.norm(opened.vectors(), axis=1), 1, atol=1e-5)


def test_settings_and_stories_are_kept(tmp_path: Path) -> None:
    told = SpaceDescription(
        search=SearchSettings(lexical_weight=0.0, index="exact"), recipe={"epochs": 3}, parents=("ab",)
    )
    seen: list[bool] = []

    def finish(staged: LatentSpace) -> None:
        seen.append(staged.path.name.endswith(".partial") and len(staged.search("refund", 3)) == 3)
        staged.describe(replace(staged.description, quality={"ndcg@10": 0.5}))
        (staged.path / "card.md").write_text("A card.")

    made = LatentSpace.create(
        tmp_path / "x.space", tiny_corpus(range(5)), ENCODER, description=told, finish=finish
    ).description
    assert seen == [True]
    assert (made.search, made.recipe, made.parents, made.quality) == (
        *(told.search, told.recipe, told.parents),
        {"ndcg@10": 0.5},
    )
    assert open_space(tmp_path / "x.space").description == made
    assert (tmp_path / "x.space" / "card.md").read_text() == "A card."


# ---- changing


def test_add_adds_updates_and_leaves_what_is_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []
    encode = StaticEncoder.encode
    monkeypatch.setattr(
        StaticEncoder, "encode", lambda self, texts, *role: (encoded.extend(texts), encode(self, texts, *role))[1]
    )
    opened = open_space(path)
    source = Corpus.from_documents([tiny_document(1), tiny_document(2, changed="Now: "), tiny_document(99)])
    assert opened.add(source) == space.AddReport(added=1, updated=1, unchanged=1)
    assert len(encoded) == 2
    assert opened.take(["d2"])[0].text.startswith("Now: ")
    assert (len(opened), ids(opened)) == (41, numbered(*range(40), 99))
    assert opened.add(source) == space.AddReport(added=0, updated=0, unchanged=3)
    assert len(encoded) == 2
    np.testing.assert_array_equal(
        opened.vectors()[opened.store.positions(["d99"])[0]], ENCODER.encode([tiny_document(99).content])[0]
    )


def test_adding_part_by_part_is_adding_at_once(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = Document("a", "The glacier sang of engines.", metadata={"year": 1, "shop": "s"})
    open_space(path).add(Corpus.from_documents([replace(twin, id=name) for name in "abc"]))
    shutil.copytree(path, tmp_path / "parts.space")
    changed = replace(twin, id="b", text="The violin melted.")
    source = Corpus.from_documents(
        [tiny_document(3), changed, *(tiny_document(n, changed="Now ") for n in range(30, 50))]
    )
    opened = open_space(path)
    report = opened.add(source)
    monkeypatch.setattr(corpus, "SLICE_BYTES", 400)
    sizes: list[int] = []
    encode = space.as_rows
    monkeypatch.setattr(space, "as_rows", lambda *given: (sizes.append(len(given[1])), encode(*given))[1])
    parts = open_space(tmp_path / "parts.space")
    assert parts.add(source) == report == space.AddReport(added=10, updated=11, unchanged=1)
    assert (max(sizes), sum(sizes)) == (2, 21)
    assert parts.version == opened.version
    assert parts.table().sort_by("id").equals(opened.table().sort_by("id"))


def test_changed_metadata_is_an_update(path: Path) -> None:
    opened = open_space(path)
    changed = replace(tiny_document(4), metadata={"year": 1999, "shop": None})
    assert opened.add(Corpus.from_documents([changed])).updated == 1
    assert opened.take(["d4"]) == [changed]


def test_columns_that_differ(path: Path) -> None:
    opened = open_space(path)
    new = Document("n", "The lamp broke.", metadata={"year": 2020, "colour": "red"})
    assert opened.add(Corpus.from_documents([new])).ignored_columns == ("colour",)
    assert opened.take(["n"])[0].metadata == {"year": 2020, "shop": None}
    wrong = Document("m", "The lamp broke again.", metadata={"year": "last"})
    with pytest.raises(SourceError, match="'year' holds int64"):
        opened.add(Corpus.from_documents([wrong]))
    assert "m" not in ids(open_space(path))


def test_remove_and_compact(path: Path) -> None:
    opened = open_space(path)
    assert opened.remove(["d3", "d3", "d5", "nope"]) == 2
    assert ids(opened) == numbered(*(set(range(40)) - {3, 5}))
    before = opened.vectors().copy()
    opened.compact(keep=timedelta(0))
    np.testing.assert_array_equal(opened.vectors(), before)
    assert len(opened.versions()) == 1
    assert not {"d3", "d5"} & {hit.id for hit in open_space(path).search("refund", 38)}


def test_exact_duplicates_come_apart_when_one_of_them_changes(path: Path) -> None:
    twin = Document("a", "The glacier sang of engines.", metadata={"year": 1, "shop": "s"})
    opened = open_space(path)
    opened.add(Corpus.from_documents([replace(twin, id=name) for name in "abc"]))
    assert len(opened) == 41
    opened.add(Corpus.from_documents([replace(twin, id="b", text="The violin melted.")]))
    assert {name: opened.take([name])[0].text for name in "ab"} == {"a": twin.text, "b": "The violin melted."}
    assert opened.take(["a"])[0].duplicate_ids == ("c",) or "c" in ids(opened)
    assert opened.remove(["a"]) == 1
    assert opened.take(["c"])[0].text == twin.text
    assert not {"a"} & ids(opened)


def test_versions_stay_as_they_were(path: Path) -> None:
    opened = open_space(path)
    first = opened.version
    opened.add(tiny_corpus(range(40, 45)))
    opened.remove(["d0"])
    listed = opened.versions()
    assert [version.documents for version in listed] == [40, 45, 44]
    then = open_space(path, version=first)
    assert (len(then), then.vectors().shape[0], ids(then)) == (40, 40, numbered(*range(40)))
    assert not numbered(*range(40, 45)) & {hit.id for hit in then.search("refund arrived", 40)}
    with pytest.raises(SpaceError, match="to be read"):
        then.remove(["d1"])


def test_a_reader_keeps_its_version_while_others_write(path: Path) -> None:
    reader = open_space(path)
    before = [hit.id for hit in reader.search("refund arrived", 40)]
    writer = open_space(path)
    writer.remove(["d1", "d2"])
    writer.add(tiny_corpus(range(50, 55)))
    assert [hit.id for hit in reader.search("refund arrived", 40)] == before
    assert len(open_space(path)) == 43


@pytest.mark.parametrize("keep", [5, None, "2 weeks", timedelta(seconds=-1)])
def test_what_is_no_time_to_keep_changes_nothing(path: Path, keep: object) -> None:
    opened = open_space(path)
    opened.remove(["d1"])
    before = tree(path)
    with pytest.raises(TolmanError, match="expected a timedelta of zero or more for keep, got"):
        opened.compact(keep=keep)  # type: ignore[arg-type]
    assert tree(path) == before


# ---- one encoder


def test_another_encoder_is_refused_naming_both(path: Path, tmp_path: Path) -> None:
    other = tiny_encoder(seed=1)
    with pytest.raises(SpaceMismatch) as caught:
        LatentSpace.open(path, encoder=other)
    assert {ENCODER.fingerprint[:12], other.fingerprint[:12]} <= set(str(caught.value).replace(",", "").split())
    elsewhere = LatentSpace.create(tmp_path / "other.space", tiny_corpus(range(60, 70)), other)
    with pytest.raises(SpaceMismatch):
        open_space(path).add(elsewhere)
    assert len(open_space(path)) == 40


def test_a_space_of_the_same_encoder_is_added_without_encoding(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = LatentSpace.create(tmp_path / "other.space", tiny_corpus(range(38, 50)), ENCODER)
    monkeypatch.setattr(rows, "encode_documents", lambda *_: pytest.fail("encoded"))
    assert open_space(path).add(other) == space.AddReport(added=10, updated=0, unchanged=2)
    assert ids(open_space(path)) == numbered(*range(50))


def test_weights_that_made_another_space_are_refused(path: Path) -> None:
    weights = path / "encoder" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(SpaceError, match=r"model\.safetensors is not the file that made this space"):
        open_space(path).search("refund")


# ---- bad input


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: (path / "space.json").write_text('{"format": 1, "enc'), "space.json is damaged"),
        (lambda path: (path / "space.json").write_text(json.dumps({"format": 7})), "pip install -U tolman"),
        (lambda path: shutil.rmtree(path / "documents.lance"), r"no readable documents\.lance"),
        (lambda path: shutil.rmtree(path / "encoder"), "can't be read"),
    ],
)
def test_damage_is_told_in_one_line(path: Path, damage: Callable[[Path], None], told: str) -> None:
    damage(path)
    with pytest.raises(SpaceError, match=told) as caught:
        open_space(path).search("refund")
    assert "\n" not in str(caught.value)


def test_a_filter_is_not_blamed_for_damage(path: Path) -> None:
    for file in (path / "documents.lance" / "data").iterdir():
        file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(SpaceError, match="can't read") as caught:
        open_space(path).table(["id"], where="year > 2010")
    assert "SQL condition" not in str(caught.value)


@pytest.mark.parametrize("damage", ["lost", "overwritten"])
@pytest.mark.parametrize("repair", ["compact", "add"])
def test_a_damaged_fulltext_index_is_told_and_made_anew_by_a_change(path: Path, damage: str, repair: str) -> None:
    expected = [hit.id for hit in open_space(path).search("refund arrived", 5, mode="lexical")]
    for file in (path / "documents.lance" / "_indices").rglob("*.lance"):
        file.unlink() if damage == "lost" else file.write_bytes(b"no index")
    opened = open_space(path)
    with pytest.raises(
        SpaceError, match=r"the full-text index of .*tiny\.space is lost or damaged: LatentSpace\.compact"
    ):
        opened.search("refund arrived")
    if repair == "compact":
        opened.compact()
    else:
        opened.add([{"id": "new", "text": "Something else entirely."}])
    assert [hit.id for hit in open_space(path).search("refund arrived", 5, mode="lexical")] == expected


@pytest.mark.parametrize("change", ["learned again", "compacted"])
def test_a_reader_whose_version_went_is_told_to_open_anew(path: Path, change: str) -> None:
    reader = open_space(path)
    if change == "compacted":
        open_space(path).remove(["d1"])
        open_space(path).compact(keep=timedelta(0))
    else:
        LatentSpace.create(path, tiny_corpus(range(20)), ENCODER)
    with pytest.raises(SpaceError, match=r"data/\w+\.lance is gone; .* open it again") as caught:
        reader.table(["id"])
    assert "\n" not in str(caught.value)
    assert len(open_space(path).table(["id"])) in (20, 39)


def test_what_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(SpaceError, match="no space at"):
        open_space(path / "none.space")
    with pytest.raises(SpaceError, match="'d99'"):
        open_space(path).take(["d1", "d99"])
    with pytest.raises(SpaceError, match="no column 'colour': there are id, title"):
        open_space(path).table(["colour"])
    with pytest.raises(QueryError, match="colour"):
        open_space(path).table(["id"], where="colour = 1")


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda space: space.remove("d8"), "a list of ids, got one text, 'd8'"),
        (lambda space: space.remove([5]), "ids as texts, got 5"),
        (lambda space: space.remove(["d1", None]), "ids as texts, got None"),
        (lambda space: space.take("d8"), "a list of ids, got one text, 'd8'"),
        (lambda space: space.table("id"), "a list of columns, got one text, 'id'"),
        (lambda space: space.table([1]), "columns as texts, got 1"),
        (lambda space: space.table(where=5), "as text; got 5"),
        (lambda space: space.search("refund", where=5), "as text; got 5"),
        (lambda space: space.search_many("refund"), "a list of queries, got one text, 'refund'"),
        (lambda space: space.search_many(None), "a list of queries, got None"),
        (lambda space: space.search_many([None]), "queries as texts, got None"),
        (lambda space: space.search(7), "queries as texts, got 7"),
    ],
)
def test_wrong_types_are_told_in_one_line_and_change_nothing(
    path: Path, ask: Callable[[LatentSpace], object], told: str
) -> None:
    with pytest.raises(QueryError, match=told) as caught:
        ask(open_space(path))
    assert "\n" not in str(caught.value)
    assert len(open_space(path)) == 40


@pytest.mark.parametrize("given", [None, 5, b"x.space"])
def test_what_is_no_path_is_told(given: object) -> None:
    with pytest.raises(SpaceError, match="expected the path of a space, got"):
        open_space(given)  # type: ignore[arg-type]


def test_ids_may_come_from_a_table(path: Path) -> None:
    opened = open_space(path)
    old = opened.table(["id"], where="year < 2010")["id"]
    assert 0 < opened.remove(old) == len(old) < 40
    assert not set(old.to_pylist()) & ids(opened)


def test_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    with pytest.raises(SpaceError, match="is not a space"):
        LatentSpace.create(tmp_path / "precious", tiny_corpus(range(3)), ENCODER)
    with pytest.raises(SourceError, match="empty"):
        LatentSpace.create(tmp_path / "x.space", tiny_corpus([]), ENCODER)
    assert [entry.name for entry in tmp_path.iterdir()] == ["precious"]


# ---- kills and company

CHILD = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from datetime import timedelta
from tiny import tiny_corpus, tiny_encoder
from tolman.space.space import LatentSpace, open_space
path, work = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
"""
CREATE = "space.BATCH = 64; LatentSpace.create(path, tiny_corpus(range(1280)), tiny_encoder())"
CHANGE = """
for turn in range(1000):
    opened = open_space(path)
    opened.add(tiny_corpus(range(100, 110), changed=f"Turn {turn}. "))
    opened.remove([f"d{n}" for n in range(100, 110)])
    opened.add(tiny_corpus(range(110, 120), changed=f"Turn {turn}. "))
    opened.compact(keep=timedelta(seconds=1))
"""


def start(path: Path, body: str) -> "subprocess.Popen[bytes]":
    code = CHILD.format(tests=str(Path(__file__).parent)) + "from tolman.space import space\n" + body
    child = subprocess.Popen([sys.executable, "-c", code, str(path), ""], stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"ready\n"
    return child


def kill_after(child: "subprocess.Popen[bytes]", seconds: float) -> None:
    time.sleep(seconds)
    child.kill()
    child.wait()
    assert child.stdout
    child.stdout.close()


@pytest.mark.parametrize("seed", range(3))
def test_killed_while_changing_it_opens_at_a_committed_version(path: Path, seed: int) -> None:
    kill_after(start(path, CHANGE), random.Random(seed).uniform(0.1, 1.5))
    opened = open_space(path)
    found = opened.table(["id", "text"]).to_pydict()
    for group in (range(100, 110), range(110, 120)):
        texts = [t for i, t in zip(found["id"], found["text"], strict=True) if i in numbered(*group)]
        assert len(texts) in (0, 10)
        assert len({text.split(".")[0] for text in texts}) <= 1  # all of one turn
    assert numbered(*range(40)) <= ids(opened)
    assert len(opened.search("refund arrived", 10)) == 10
    assert opened.add(tiny_corpus(range(200, 203))).added == 3


def test_killed_while_making_it_goes_on(tmp_path: Path) -> None:
    target = tmp_path / "x.space"
    child = start(target, CREATE)
    staged = tmp_path / "x.space.partial" / "documents.lance" / "_versions"
    while not staged.is_dir() or len(list(staged.iterdir())) < 4:
        time.sleep(0.005)
    kill_after(child, 0)
    assert not target.exists()
    appended = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space, "BATCH", 64)
        append = space.DocumentStore.append
        patch.setattr(space.DocumentStore, "append", lambda *a: (appended.append(len(a[1])), append(*a))[1])
        made = LatentSpace.create(target, tiny_corpus(range(1280)), ENCODER)
    assert 0 < sum(appended) < 1280
    assert (len(made), ids(made)) == (1280, numbered(*range(1280)))
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.space"]
    np.testing.assert_array_equal(
        made.vectors()[made.store.positions(["d777"])[0]], ENCODER.encode([tiny_document(777).content])[0]
    )


FULL_DISK = """
import resource, signal
from tolman.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
try:
    {work}
except StorageError as error:
    sys.exit("\\n" in str(error))
sys.exit(2)
"""


@pytest.mark.parametrize(
    "work",
    [
        "LatentSpace.create(path, tiny_corpus(range(5_000)), tiny_encoder())",
        "open_space(path).add(tiny_corpus(range(5_000)))",
    ],
)
def test_a_full_disk_leaves_the_old_space(path: Path, work: str) -> None:
    """The process may not write files of more than 40 kB: a write fails as on a full disk, in the middle."""
    assert start(path, FULL_DISK.format(work=work)).wait() == 0
    assert ids(open_space(path)) == numbered(*range(40))
    assert len(open_space(path).search("refund arrived", 5)) == 5
    assert [entry.name for entry in path.parent.iterdir()] == ["tiny.space"]


ADD = """
first = int({first})
for turn in range(6):
    assert open_space(path).add(tiny_corpus(range(first + 10 * turn, first + 10 * turn + 10))).added == 10
"""


def test_two_add_at_once_while_one_searches(path: Path) -> None:
    children = [start(path, ADD.format(first=first)) for first in (1_000, 2_000)]
    searches = 0
    while any(child.poll() is None for child in children):
        opened = open_space(path)
        assert len(opened) % 10 == 0  # never half of an addition
        assert len(opened.search("refund arrived", 10)) == 10
        searches += 1
    assert [child.wait() for child in children] == [0, 0]
    for child in children:
        assert child.stdout
        child.stdout.close()
    assert searches > 1
    assert ids(open_space(path)) == numbered(*range(40), *range(1_000, 1_060), *range(2_000, 2_060))


def test_parts_of_a_camel_case_name_find_it_and_the_whole_name_too(tmp_path: Path) -> None:
    texts = ["Shut down a ThreadPoolExecutor in an orderly way.", "Read a file line by line."] * 5
    source = [{"id": str(i), "text": f"{text} Number {i}."} for i, text in enumerate(texts)]
    space = LatentSpace.create(tmp_path / "c.space", read_corpus(source), tiny_encoder())
    for query in ("thread pool", "threadpoolexecutor", "ThreadPoolExecutor", "PoolExecutor"):
        assert {int(hit.id) % 2 for hit in space.search(query, 5, mode="lexical")} == {0}, query
