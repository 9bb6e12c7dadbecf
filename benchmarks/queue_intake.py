"""How many messages of SQS a process takes in: boto3, real HTTP, SQLite, deleted after they are in the ledger.

The queue is a server of our own in a process of its own that speaks SQS's JSON protocol and does next to nothing
else, so that it is not what is measured: all of its answers are made beforehand.
"""

import argparse
import asyncio
import hashlib
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import threading
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

MESSAGES: Final = 60_000
RUNS: Final = 3
AT_ONCE: Final = 10
TEXT: Final = "The export has failed every morning since Monday and nobody answers the phone. " * 8


def run(messages: int = MESSAGES, runs: int = RUNS) -> dict[str, Any]:
    """Medians: messages a second from the first request to the last deletion, and the CPU of a message here."""
    played = [_one(messages) for _ in range(runs)]
    return {
        "messages": messages,
        **{name: round(statistics.median(one[name] for one in played), 2) for name in played[0]},
    }


def _one(messages: int) -> dict[str, float]:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs, messages))
    server.start()
    try:
        port = ours.recv()
        before = time.process_time()
        took = _taken_in(port, messages)
        cpu = time.process_time() - before
        ours.send("end")
        deleted, server_cpu = ours.recv()
    finally:
        server.join()
    if deleted != messages:
        raise RuntimeError(f"{deleted} of {messages} messages were deleted")
    return {
        "messages_per_s": messages / took,
        "cpu_ms_per_message": 1000 * cpu / messages,
        "server_core_used": server_cpu / took,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _taken_in(port: int, messages: int) -> float:
    import boto3

    from ledger.engine import close_ledger, open_ledger
    from tasks.sources.aws.clients import RETRIES, AwsClients
    from tasks.sources.aws.queue import QueueConsumer
    from tasks.sources.aws.queue_reader import QueueOptions
    from tasks.sources.mapper import Mapper
    from tasks.sources.mapping import load_mapping

    os.environ |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
    made = {
        name: boto3.client(
            name, endpoint_url=f"http://127.0.0.1:{port}", region_name="eu-west-1", config=RETRIES
        )
        for name in ("sqs", "s3", "sns")
    }
    with tempfile.TemporaryDirectory() as folder:
        ledger = open_ledger(f"sqlite:///{Path(folder) / 'ledger.db'}")
        consumer = QueueConsumer(
            AwsClients(**made),
            f"http://127.0.0.1:{port}/123456789012/bench",
            ledger,
            Mapper(load_mapping()),
            now=lambda: datetime.now(UTC),
            options=QueueOptions(wait_s=0),
        )
        began = time.monotonic()
        tally = consumer.run(threading.Event(), until_empty=True)
        took = time.monotonic() - began
        close_ledger(ledger)
    if tally.counts.accepted != messages:
        raise RuntimeError(f"{tally.counts} is not what was to be measured")
    return took


def _serve(told: Connection, messages: int) -> None:
    asyncio.run(_served(told, _answers(messages)))


async def _served(told: Connection, answers: list[bytes]) -> None:
    deleted, open_ones = 0, list[asyncio.StreamWriter]()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal deleted
        open_ones.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lower = head.lower()
                length = int(lower.split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                if b"amazonsqs.receivemessage" in lower:
                    writer.write(answers.pop() if answers else _EMPTY)
                else:
                    ids = [one["Id"] for one in json.loads(body)["Entries"]]
                    deleted += len(ids) if b"deletemessagebatch" in lower else 0
                    writer.write(
                        _http(json.dumps({"Successful": [{"Id": one} for one in ids], "Failed": []}))
                    )
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0, limit=2**20)
    told.send(server.sockets[0].getsockname()[1])
    await asyncio.to_thread(told.recv)
    told.send((deleted, time.process_time()))
    server.close()
    for writer in open_ones:
        writer.close()
    await asyncio.sleep(0)


def _answers(messages: int) -> list[bytes]:
    return [
        _http(json.dumps({"Messages": [_message(number) for number in range(start, start + AT_ONCE)]}))
        for start in range(0, messages, AT_ONCE)
    ]


def _message(number: int) -> dict[str, Any]:
    event = {
        "id": f"m-{number}",
        "source": "bench",
        "type": "feedback.submitted",
        "tenant": f"t-{number % 100}",
        "data": {"text": TEXT},
    }
    return message_of(number, json.dumps(event))


def message_of(number: int, body: str) -> dict[str, Any]:
    """A message as SQS delivers it."""
    return {
        "MessageId": f"id-{number}",
        "ReceiptHandle": f"receipt-{number}",
        "MD5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "Body": body,
        "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1764500000000"},
    }


def _http(body: str) -> bytes:
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()


_EMPTY: Final = _http("{}")


def main() -> None:
    """`python -m benchmarks.queue_intake`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args()
    print(json.dumps(run(given.messages, given.runs)))


if __name__ == "__main__":
    main()
