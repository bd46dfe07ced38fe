"""How many searches a second `tolman serve` answers, how fast, and whether its memory stays flat.

The load comes from a process of its own, over kept connections on the loopback: raw HTTP/1.1, so that the client costs
little. Queries are runs of two to five words of the documents themselves. `distinct`: no query comes twice, in all
measurements of a run; `repeated`: 500 queries come again and again, as with people. `+adding`: documents are added
meanwhile.

    python benchmarks/serve.py --space tickets.space --seconds 60 --clients 8
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from report import write_result

PORT = 8_765
FEW = 500
IDLE_SECONDS = 3


def queries_of(space: Path, seed: int = 0) -> Iterator[str]:
    """Two to five words in a row, out of documents; none twice."""
    from tolman import open_space

    chance, texts = random.Random(seed), open_space(space).table(["text"])["text"].to_pylist()
    asked: set[int] = set()
    while True:
        words = chance.choice(texts).split()
        start = chance.randrange(max(1, len(words) - 5))
        query = " ".join(words[start : start + chance.randint(2, 5)])[:200]
        if any(letter.isalnum() for letter in query) and hash(query) not in asked:
            asked.add(hash(query))
            yield query


def again_and_again(queries: Sequence[str]) -> Iterator[str]:
    """Some of them, as chance will have it."""
    chance = random.Random(0)
    while True:
        yield chance.choice(queries)


async def request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str, body: bytes = b"") -> int:
    """One exchange on an open connection; the status."""
    writer.write(
        f"{head} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/json\r\n\r\n".encode()
        + body
    )
    told = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in told.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))
    return int(told.split(b" ", 2)[1])


async def client(queries: Iterator[str], until: float, waits: list[float], failed: list[int], k: int) -> None:
    """Ask, wait, ask the next."""
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    while time.perf_counter() < until:
        query = urllib.parse.quote(next(queries))
        began = time.perf_counter()
        status = await request(reader, writer, f"GET /api/search?q={query}&k={k}")
        waits.append(time.perf_counter() - began)
        if status != 200:
            failed.append(status)
    writer.close()


async def adder(until: float, every: float, added: list[float], failed: list[int]) -> None:
    """A new document now and then."""
    number = time.time_ns()
    while time.perf_counter() < until:
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        body = json.dumps({"documents": [{"id": f"bench{number}", "text": f"A parcel number {number} arrived late"}]})
        began = time.perf_counter()
        status = await request(reader, writer, "POST /api/add", body.encode())
        added.append(time.perf_counter() - began)
        writer.close()
        if status != 200:
            failed.append(status)
        number += 1
        await asyncio.sleep(every)


@dataclass
class Memory:
    """Megabytes of the server, once a second: all that is resident, and what of it is no mapped file."""

    resident: list[float] = field(default_factory=list)
    anonymous: list[float] = field(default_factory=list)

    async def watch(self, pid: int, until: float) -> None:
        """Until then."""
        page = os.sysconf("SC_PAGE_SIZE") / 2**20
        while time.perf_counter() < until:
            pages = [int(number) for number in Path(f"/proc/{pid}/statm").read_text().split()]
            self.resident.append(pages[1] * page)
            self.anonymous.append((pages[1] - pages[2]) * page)
            await asyncio.sleep(1)

    def told(self) -> dict[str, int]:
        """Medians of five seconds, and the most."""
        marks = {"start": slice(0, 5), "after 1 min": slice(58, 63), "end": slice(-5, None)}
        return {
            **{
                f"MB at {name}" if name != "after 1 min" else "MB after 1 min": _median(self.resident[part])
                for name, part in marks.items()
            },
            "MB at most": round(max(self.resident)),
            "anonymous MB after 1 min": _median(self.anonymous[marks["after 1 min"]]),
            "anonymous MB at end": _median(self.anonymous[marks["end"]]),
        }


def _median(megabytes: list[float]) -> int:
    """0 where nothing was measured."""
    return round(float(np.median(megabytes))) if megabytes else 0


def cpu_seconds(pid: int) -> float:
    """Of processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_idle(pid: int) -> float:
    """Until the server has read into memory what it does, which it tells nobody; seconds that it took."""
    began, idle = time.perf_counter(), 0
    while idle < IDLE_SECONDS:
        before = cpu_seconds(pid)
        time.sleep(1)
        idle = idle + 1 if cpu_seconds(pid) - before < 0.1 else 0
    return time.perf_counter() - began - IDLE_SECONDS


async def load(
    pid: int, queries: Iterator[str], options: argparse.Namespace, *, adding: bool
) -> dict[str, float | int]:
    """One measurement."""
    until = time.perf_counter() + options.seconds
    waits, failed, added, memory = [], [], [], Memory()  # type: ignore[var-annotated]
    tasks = [client(queries, until, waits, failed, options.k) for _ in range(options.clients)]
    tasks.append(memory.watch(pid, until))
    if adding:
        tasks.append(adder(until, options.every, added, failed))
    await asyncio.gather(*tasks)
    return {
        "seconds": options.seconds,
        "clients": options.clients,
        "searches": len(waits),
        "searches a second": round(len(waits) / options.seconds, 1),
        **{f"p{share} ms": round(float(np.percentile(waits, share)) * 1e3, 1) for share in (50, 95, 99)},
        "longest ms": round(max(waits) * 1e3),
        "errors": len(failed),
        "documents added": len(added),
        "add ms": round(float(np.median(added)) * 1e3) if added else 0,
        **memory.told(),
        "load average": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--every", type=float, default=5, help="seconds between documents added")
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--kinds", default="distinct,repeated,distinct+adding", help="one with :SECONDS of its own")
    options = parser.parse_args()
    rows = []
    with TemporaryDirectory() as folder:
        space = Path(shutil.copytree(options.space, Path(folder) / options.space.name))
        distinct = queries_of(space)
        few = [next(distinct) for _ in range(FEW)]
        command = [sys.executable, "-m", "tolman", "serve", str(space), "--port", str(PORT), "--write"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            server.stdout.readline()
            ready = wait_until_idle(server.pid)
            for kind, _, seconds in (each.partition(":") for each in options.kinds.split(",")):
                asked = distinct if kind.startswith("distinct") else again_and_again(few)
                used = cpu_seconds(server.pid)
                own = argparse.Namespace(**{**vars(options), "seconds": float(seconds or options.seconds)})
                row = asyncio.run(load(server.pid, asked, own, adding=kind.endswith("adding")))
                row["server CPU ms a search"] = round((cpu_seconds(server.pid) - used) * 1e3 / row["searches"], 2)
                rows.append({"queries": kind, **row})
                print(json.dumps(rows[-1]), flush=True)
        finally:
            server.terminate()
            server.wait(20)
    from tolman import open_space

    documents = len(open_space(options.space))
    write_result(
        "serve",
        rows,
        f"{documents:,} documents, k = {options.k}, one added every {options.every:g} s. Server and load share "
        f"the machine's cores. One server for all rows, one after the other; warm {ready:.0f} s after its start.",
    )


if __name__ == "__main__":
    main()
