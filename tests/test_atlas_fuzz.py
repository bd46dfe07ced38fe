"""The OpenAPI document, fuzzed: no answer to what it allows, nor to what it doesn't, is a failure of the server."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tolman.atlas.app import create_app
from tolman.atlas.security import Limits

schemathesis = pytest.importorskip("schemathesis")
EXAMPLES = 10  # of each kind, for each of the calls
RULES = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def calls(tickets_space: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    path = Path(shutil.copytree(tickets_space, tmp_path_factory.mktemp("fuzzed") / "tickets.space"))
    hosts = frozenset({"localhost", "127.0.0.1", "::1", "testserver"})
    app = create_app(path, write=True, hosts=hosts, limits=Limits(changes=10**6))
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    return [result.ok() for result in schema.get_all_operations()]


def test_no_request_is_a_failure_of_the_server(calls: list[Any]) -> None:
    assert len(calls) > 25
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    for call in calls:
        cases = st.one_of(*(call.as_strategy(generation_mode=mode) for mode in modes))

        @RULES
        @given(case=cases)
        def ask(case: Any) -> None:
            answer = case.call()
            assert answer.status_code < 500 or answer.status_code == 501, f"{case.as_curl_command()}: {answer.text}"

        ask()
