"""What the server refuses, and that it never falls over."""

import shutil
from pathlib import Path

import pytest
from atlas_client import serving
from conftest import tree
from fastapi.testclient import TestClient

from tolman import open_space
from tolman.atlas.security import Limits

SCRIPT = "<script>document.title='taken'</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def client(tickets_space: Path, tmp_path_factory: pytest.TempPathFactory):
    path = Path(shutil.copytree(tickets_space, tmp_path_factory.mktemp("guarded") / "tickets.space"))
    with serving(path) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/documents/nothere", None, 404),
        ("GET", "/api/documents/nothere/neighbours", None, 404),
        ("GET", "/api/documents/..%2f..%2fspace.json", None, 404),
        ("GET", "/..%2f..%2fspace.json", None, 200),  # an address of the page, which is the page
        ("GET", "/assets/..%2f..%2f..%2fapp.py", None, 404),
        ("GET", "/api/topics/999", None, 404),
        ("GET", "/api/topics/x", None, 422),
        ("GET", "/api/nothere", None, 404),
        ("GET", "/api/map/columns/nothere", None, 404),
        ("GET", "/api/search", None, 422),
        ("GET", "/api/search?q=", None, 422),
        ("GET", "/api/search?q=%20", None, 400),
        ("GET", "/api/search?q=a&k=0", None, 422),
        ("GET", "/api/search?q=a&k=99999999999999999999", None, 422),
        ("GET", "/api/search?q=a&mode=magic", None, 422),
        ("GET", "/api/search?q=a&where=year+%3E", None, 400),
        ("GET", "/api/search?q=a&where=1%3D1%3B+DROP+TABLE+documents", None, 400),
        ("GET", "/api/search?q=a&where=nothere+%3D+1", None, 400),
        ("GET", "/api/search?q=" + "a" * 2_001, None, 422),
        ("GET", "/api/documents?row=99999", None, 404),
        ("GET", "/api/documents?offset=-1", None, 422),
        ("GET", "/api/export/documents?format=exe", None, 422),
        ("GET", "/api/senses/nosuchword", None, 400),
        ("POST", "/api/project", b"{", 422),
        ("POST", "/api/project", b'{"text": " "}', 400),
        ("POST", "/api/project", b'{"text": 3}', 422),
        ("POST", "/api/selection", b"{}", 400),
        ("POST", "/api/selection", b'{"ids": ["nothere"]}', 404),
        ("POST", "/api/selection", b'{"rows": [-1]}', 404),
        ("POST", "/api/selection", b'{"rows": [100000000000000000000000]}', 404),
        ("POST", "/api/add", b'{"documents": [{"text": "a"}]}', 403),
        ("POST", "/api/add/file", b"a", 403),
        ("POST", "/api/topics/merge", b'{"topics": [0, 1]}', 403),
        ("PATCH", "/api/topics/0", b'{"name": "x"}', 403),
        ("PUT", "/api/topics/0", b"{}", 405),
    ],
)
def test_bad_input_is_one_line_with_the_right_status(
    client: TestClient, method: str, path: str, body: bytes | None, status: int
) -> None:
    answer = client.request(method, path, content=body, headers={"content-type": "application/json"} if body else {})
    assert answer.status_code == status, answer.text
    if status != 200:
        assert list(answer.json()) == ["error"]
        assert len(answer.json()["error"].splitlines()) == 1
        assert "Traceback" not in answer.text


def test_where_the_space_is_stays_here(client: TestClient) -> None:
    told = client.get("/api/search", params={"q": "a", "where": "nothere = 1"}).text
    assert "/tickets.space" not in told
    assert "/" not in client.get("/api/space").json()["name"]


def test_a_reader_changes_nothing_on_disk(tickets_space: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(tickets_space, tmp_path / "tickets.space"))
    space = open_space(path)
    space.topics(), space.map(), space.search("a")
    before = tree(path)
    with serving(path) as client:
        client.post("/api/add", json={"documents": [{"text": "a"}]})
        client.post("/api/project", json={"text": "a parcel"})
        client.patch("/api/topics/0", json={"name": "x"})
        client.get("/api/export/documents")
    assert tree(path) == before


def test_every_answer_has_the_headers(client: TestClient) -> None:
    for path in ("/", "/api/space", "/api/nothere", "/api/search"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


def test_another_name_for_this_machine_is_refused(client: TestClient) -> None:
    assert client.get("/api/space", headers={"host": "evil.example"}).status_code == 403
    assert client.get("/api/space", headers={"host": "evil.example:8000"}).status_code == 403
    assert client.get("/api/space", headers={"host": "["}).status_code == 403
    assert client.get("/api/space", headers={"host": "127.0.0.1:8000"}).status_code == 200
    assert client.get("/api/space", headers={"host": "[::1]:8000"}).status_code == 200


def test_another_site_changes_nothing(own_space: Path) -> None:
    with serving(own_space, write=True) as client:
        document = {"documents": [{"text": "a"}]}
        assert client.post("/api/add", json=document, headers={"origin": "https://evil.example"}).status_code == 403
        assert client.post("/api/add", json=document, headers={"origin": "null"}).status_code == 403
        assert client.post("/api/add", json=document, headers={"origin": "http://localhost"}).status_code == 200


def test_a_token_is_wanted_and_becomes_a_cookie(tickets_space: Path) -> None:
    with serving(tickets_space, token="open-sesame") as client:
        assert client.get("/api/space").status_code == 401
        assert client.get("/").status_code == 401
        assert client.get("/?token=wrong").status_code == 401
        assert client.get("/api/space", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/api/space", headers={"authorization": "Bearer open-sesame"}).status_code == 200
        welcome = client.get("/?q=refund&token=open-sesame", follow_redirects=False)
        assert (welcome.status_code, welcome.headers["location"]) == (303, "/?q=refund")
        assert "HttpOnly" in welcome.headers["set-cookie"]
        assert "SameSite=Strict" in welcome.headers["set-cookie"]
        assert client.get("/api/space").status_code == 200
        client.cookies.clear()
        away = client.get("http://localhost//evil.example/?token=open-sesame", follow_redirects=False)
        assert away.headers["location"].startswith("/evil.example")


def test_uploads_are_bounded_in_size_and_rate(own_space: Path) -> None:
    with serving(own_space, write=True, limits=Limits(body=2_000, changes=3)) as client:
        assert client.post("/api/add/file", content=b"a" * 2_001).status_code == 413

        def drip():
            for _ in range(30):
                yield b"a" * 100

        assert client.post("/api/add/file", content=drip()).status_code == 413
        assert [client.post("/api/project", json={"text": "a parcel"}).status_code for _ in range(5)][-1] == 429
        assert client.get("/api/health").status_code == 200


def test_scripts_in_documents_stay_text(own_space: Path) -> None:
    with serving(own_space, write=True) as client:
        row = {"id": SCRIPT, "text": f"{SCRIPT} walrus", "title": SCRIPT}
        assert client.post("/api/add", json={"documents": [row]}).status_code == 200
        answer = client.get("/api/search", params={"q": "walrus", "mode": "lexical"})
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["hits"][0]["title"] == SCRIPT
        assert client.get("/api/documents/" + SCRIPT.replace("/", "%2F").replace("<", "%3C")).json()["id"] == SCRIPT
        assert SCRIPT not in client.get("/").text


def test_a_space_that_goes_and_comes_back(own_space: Path) -> None:
    with serving(own_space) as client:
        assert client.get("/api/search", params={"q": "refund"}).status_code == 200
        away = own_space.rename(own_space.with_name("away.space"))
        for path in ("/api/search?q=refund", "/api/space", "/api/documents", "/api/health", "/api/metrics"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "moved or deleted" in answer.json()["error"]
        assert client.get("/").status_code == 200
        away.rename(own_space)
        assert client.get("/api/search", params={"q": "refund"}).status_code == 200


def test_halves_of_characters_and_zero_bytes(client: TestClient) -> None:
    for path in ("/api/search?q=%ed%a0%80", "/api/documents/%00", "/api/documents/%ff", "/api/senses/%00"):
        assert client.get(path).status_code in (200, 400, 404, 422)
    body = b'{"text": "\\ud800 parcel"}'
    answer = client.post("/api/project", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 400, 422)
    ids = client.post("/api/selection", content=b'{"ids": ["\\ud800"]}', headers={"content-type": "application/json"})
    assert ids.status_code in (404, 422)
