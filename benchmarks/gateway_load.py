"""The HTTP gateway under load: 200 clients that send one event after another, the ledger on PostgreSQL.

`penstock serve` in a process of its own, the clients in another, both on the same cores. Each client keeps its
connection and waits for its answer. At the end what was acknowledged is looked for in the ledger.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from benchmarks.postgres import postgres
from benchmarks.replicas import free_port

PENSTOCK: Final = Path(sys.executable).with_name("penstock")
CLIENTS: Final = 200
SECONDS: Final = 60
TEXT: Final = "The export has failed every morning since Monday and nobody answers the phone. " * 4


def run(clients: int = CLIENTS, seconds: float = SECONDS) -> dict[str, Any]:
    """Accepted events a second, p50, p95 and p99 in ms, and how many acknowledged events the ledger does not have."""
    with postgres() as make, tempfile.TemporaryDirectory() as folder:
        url = make("ledger")
        environment = os.environ | {
            "PENSTOCK_HOME": folder,
            "PENSTOCK_DATABASE_URL": url,
            "PENSTOCK_HTTP_EVENTS_PER_S": "1000000",
        }
        made = subprocess.run(
            [PENSTOCK, "keys", "make", "--tenant", "acme", "--json"],
            env=environment,
            check=True,
            capture_output=True,
        )
        key, port = json.loads(made.stdout)["key"], free_port()
        server = subprocess.Popen(
            [PENSTOCK, "serve", "--port", str(port)], env=environment, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(port)
            given = json.dumps({"port": port, "key": key, "clients": clients, "seconds": seconds})
            command = [sys.executable, "-m", "benchmarks.gateway_load", "--inner", given]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        finally:
            server.terminate()
            server.wait()
        there = _in_ledger(url)
        return found | {"clients": clients, "in_ledger": there, "lost": found["accepted"] - there}


async def _play(port: int, key: str, clients: int, seconds: float) -> dict[str, Any]:
    end = time.monotonic() + seconds
    waits: list[float] = []
    refused = 0

    async def client(number: int) -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        at = 0
        while time.monotonic() < end:
            at += 1
            writer.write(_request(key, f"{number}-{at}"))
            began = time.monotonic()
            status = await _answer(reader)
            waits.append(time.monotonic() - began)
            refused += status != 202
        writer.close()

    began = time.monotonic()
    await asyncio.gather(*(client(number) for number in range(clients)))
    took = time.monotonic() - began
    ordered = sorted(waits)
    accepted = len(waits) - refused
    return {
        "accepted": accepted,
        "refused": refused,
        "events_per_s": round(accepted / took),
        **{f"p{share}_ms": round(1000 * ordered[len(ordered) * share // 100], 1) for share in (50, 95, 99)},
    }


def _request(key: str, number: str) -> bytes:
    event = {
        "id": number,
        "source": "bench",
        "type": "feedback.submitted",
        "topic": "exports",
        "data": {"text": TEXT},
    }
    body = json.dumps(event).encode()
    head = (
        f"POST /v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head[9:12])


def _in_ledger(url: str) -> int:
    import psycopg

    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM events").fetchone()
    return 0 if row is None else int(row[0])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise RuntimeError("the gateway did not start")


def main() -> None:
    """`python -m benchmarks.gateway_load`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--inner", type=json.loads)
    given = parser.parse_args()
    found = asyncio.run(_play(**given.inner)) if given.inner else run(given.clients, given.seconds)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
