import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from conftest import Cli

from tolman.cli.serve import is_loopback


@pytest.fixture
def start(tickets_space: Path):  # type: ignore[no-untyped-def]
    started: list[subprocess.Popen[str]] = []

    def run(*more: str) -> str:
        command = [sys.executable, "-m", "tolman", "serve", str(tickets_space), "--port", "0", *more]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
        started.append(server)
        assert server.stdout is not None
        return server.stdout.readline().strip()

    yield run
    for server in started:
        server.send_signal(signal.SIGINT)
        assert server.wait(20) in (0, 130)


def test_a_free_port_is_told_and_answers(start) -> None:  # type: ignore[no-untyped-def]
    address = start()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    assert b'"status":"ok"' in urllib.request.urlopen(f"{address}api/health").read()


def test_beyond_this_machine_a_token_is_made(start) -> None:  # type: ignore[no-untyped-def]
    address = start("--host", "0.0.0.0")
    base, token = address.replace("0.0.0.0", "127.0.0.1").split("?token=")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{base}api/health")
    asked = urllib.request.Request(f"{base}api/health", headers={"authorization": f"Bearer {token}"})
    assert urllib.request.urlopen(asked).status == 200


def test_what_cannot_be_served_is_one_line(cli: Cli, tickets_space: Path, tmp_path: Path) -> None:
    outcome = cli("serve", tmp_path / "none.space")
    assert (outcome.code, len(outcome.stderr.splitlines())) == (1, 1)
    assert cli("serve", tickets_space, "--token", "a b").code == 2
    assert cli("serve", tickets_space, "--port", "70000").code == 2
    outcome = cli("serve", tickets_space, "--host", "203.0.113.7")
    assert outcome.code == 1
    assert "can't listen at 203.0.113.7" in outcome.stderr


OWN = {"127.0.0.1": True, "::1": True, "localhost": True, "0.0.0.0": False, "example.org": False}


@pytest.mark.parametrize("host", OWN)
def test_what_is_this_machine(host: str) -> None:
    assert is_loopback(host) is OWN[host]
