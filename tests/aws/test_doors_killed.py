"""Killed at any moment, again and again: nothing that a queue held is lost, and nothing is on record twice."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ledger.engine import close_ledger, open_ledger
from tests.attachments import files
from tests.aws.attached import Inbox
from tests.aws.test_queue import numbered
from tests.aws.test_queue_flow import environment
from tests.worlds import until

ROOT = Path(__file__).resolve().parents[2]
FURTHER = (1, 7, 3, 12, 2, 9)
"""How much further each life gets before it is ended."""


@pytest.fixture
def counted(sqlite_url):
    """How many rows of a table fit."""
    book = open_ledger(sqlite_url)

    def count(table, where="1 = 1"):
        with book.connect() as connection:
            return connection.exec_driver_sql(f"SELECT count(*) FROM {table} WHERE {where}").scalar()

    yield count
    close_ledger(book)


@pytest.fixture
def killed(sqlite_url, aws_address, left, counted):
    """Has a process take in a queue, kills it each time it has got a little further, and lets the last one finish."""

    def take(kind, address, table):
        command = [sys.executable, "-m", "tests.aws.taking", kind, address, sqlite_url]
        given = os.environ | environment(aws_address)
        for further in FURTHER:
            goal = counted(table) + further
            process = subprocess.Popen(command, env=given, cwd=ROOT)
            others = psutil.Process(process.pid)
            asyncio.run(
                until(lambda goal=goal, one=process: counted(table) >= goal or one.poll() is not None)
            )
            workshop = others.children(recursive=True) if process.poll() is None else []
            process.send_signal(signal.SIGKILL)
            process.wait()
            # What it started ends by itself when it is gone.
            asyncio.run(until(lambda ones=workshop: not any(one.is_running() for one in ones)))
        asyncio.run(until(lambda: left(address)[1] == 0))
        subprocess.run(command, env=given, cwd=ROOT, check=True)

    return take


def test_a_consumer_that_is_killed_loses_no_event_and_takes_none_twice(killed, queue, clients, left, counted):
    """What it had comes again when its time is over; what it had recorded is a duplicate then."""
    address, events = queue(), numbered(400)
    for start in range(0, len(events), 10):
        some = enumerate(events[start : start + 10])
        entries = [{"Id": str(at), "MessageBody": json.dumps(event)} for at, event in some]
        clients.sqs.send_message_batch(QueueUrl=address, Entries=entries)
    killed("events", address, "events")
    assert (counted("events"), counted("rejections"), left(address)) == (400, 0, (0, 0))


def test_whoever_takes_attachments_and_is_killed_loses_none_and_keeps_none_twice(
    killed, queue, clients, bucket, counted, left
):
    """Nor leaves anything behind: what is made anew is made over the same."""
    inbox = Inbox(clients, bucket, queue(), None, None)
    for number in range(120):
        content = b"broken" if number % 12 == 0 else files.png((90 + number, 60))
        inbox.tell(inbox.notice(inbox.put(content, event=str(number))))
    killed("attachments", inbox.queue, "attachments")
    assert counted("attachments", "state = 'KEPT'") == 110
    assert counted("attachments", "state = 'REFUSED'") == counted("dead_letters") == 10
    made = [key for key in inbox.objects() if key.startswith("attachments-made/")]
    assert (len(made), left(inbox.queue)) == (220, (0, 0))
