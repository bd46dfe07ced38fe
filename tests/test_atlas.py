"""Every answer of the server, on a space of real tickets."""

import asyncio
import io
import json
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest
from atlas_client import serving
from fastapi.testclient import TestClient

import tolman
from tolman import LatentSpace, open_space
from tolman.atlas.binary import unpack
from tolman.atlas.live import LiveSpace


@pytest.fixture(scope="module")
def reading(tickets_space: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    path = shutil.copytree(tickets_space, tmp_path_factory.mktemp("served") / "tickets.space")
    with serving(path) as client:
        yield client


@pytest.fixture
def writing(own_space: Path) -> Iterator[TestClient]:
    with serving(own_space, write=True) as client:
        yield client


def test_the_space_tells_what_it_is(reading: TestClient, tickets_space: Path) -> None:
    told = reading.get("/api/space").json()
    space = open_space(tickets_space)
    assert (told["name"], told["documents"], told["dim"]) == ("tickets", len(space), space.dim)
    assert (told["writable"], told["labelled"], told["calibrated"]) == (False, True, True)
    assert "year" in told["metadata"]
    assert (told["card"], told["curves"], told["dates"]) == (True, True, ["year"])
    assert reading.get("/api/space/card").json()["markdown"].startswith("# tickets")
    assert reading.get("/api/space/versions").json()[-1]["documents"] == len(space)


def test_search_gives_what_python_gives(reading: TestClient, tickets_space: Path) -> None:
    told = reading.get("/api/search", params={"q": "refund never arrived", "k": 3}).json()
    expected = open_space(tickets_space).search("refund never arrived", 3)
    assert [(hit["id"], hit["snippet"]) for hit in told["hits"]] == [(hit.id, hit.snippet) for hit in expected]
    assert [hit["confidence"] for hit in told["hits"]] == pytest.approx([hit.confidence for hit in expected])
    assert told["relevant"] == expected.relevant
    assert told["python"] == "tolman.open_space('tickets.space').search('refund never arrived', k=3)"


def test_searches_that_come_together_are_the_same_as_alone(reading: TestClient, tickets_space: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    queries = [f"{word} {number}" for number in range(6) for word in ("refund", "parcel", "login", "invoice")]
    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda q: reading.get("/api/search", params={"q": q, "k": 4}).json(), queries))
    alone = open_space(tickets_space)
    for query, told in zip(queries, found, strict=True):
        assert [hit["id"] for hit in told["hits"]] == [hit.id for hit in alone.search(query, 4)]


def test_a_search_can_be_bounded(reading: TestClient) -> None:
    where = {"q": "refund", "where": "year > 2021", "k": 20}
    for hit in reading.get("/api/search", params=where).json()["hits"]:
        assert reading.get(f"/api/documents/{hit['id']}").json()["metadata"]["year"] > 2021
    topic = reading.get("/api/topics").json()["topics"][0]
    inside = {
        row["id"]
        for row in reading.get("/api/documents", params={"topic": topic["id"], "limit": 999}).json()["documents"]
    }
    hits = reading.get("/api/search", params={"q": "refund", "topic": topic["id"], "k": 5}).json()["hits"]
    assert hits
    assert {hit["id"] for hit in hits} <= inside


def test_a_search_in_a_topic_shows_what_a_search_shows(reading: TestClient, tickets_space: Path) -> None:
    topic = reading.get("/api/topics").json()["topics"][0]["id"]
    told = reading.get("/api/search", params={"q": "card refund", "topic": topic, "k": 5}).json()
    everywhere = {hit.id: hit for hit in open_space(tickets_space).search("card refund", k=298)}
    for hit in told["hits"]:
        same = everywhere[hit["id"]]
        assert (hit["title"], hit["snippet"], hit["score"]) == (same.title, same.snippet, round(same.score, 6))
    exported = reading.get("/api/export/search", params={"q": "card refund", "topic": topic, "k": 5, "format": "json"})
    assert [json.loads(line)["id"] for line in exported.text.splitlines()] == [hit["id"] for hit in told["hits"]]


def test_the_lines_of_python_of_a_search_in_a_topic_give_the_same(
    reading: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = reading.get("/api/topics").json()["topics"][0]["id"]
    told = reading.get("/api/search", params={"q": "card refund", "topic": topic, "k": 5}).json()
    monkeypatch.chdir(reading.app.state.live.path.parent)  # type: ignore[attr-defined]
    *before, last = told["python"].splitlines()
    names: dict[str, object] = {"tolman": tolman}
    exec("\n".join(before), names)
    assert [hit.id for hit in eval(last, names)] == [hit["id"] for hit in told["hits"]]


def test_what_became_of_a_sense_is_told(reading: TestClient) -> None:
    chosen, not_chosen = reading.get("/api/search", params={"q": "refund~1 parcel~river"}).json()["senses"]
    assert (chosen["word"], chosen["number"], chosen["note"]) == ("refund", 1, "")
    assert chosen["words"]
    assert not_chosen["number"] is None
    assert "parcel" in not_chosen["note"]
    assert reading.get("/api/search", params={"q": "refund"}).json()["senses"] == []


def test_nothing_relevant_is_said(reading: TestClient) -> None:
    assert reading.get("/api/search", params={"q": "zymurgy quasar"}).json()["relevant"] is False


def test_a_huge_k_is_all_there_is(reading: TestClient) -> None:
    assert len(reading.get("/api/search", params={"q": "refund", "k": 1000}).json()["hits"]) <= 298


def test_documents_come_in_pages(reading: TestClient) -> None:
    first = reading.get("/api/documents", params={"limit": 10}).json()
    second = reading.get("/api/documents", params={"limit": 10, "offset": 10}).json()
    assert first["total"] == second["total"] == 298
    assert len({row["id"] for row in first["documents"] + second["documents"]}) == 20
    assert [row["row"] for row in second["documents"]] == list(range(10, 20))


def test_a_document_has_neighbours_and_they_have_reasons(reading: TestClient) -> None:
    id = reading.get("/api/search", params={"q": "refund never arrived"}).json()["hits"][0]["id"]
    reading.get("/api/map")
    told = reading.get(f"/api/documents/{id}").json()
    assert told["text"]
    assert 0 <= told["trust"] <= 1
    near = reading.get(f"/api/documents/{id}/neighbours", params={"k": 5, "sentences": True}).json()["neighbours"]
    assert len(near) == 5
    assert id not in {each["id"] for each in near}
    assert any(each["shared_words"] for each in near)
    assert near[0]["sentences"]["own"] in told["text"]


def test_the_map_is_one_message(reading: TestClient, tickets_space: Path) -> None:
    answer = reading.get("/api/map")
    facts, arrays = unpack(answer.content)
    ids = open_space(tickets_space).table(["id"])["id"].to_pylist()
    assert facts["ids"] == ids
    assert {name: len(array) for name, array in arrays.items()} == dict.fromkeys(
        ("x", "y", "trust", "broad", "shown", "fine"), len(ids)
    )
    assert reading.get("/api/map", headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    for column in facts["columns"]:
        told, colors = unpack(reading.get(f"/api/map/columns/{column}").content)
        assert told["name"] == column
        assert len(colors["index"]) == len(ids)
    _, scores = unpack(reading.get("/api/scores", params={"q": "refund"}).content)
    assert len(scores["cosine"]) == len(ids)


def test_a_text_lands_somewhere_and_changes_nothing(reading: TestClient) -> None:
    told = reading.post("/api/project", json={"text": "My refund has still not arrived after three weeks"}).json()
    assert told["x"] is not None
    assert told["topic_name"]
    assert len(told["neighbours"]) == 10
    assert reading.get("/api/health").json()["documents"] == 298


def test_the_documents_of_a_file_land_and_change_nothing(reading: TestClient) -> None:
    content = "id,subject,body\na,Refund,My refund never arrived\nb,Size,The jacket does not fit\n"
    told = reading.post("/api/project/file", params={"name": "new.csv"}, content=content).json()
    assert (told["documents"], [landing["title"] for landing in told["landings"]]) == (2, ["Refund", "Size"])
    alone = reading.post("/api/project", json={"text": "Refund\nMy refund never arrived"}).json()
    first = told["landings"][0]
    assert first["topic"] == alone["topic"]
    assert (first["x"], first["y"]) == pytest.approx((alone["x"], alone["y"]))
    assert reading.get("/api/health").json()["documents"] == 298
    assert reading.post("/api/project/file", params={"name": "new.csv"}, content=b"\xff").status_code == 400


def test_a_selection_tells_what_sets_it_apart(reading: TestClient) -> None:
    hits = reading.get("/api/search", params={"q": "refund", "k": 15}).json()["hits"]
    told = reading.post("/api/selection", json={"ids": [hit["id"] for hit in hits]}).json()
    assert told["documents"] == 15
    assert sum(topic["documents"] for topic in told["topics"]) == 15
    assert told["words"][0]["selected"] > told["words"][0]["elsewhere"]
    assert told == reading.post("/api/selection", json={"rows": [hit["row"] for hit in hits]}).json()


def test_words_have_senses_and_neighbours(reading: TestClient) -> None:
    told = reading.get("/api/senses/refund").json()
    assert told["senses"][0]["number"] == 1
    assert reading.get("/api/words/refund", params={"k": 3}).json()


EXPORTS = ("search?q=refund", "documents", "topics", "map", "senses?word=refund", "neighbours?id=tk-1")


@pytest.mark.parametrize("what", EXPORTS)
@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_everything_is_a_file_too(reading: TestClient, what: str, kind: str) -> None:
    answer = reading.get(f"/api/export/{what}{'&' if '?' in what else '?'}format={kind}")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["content-disposition"]
    if kind == "csv":
        rows = len(
            pyarrow.csv.read_csv(
                io.BytesIO(answer.content), parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True)
            )
        )
    elif kind == "parquet":
        rows = len(pyarrow.parquet.read_table(io.BytesIO(answer.content)))
    else:
        rows = len([json.loads(line) for line in answer.text.splitlines()])
    assert rows > 1


def test_a_selection_is_a_file(reading: TestClient) -> None:
    answer = reading.post("/api/export/selection?format=json", json={"rows": [3, 1]})
    assert len(answer.text.splitlines()) == 2


def test_topics_are_changed_by_people_and_the_map_follows(writing: TestClient) -> None:
    before = writing.get("/api/topics").json()["topics"]
    shown = [topic for topic in before if topic["depth"] == "shown"]
    first, second = shown[0]["id"], shown[1]["id"]
    named = writing.patch(f"/api/topics/{first}", json={"name": "Money back", "pinned": True}).json()["topics"]
    assert next(t for t in named if t["id"] == first)["name"] == "Money back"
    tag = writing.get("/api/map").headers["etag"]
    merged = writing.post("/api/topics/merge", json={"topics": [first, second]}).json()["topics"]
    assert next(t for t in merged if t["id"] == first)["size"] == shown[0]["size"] + shown[1]["size"]
    assert second not in {t["id"] for t in merged if t["depth"] == "shown"}
    answer = writing.get("/api/map", headers={"if-none-match": tag})
    assert answer.status_code == 200
    assert second not in unpack(answer.content)[1]["shown"]
    split = writing.post(f"/api/topics/{first}/split")
    assert split.status_code == 200
    assert len([t for t in split.json()["topics"] if t["depth"] == "shown"]) >= len(shown)


def test_documents_are_added_and_found_at_once(writing: TestClient) -> None:
    writing.get("/api/map")
    told = writing.post("/api/add", json={"documents": [{"id": "new", "text": "The glacier violin exploded at dawn"}]})
    assert told.json() == {"added": 1, "updated": 0, "unchanged": 0, "ignored_columns": [], "documents": 299}
    assert (
        writing.get("/api/search", params={"q": "glacier violin", "mode": "lexical"}).json()["hits"][0]["id"] == "new"
    )
    assert unpack(writing.get("/api/map").content)[0]["ids"].count("new") == 1


@pytest.mark.parametrize(
    ("name", "content", "added"),
    [
        ("a.jsonl", '{"id": "a", "text": "one"}\n{"id": "b", "text": "two"}\n', 2),
        ("a.csv", "id,text\na,one\nb,two\n", 2),
        ("a.txt", "one long text", 1),
    ],
)
def test_files_are_added(writing: TestClient, name: str, content: str, added: int) -> None:
    answer = writing.post("/api/add/file", params={"name": name}, content=content)
    assert answer.json()["added"] == added


def test_what_others_change_is_seen(writing: TestClient, own_space: Path) -> None:
    before = writing.get("/api/search", params={"q": "walrus", "mode": "lexical"}).json()
    open_space(own_space).add([{"id": "w", "text": "A walrus on the parcel"}])
    assert "w" not in {hit["id"] for hit in before["hits"]}
    assert writing.get("/api/search", params={"q": "walrus", "mode": "lexical"}).json()["hits"][0]["id"] == "w"


def test_searches_are_answered_while_documents_are_added(writing: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    began, goes_on, add = threading.Event(), threading.Event(), LatentSpace.add

    def slow(space: LatentSpace, rows: object) -> object:
        done = add(space, rows)
        began.set()
        assert goes_on.wait(30)
        return done

    monkeypatch.setattr(LatentSpace, "add", slow)
    query = {"q": "glacier violin", "mode": "lexical"}
    with ThreadPoolExecutor(1) as thread:
        adding = thread.submit(writing.post, "/api/add", json={"documents": [{"id": "n", "text": "A glacier violin"}]})
        assert began.wait(30)
        assert "n" not in {hit["id"] for hit in writing.get("/api/search", params=query).json()["hits"]}
        goes_on.set()
        assert adding.result(30).json()["added"] == 1
    assert writing.get("/api/search", params=query).json()["hits"][0]["id"] == "n"


def test_a_form_is_no_file_and_nothing_is_added(writing: TestClient) -> None:
    before = writing.get("/api/space").json()["documents"]
    for path in ("/api/add/file", "/api/project/file"):
        told = writing.post(path, params={"name": "n.csv"}, files={"file": ("n.csv", b"id,text\n1,hello\n")})
        assert (told.status_code, "--data-binary" in told.json()["error"]) == (415, True)
    assert writing.get("/api/space").json()["documents"] == before


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [(b'{"documents": [', "application/json", "no whole JSON"), (b"documents", "text/plain", "Content-Type")],
)
def test_what_is_no_json_is_said(writing: TestClient, body: bytes, kind: str, says: str) -> None:
    told = writing.post("/api/add", content=body, headers={"content-type": kind})
    assert told.status_code == 422
    assert says in told.json()["error"]


def test_a_server_that_ends_finishes_a_change_and_waits_for_no_reader(own_space: Path) -> None:
    reading, released, changed = threading.Event(), threading.Event(), []

    def read() -> None:
        reading.set()
        released.wait(60)

    def change(_: LatentSpace) -> None:
        time.sleep(0.5)
        changed.append(True)

    async def work() -> None:
        live = LiveSpace(own_space)
        reader, changer = asyncio.ensure_future(live.in_slow(read)), asyncio.ensure_future(live.change(change))
        while not reading.is_set():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        changer.cancel()  # as the server does with who is not answered in time
        began = time.monotonic()
        await live.close()
        assert changed
        assert time.monotonic() - began < 30
        released.set()
        await reader

    asyncio.run(work())


def test_the_next_version_takes_over_what_is_in_memory(own_space: Path) -> None:
    async def work() -> None:
        live = LiveSpace(own_space)
        await live.warm()
        before = await live.now()
        await live.change(lambda space: space.add([{"id": "w", "text": "A walrus on the parcel"}]))
        after = await live.now()
        assert after.space.windows is before.space.windows
        expected = open_space(own_space).search("refund walrus parcel", 20)
        for hit, other in zip(after.space.search("refund walrus parcel", 20), expected, strict=True):
            assert (hit.id, hit.snippet) == (other.id, other.snippet)
            assert (hit.score, hit.confidence) == pytest.approx((other.score, other.confidence), rel=1e-4)
        assert after.row_of["w"] == len(before.ids)
        await live.close()

    asyncio.run(work())


def test_metrics_are_what_prometheus_reads(reading: TestClient) -> None:
    reading.get("/api/search", params={"q": "refund"})
    told = reading.get("/api/metrics").text
    assert 'tolman_requests_total{route="/api/search",status="200"}' in told
    assert "tolman_documents 298" in told
    assert 'le="+Inf"' in told


def test_the_page_ships_with_the_package_and_its_addresses_are_it(reading: TestClient) -> None:
    page = reading.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert reading.get("/?q=refund&view=topics").text == page.text == reading.get("/api/docs").text
    script = page.text.split('src="')[1].split('"')[0]
    assert reading.get(script).headers["cache-control"].startswith("public")
    assert "<style" not in page.text
    assert "https://" not in page.text
