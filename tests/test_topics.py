import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import tree as files
from tiny import tiny_encoder

from tolman import Document, LatentSpace, QueryError, SpaceError, SpaceMismatch, StorageError, open_space
from tolman.corpus.corpus import Corpus

SUBJECTS = ("refund", "parcel", "invoice", "login", "lamp", "garden")


def document(number: int, subject: str) -> Document:
    digest = hashlib.sha256(f"{subject}{number}".encode()).digest()
    fillers = " ".join(f"word{byte % 200}" for byte in digest[:4])
    text = f"{subject} {subject} {subject} {fillers}"
    return Document(f"{subject}{number}", text, metadata={"day": f"20{20 + number % 3}-0{1 + number % 9}-15"})


def documents(subjects: tuple[str, ...] = SUBJECTS, each: int = 40) -> list[Document]:
    return [document(number, subject) for subject in subjects for number in range(each)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("topics") / "made.space"
    space = LatentSpace.create(path, Corpus.from_documents(documents()), tiny_encoder())
    space.topics()
    return path


@pytest.fixture
def space(made: Path, tmp_path: Path) -> LatentSpace:
    return open_space(shutil.copytree(made, tmp_path / "own.space"))


def by_subject(space: LatentSpace) -> dict[str, int]:
    rows = space.topics().documents().to_pylist()
    return {subject: next(r["topic"] for r in rows if r["id"] == f"{subject}0") for subject in SUBJECTS}


def test_topics_are_found_once_and_read_ever_after(space: LatentSpace) -> None:
    before = files(space.path / "topics")
    topics = space.topics()
    assert files(space.path / "topics") == before
    assert len(topics.shown) == len(SUBJECTS)
    assert sum(topic.size for topic in topics.shown) == len(space)
    for topic in topics.shown:
        subject = topic.words[0].split()[0]
        assert subject in SUBJECTS
        assert all(name.startswith(subject) for name in topic.typical)


def test_every_document_has_a_row_exact_duplicates_too(tmp_path: Path) -> None:
    given = documents()
    twice = [Document(f"again{i}", each.text, metadata=each.metadata) for i, each in enumerate(given[:3])]
    space = LatentSpace.create(tmp_path / "two.space", Corpus.from_documents([*given, *twice]), tiny_encoder())
    rows = space.topics().documents()
    assert sorted(rows["id"].to_pylist()) == sorted(each.id for each in [*given, *twice])
    topic = dict(zip(rows["id"].to_pylist(), rows["topic"].to_pylist(), strict=True))
    assert topic["again0"] == topic["refund0"]


def test_labels_and_rows_and_members_agree(space: LatentSpace) -> None:
    topics = space.topics()
    rows = topics.documents()
    assert rows["topic"].fill_null(-1).to_pylist() == topics.labels.tolist()
    for topic in topics.shown:
        assert set(topics.members(topic.id)["topic"].to_pylist()) == {topic.id}
        assert len(topics.members(topic.id)) == (topics.labels == topic.id).sum() == topic.size
    assert set(topics.documents("fine")["topic"].drop_null().to_pylist()) <= {topic.id for topic in topics}


def test_where_there_are_no_broad_topics_the_shown_are_the_broadest(space: LatentSpace) -> None:
    topics = space.topics()
    assert not topics.broad
    assert topics.documents("broad").equals(topics.documents("shown"))


def test_what_comes_is_placed_and_what_goes_is_gone(space: LatentSpace) -> None:
    where, before = by_subject(space), space.topics()
    space.add(Corpus.from_documents([document(100, "lamp"), document(101, "garden")]))
    space.remove(["refund0"])
    after = space.topics()
    rows = {row["id"]: row for row in after.documents().to_pylist()}
    assert (rows["lamp100"]["topic"], rows["garden101"]["topic"]) == (where["lamp"], where["garden"])
    assert rows["lamp100"]["probability"] > 0.9
    assert "refund0" not in rows
    assert after[where["lamp"]].size == before[where["lamp"]].size + 1
    assert after[where["refund"]].size == before[where["refund"]].size - 1


def test_all_documents_may_be_replaced(space: LatentSpace) -> None:
    before = space.topics()
    space.add(Corpus.from_documents(documents(("violin", "harbour", "glacier"))))
    space.remove([f"{subject}{number}" for subject in SUBJECTS for number in range(40)])
    after = space.topics()
    assert len(after.labels) == 120
    assert min(topic.id for topic in after.shown) > max(topic.id for topic in before)
    assert len(after.find_again().shown) == len(after.shown)


def test_a_document_whose_text_changed_is_placed_anew(space: LatentSpace) -> None:
    where = by_subject(space)
    space.add(Corpus.from_documents([Document("lamp3", document(3, "parcel").text, metadata={"day": "2020-01-15"})]))
    rows = {row["id"]: row["topic"] for row in space.topics().documents().to_pylist()}
    assert rows["lamp3"] == where["parcel"]
    assert rows["lamp4"] == where["lamp"]


def test_a_pile_of_documents_that_belong_nowhere_becomes_a_topic(space: LatentSpace) -> None:
    known = {topic.id for topic in space.topics().shown}
    one = [document(200, "violin")]
    space.add(Corpus.from_documents(one))
    assert not {topic.id for topic in space.topics().shown} - known
    space.add(Corpus.from_documents([document(number, "violin") for number in range(201, 230)]))
    raised = {topic.id for topic in space.topics().shown} - known
    assert len(raised) == 1
    assert space.topics()[raised.pop()].words[0].startswith("violin")


def test_found_again_topics_keep_numbers_and_names_and_newcomers_get_their_own(space: LatentSpace) -> None:
    space.add(Corpus.from_documents([document(number, "violin") for number in range(30)]))
    before = space.topics()
    after = before.find_again()
    assert {topic.id: topic.name for topic in before.shown}.items() <= {t.id: t.name for t in after.shown}.items()
    old = np.array([not name.startswith("violin") for name in before.documents()["id"].to_pylist()])
    assert (after.labels == before.labels)[old].mean() >= 0.98
    assert len(set(after.labels[~old])) == 1


def test_texts_are_placed_and_nothing_is_changed_by_it(space: LatentSpace) -> None:
    before = files(space.path / "topics")
    near, far = space.topics().place([document(300, "login").text, "xyzzy plugh"])
    assert near.topic == by_subject(space)["login"]
    assert near.probability > 0.9
    assert far.topic is None
    assert files(space.path / "topics") == before


def test_a_name_given_by_a_person_survives_all(space: LatentSpace) -> None:
    number = by_subject(space)["lamp"]
    assert space.topics().rename(number, "  Lights &\n <b>Lamps</b> ")[number].name == "Lights & <b>Lamps</b>"
    assert open_space(space.path).topics()[number].name == "Lights & <b>Lamps</b>"
    space.add(Corpus.from_documents([document(number, "lamp") for number in range(50, 60)]))
    assert space.topics().find_again()[number].named_by == "person"
    assert space.topics().find_again(from_nothing=True)[number].name == "Lights & <b>Lamps</b>"


def test_merged_topics_stay_one_and_can_be_split_again(space: LatentSpace) -> None:
    where, before = by_subject(space), space.topics()
    merged = space.topics().merge([where["lamp"], where["garden"]])
    assert len(merged.shown) == len(SUBJECTS) - 1
    assert merged[where["lamp"]].size == before[where["lamp"]].size + before[where["garden"]].size
    again = space.topics().find_again(bearable=1.0)
    one = merged.labels == where["lamp"]
    assert (again.labels[one] == where["lamp"]).all()
    parts = {part.name: part.size for part in again.children(where["lamp"])}
    split = again.split(where["lamp"])
    assert split[where["garden"]].name == before[where["garden"]].name
    assert parts.items() <= {topic.name: topic.size for topic in split.shown}.items()
    assert sum(parts.values()) == again[where["lamp"]].size


def test_a_topic_that_another_was_merged_into_is_itself_again_when_split(space: LatentSpace) -> None:
    where, before = by_subject(space), space.topics()
    first, second = where["garden"], where["parcel"]
    assert not before.children(first)
    split = before.merge([first, second]).split(first)
    np.testing.assert_array_equal(split.labels == first, before.labels == first)
    assert split[first].name == before[first].name


def test_nothing_is_lost_when_two_change_topics_at_once(space: LatentSpace) -> None:
    first, second = space.topics(), open_space(space.path).topics()
    first.rename(0, "one")
    second.rename(1, "two")
    assert (space.topics()[0].name, space.topics()[1].name) == ("one", "two")


def test_a_topics_that_is_out_of_date_says_so(space: LatentSpace) -> None:
    topics = space.topics()
    space.remove(["refund1"])
    with pytest.raises(QueryError, match="ask for them again"):
        topics.documents()


def test_a_change_of_topics_that_others_brought_up_to_date_is_refused_and_loses_nothing(space: LatentSpace) -> None:
    topics, other = space.topics(), open_space(space.path)
    other.add(Corpus.from_documents([document(77, "lamp")]))
    other.topics().rename(1, "one")
    with pytest.raises(QueryError, match="ask for them again"):
        topics.rename(0, "zero")
    assert open_space(space.path).topics()[1].name == "one"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t[999], "no topic 999"),
        (lambda t: t.rename(999, "x"), "no topic 999"),
        (lambda t: t.rename(0, "  "), "expected a name"),
        (lambda t: t.rename(0, 7), "expected a name"),
        (lambda t: t.merge([0]), "at least two"),
        (lambda t: t.merge([0, 0]), "at least two"),
        (lambda t: t.merge([0, 999]), "no topic 999"),
        (lambda t: t.split(0), "nothing to split"),
        (lambda t: t.pin(999), "no topic 999"),
        (lambda t: t.find_again(bearable=2), "a share from 0 to 1"),
        (lambda t: t.place("one text"), "put it in brackets"),
        (lambda t: t.over_time("nope"), "no metadata column 'nope'"),
        (lambda t: t.over_time("day", every="week"), "year, month or day"),
    ],
)
def test_what_cant_be_done_is_said_and_changes_nothing(space: LatentSpace, change, says) -> None:
    space.verify()
    before = files(space.path)
    with pytest.raises(QueryError, match=says):
        change(space.topics())
    assert files(space.path) == before


def test_a_namer_names_what_no_person_named_and_its_names_stay(space: LatentSpace) -> None:
    topics = space.topics().rename(0, "Mine")
    seen = {}

    def namer(words, texts):
        seen[tuple(words)] = texts
        return None if words == topics[1].words else f"  About \n{words[0]} "

    named = topics.name_by(namer)
    assert (named[0].name, named[0].named_by) == ("Mine", "person")
    assert (named[1].name, named[1].named_by) == (topics[1].name, "words")
    assert (named[2].name, named[2].named_by) == (f"About {topics[2].words[0]}", "model")
    assert all(topics[2].words[0].split()[0] in text for text in seen[topics[2].words])
    assert topics[0].words not in seen
    again = open_space(space.path).topics().find_again()
    assert [topic.name for topic in again.shown] == [topic.name for topic in named.shown]


def test_a_namer_of_topics_that_are_outdated_is_never_asked(space: LatentSpace) -> None:
    topics = space.topics()
    space.add(Corpus.from_documents([Document("late", "a parcel that came late")]))
    with pytest.raises(QueryError, match="ask for them again"):
        topics.name_by(lambda *_: pytest.fail("asked"))


def test_counts_over_time_add_up(space: LatentSpace) -> None:
    topics = space.topics()
    for every, length in (("year", 4), ("month", 7), ("day", 10)):
        counts = topics.over_time("day", every)
        assert sum(counts["documents"].to_pylist()) == (topics.labels >= 0).sum()
        assert {len(period) for period in counts["period"].to_pylist()} == {length}
    shares: dict[str, float] = {}
    for row in topics.over_time("day", "year").to_pylist():
        shares[row["period"]] = shares.get(row["period"], 0) + row["share"]
    assert all(abs(share - 1) < 1e-9 for share in shares.values())


def test_bertopics_tables_have_its_columns_and_minus_one_for_nowhere(space: LatentSpace) -> None:
    space.add(Corpus.from_documents([Document("odd", "xyzzy plugh")]))
    info, rows = space.topics().to_bertopic()
    assert {"Topic", "Count", "Name", "Representation"} <= set(info.column_names)
    assert sum(info["Count"].to_pylist()) == len(space)
    assert {"Document", "Topic", "Name", "Probability"} <= set(rows.column_names)
    assert dict(zip(rows["id"].to_pylist(), rows["Topic"].to_pylist(), strict=True))["odd"] == -1
    assert info["Name"].to_pylist()[1].startswith(f"{info['Topic'][1]}_")


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}', "null", "\udcff".encode("utf-8", "surrogateescape")])
def test_damaged_topics_are_told_and_can_be_found_from_nothing(space: LatentSpace, content) -> None:
    file = space.path / "topics" / "topics.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SpaceError, match="damaged"):
        space.topics()
    shutil.rmtree(space.path / "topics")
    assert len(space.topics().shown) == len(SUBJECTS)


def test_a_lost_or_cut_table_of_documents_is_damage(space: LatentSpace) -> None:
    file = next((space.path / "topics").glob("documents-*.arrow"))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(SpaceError, match="damaged"):
        space.topics()
    file.unlink()
    with pytest.raises(SpaceError, match="damaged"):
        space.topics()


def test_topics_of_another_encoder_or_a_newer_tolman_are_refused(space: LatentSpace) -> None:
    file = space.path / "topics" / "topics.json"
    whole = file.read_text()
    file.write_text(whole.replace(space.description.encoder.fingerprint, "0" * 64))
    with pytest.raises(SpaceMismatch):
        space.topics()
    file.write_text(whole.replace('"format": 1', '"format": 99'))
    with pytest.raises(SpaceError, match="pip install -U tolman"):
        space.topics()


def test_a_space_that_cant_be_written_has_topics_but_no_changed_ones(
    space: LatentSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(space.path / "topics")
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(OSError(30, "Read-only file system")))
    topics = space.topics()
    assert len(topics.shown) == len(SUBJECTS)
    with pytest.raises(StorageError, match="Read-only file system"):
        topics.rename(0, "x")
    assert not (space.path / "topics").exists()


def test_a_full_disk_leaves_the_topics_that_were(space: LatentSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    topics, before = space.topics(), files(space.path / "topics")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tolman.topics.record._write_documents", full)
    with pytest.raises(StorageError, match="No space left"):
        topics.rename(0, "x")
    monkeypatch.undo()
    assert space.topics()[0].name != "x"
    assert before.keys() <= files(space.path / "topics").keys()


def test_a_small_space_has_no_topics(tmp_path: Path) -> None:
    space = LatentSpace.create(tmp_path / "s.space", Corpus.from_documents(documents(each=2)), tiny_encoder())
    with pytest.raises(QueryError, match="at least 20 documents"):
        space.topics()
    assert not (space.path / "topics").exists()
