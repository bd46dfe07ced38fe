"""How many searches a second `tolman serve` answers, how fast, and whether its memory stays flat.

The load comes from a process of its own, over kept connections on the loopback: raw HTTP/1.1, so that the client costs
little. Queries are runs of words of the documents themselves. `distinct`: hardly any query comes twice; `repeated`: 500
queries come again and again, as with people. Meanwhile documents are added, where asked for.

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
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from report import write_result

PORT = 8_765
FEW = 500


def queries_of(space: Path, count: int, seed: int = 0) -> list[str]:
    """Two to five words in a row, out of documents."""
    from tolman import open_space

    chance, texts = random.Random(seed), open_space(space).table(["text"])["text"].to_pylist()
    found = []
    while len(found) < count:
        words = chance.choice(texts).split()
        start = chance.randrange(max(1, len(words) - 5))
        query = " ".join(words[start : start + chance.randint(2, 5)])[:200]
        if any(letter.isalnum() for letter in query):
            found.append(query)
    return found


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


async def client(queries: list[str], until: float, waits: list[float], failed: list[int], k: int) -> None:
    """Ask, wait, ask the next."""
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    chance = random.Random(id(writer))
    while time.perf_counter() < until:
        query = urllib.parse.quote(chance.choice(queries))
        began = time.perf_counter()
        status = await request(reader, writer, f"GET /api/search?q={query}&k={k}")
        waits.append(time.perf_counter() - began)
        if status != 200:
            failed.append(status)
    writer.close()


async def adder(until: float, every: float, added: list[float], failed: list[int]) -> None:
    """A document now and then."""
    number = 0
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


async def watch(pid: int, until: float, memory: list[float]) -> None:
    """Megabytes, once a second."""
    while time.perf_counter() < until:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
        await asyncio.sleep(1)


async def load(pid: int, queries: list[str], options: argparse.Namespace, *, adding: bool) -> dict[str, float | int]:
    """One measurement."""
    until = time.perf_counter() + options.seconds
    waits, failed, memory, added = [], [], [], []  # type: ignore[var-annotated]
    tasks = [client(queries, until, waits, failed, options.k) for _ in range(options.clients)]
    tasks.append(watch(pid, until, memory))
    if adding:
        tasks.append(adder(until, options.every, added, failed))
    await asyncio.gather(*tasks)
    late = len(memory) // 2
    return {
        "seconds": options.seconds,
        "clients": options.clients,
        "searches a second": len(waits) / options.seconds,
        **{f"p{share} ms": float(np.percentile(waits, share)) * 1e3 for share in (50, 95, 99)},
        "errors": len(failed),
        "documents added": len(added),
        "add ms": float(np.median(added)) * 1e3 if added else 0.0,
        "MB at half": round(float(np.median(memory[late : late + 5]))),
        "MB at end": round(float(np.median(memory[-5:]))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--every", type=float, default=5, help="seconds between documents added")
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--kinds", default="distinct,repeated,repeated+adding")
    options = parser.parse_args()
    rows = []
    with TemporaryDirectory() as folder:
        space = Path(shutil.copytree(options.space, Path(folder) / options.space.name))
        many = queries_of(space, 40_000)
        command = [sys.executable, "-m", "tolman", "serve", str(space), "--port", str(PORT), "--write"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            server.stdout.readline()
            time.sleep(3)
            for kind in options.kinds.split(","):
                asked = many if kind.startswith("distinct") else many[:FEW]
                row = asyncio.run(load(server.pid, asked, options, adding=kind.endswith("adding")))
                rows.append({"queries": kind, **row})
        finally:
            server.terminate()
            server.wait(20)
    from tolman import open_space

    documents = len(open_space(options.space))
    write_result("serve", rows, f"{documents:,} documents, k = {options.k}; server and load share the machine's cores.")


if __name__ == "__main__":
    main()
