"""A burst of attachments: how many a second, beside the bare transforms, and how much memory, however many there are.

S3 and SQS are a server of our own in a process of its own that does next to nothing else: moto's looks through all of a
queue's messages each time, and would be what is measured. The files are screenshots, photos and PDFs of usual sizes.
`bare` is the same work on the same files in the same workshop, without S3, queue and ledger.
"""

import argparse
import asyncio
import io
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from benchmarks.queue_intake import message_of
from benchmarks.replicas import free_port

UPLOADS: Final = 5_000
FEW: Final = 500
LOOK_EVERY_S: Final = 0.2
AT_ONCE: Final = 10


def run(uploads: int = UPLOADS, few: int = FEW) -> dict[str, Any]:
    """Attachments a second, the ratio to the bare transforms, and peak memory of all processes by how many there were.

    Each in a process of its own, so that its peak is its own.
    """
    small, large = _measured(few), _measured(uploads)
    return {
        "uploads": uploads,
        **large,
        "peak_mb_of_a_tenth": small["peak_mb"],
        "memory_ratio": round(large["peak_mb"] / small["peak_mb"], 2),
    }


def _measured(uploads: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.attachments", "--inner", str(uploads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


async def _inner(uploads: int) -> dict[str, Any]:
    from ledger.attachment_reads import list_attachments
    from ledger.engine import close_ledger, open_ledger

    contents = _files()
    with _server(contents, uploads) as address, tempfile.TemporaryDirectory() as folder:
        ledger = open_ledger(f"sqlite:///{Path(folder) / 'ledger.db'}")
        peak = _Peak()
        with peak:
            began = time.monotonic()
            counts = await _taken(_clients(address), f"{address}/123456789012/bench", ledger)
            took = time.monotonic() - began
        on_record = len(list_attachments(ledger, limit=2 * uploads))
        close_ledger(ledger)
        server = (await asyncio.to_thread(httpx.get, f"{address}/used")).json()
        if counts["kept"] != uploads or server["put"] != 2 * uploads or server["deleted"] != uploads:
            raise RuntimeError(f"{counts}, {server} is not what was to be measured")
        bare = await _bare(contents, uploads, Path(folder))
        return {
            "per_s": round(uploads / took, 1),
            "bare_per_s": round(uploads / bare, 1),
            "ratio": round(took / bare, 2),
            "server_core_used": round(server["cpu_s"] / took, 2),
            "peak_mb": round(peak.mb),
            "lost": uploads - on_record,
        }


async def _taken(clients: Any, queue: str, ledger: Any) -> dict[str, int]:
    from datetime import UTC, datetime

    from tasks.attachments.intake import AttachmentIntake
    from tasks.attachments.queue import AttachmentQueue
    from tasks.attachments.rules import AttachmentRules
    from tasks.attachments.workshop import Workshop
    from tasks.sources.aws.queue_reader import QueueOptions

    def now() -> datetime:
        return datetime.now(UTC)

    async with Workshop() as workshop:
        rules = AttachmentRules(None, None, "{tenant}", frozenset())
        intake = AttachmentIntake(clients.s3, ledger, workshop, rules, now=now)
        taking = AttachmentQueue(clients, queue, ledger, intake.take, now, QueueOptions(wait_s=1))
        tally = await taking.run(threading.Event(), until_empty=True)
        return tally.told()


async def _bare(contents: list[bytes], uploads: int, folder: Path) -> float:
    """Seconds for the transforms alone."""
    from tasks.attachments.steps import checked, marked, read, thumbnail
    from tasks.attachments.workshop import IN_FLIGHT, Workshop

    paths = [folder / str(number) for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    numbers = iter(range(uploads))

    async def work(workshop: Workshop) -> None:
        for number in numbers:
            path, out = paths[number % len(paths)], folder / f"out-{number}"
            kind = await workshop.run(checked, path)
            await asyncio.gather(
                workshop.run(thumbnail, path, kind, out.with_suffix(".webp")),
                workshop.run(marked, path, kind, out, "acme"),
                workshop.run(read, path, kind),
            )
            out.unlink()
            out.with_suffix(".webp").unlink()

    began = time.monotonic()
    async with Workshop() as workshop:
        await asyncio.gather(*(work(workshop) for _ in range(IN_FLIGHT)))
    return time.monotonic() - began


def _files() -> list[bytes]:
    """Two screenshots, a photo and a document: 20 to 400 kB."""
    from PIL import Image, ImageDraw
    from pypdf import PdfWriter

    def saved(picture: Image.Image, form: str) -> bytes:
        out = io.BytesIO()
        picture.save(out, form)
        return out.getvalue()

    def screen(size: tuple[int, int]) -> Image.Image:
        picture = Image.new("RGB", size, (250, 250, 252))
        draw = ImageDraw.Draw(picture)
        for line in range(size[1] // 24):
            draw.text(
                (20, 24 * line), f"{line}: the export has failed, error {line * 7919}" * 3, (20, 20, 40)
            )
        return picture

    photo = Image.merge("RGB", [Image.effect_noise((1_200, 900), spread) for spread in (30, 40, 50)])
    pdf = PdfWriter()
    pdf.append(io.BytesIO(saved(screen((600, 800)), "PDF")))
    out = io.BytesIO()
    pdf.write(out)
    return [
        saved(screen((1_280, 800)), "PNG"),
        saved(screen((750, 1_334)), "PNG"),
        saved(photo, "JPEG"),
        out.getvalue(),
    ]


def _clients(address: str) -> Any:
    import boto3

    from tasks.sources.aws.clients import RETRIES, AwsClients

    given = {"aws_access_key_id": "bench", "aws_secret_access_key": "bench", "region_name": "eu-west-1"}
    made = {
        name: boto3.client(name, endpoint_url=address, config=RETRIES, **given)
        for name in ("sqs", "s3", "sns")
    }
    return AwsClients(**made)


@contextmanager
def _server(contents: list[bytes], uploads: int) -> Iterator[str]:
    port = free_port()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(port, contents, uploads))
    server.start()
    try:
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/used")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.join()


def _serve(port: int, contents: list[bytes], uploads: int) -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Route

    played = _Played(contents, uploads)
    routes = [
        Route("/used", played.used),
        Route("/", played.sqs, methods=["POST"]),
        Route("/{key:path}", played.s3, methods=["GET", "PUT"]),
    ]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="error", access_log=False)


class _Played:
    """As much of SQS and S3 as is asked for: a queue that tells of so many objects, and the objects."""

    def __init__(self, contents: list[bytes], uploads: int) -> None:
        self._contents, self._numbers = contents, iter(range(uploads))
        self._deleted = self._put = 0

    async def used(self, _request: Request) -> JSONResponse:
        """What it did, and for how much CPU."""
        return JSONResponse({"deleted": self._deleted, "put": self._put, "cpu_s": time.process_time()})

    async def sqs(self, request: Request) -> JSONResponse:
        """Messages, ten at a time, and their deletion."""
        if request.headers["x-amz-target"].endswith("ReceiveMessage"):
            return JSONResponse({"Messages": [_message(one) for one in islice(self._numbers, AT_ONCE)]})
        ids = [one["Id"] for one in (await request.json())["Entries"]]
        if request.headers["x-amz-target"].endswith("DeleteMessageBatch"):
            self._deleted += len(ids)
        return JSONResponse({"Successful": [{"Id": one} for one in ids], "Failed": []})

    async def s3(self, request: Request) -> Response:
        """An object by its number, or thanks for one."""
        if request.method == "PUT":
            await request.body()
            self._put += 1
            return Response(headers={"etag": '"made"'})
        number = int(request.path_params["key"].split("/")[-2])
        headers = {"etag": f'"{number}"', "last-modified": "Mon, 30 Nov 2026 08:15:00 GMT"}
        return Response(self._contents[number % len(self._contents)], headers=headers)


def _message(number: int) -> dict[str, Any]:
    from tasks.attachments.places import attachment_key

    key = attachment_key(f"t-{number % 50}", "bench", str(number), "file")
    about = {"bucket": {"name": "inbox"}, "object": {"key": key}}
    told = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": about}]}
    return message_of(number, json.dumps(told))


class _Peak:
    """The most memory that this process and its workshop have had together, in MB; the server is not of them."""

    def __init__(self) -> None:
        self.mb, self._ended = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        import psutil

        own = psutil.Process(os.getpid())
        while not self._ended.wait(LOOK_EVERY_S):
            total = own.memory_info().rss
            for one in own.children(recursive=True):
                try:
                    if "spawn_main" not in " ".join(one.cmdline()):
                        total += one.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.mb = max(self.mb, total / 1024**2)


def main() -> None:
    """`python -m benchmarks.attachments`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=UPLOADS)
    parser.add_argument("--few", type=int, default=FEW)
    parser.add_argument("--inner", type=int)
    given = parser.parse_args()
    found = asyncio.run(_inner(given.inner)) if given.inner else run(given.uploads, given.few)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
