"""A process that takes in a queue, `python -m tests.aws.taking events|attachments QUEUE LEDGER`; the tests kill it.

What it has when it dies is another's after two seconds, and not after a minute as usual.
"""

import asyncio
import sys
import threading

import boto3

from ledger.engine import open_ledger
from tasks.attachments.intake import AttachmentIntake
from tasks.attachments.queue import AttachmentQueue
from tasks.attachments.rules import AttachmentRules
from tasks.attachments.workshop import Workshop
from tasks.runtime import utc_now
from tasks.sources.aws.clients import RETRIES, AwsClients
from tasks.sources.aws.queue import QueueConsumer
from tasks.sources.aws.queue_reader import QueueOptions
from tasks.sources.mapper import Mapper
from tasks.sources.mapping import load_mapping

OPTIONS = QueueOptions(wait_s=1, receivers=2, visible_after_s=2)


def events(clients, queue, ledger) -> None:
    """Take in events until there are none."""
    consumer = QueueConsumer(clients, queue, ledger, Mapper(load_mapping()), now=utc_now, options=OPTIONS)
    consumer.run(threading.Event(), until_empty=True)


def attachments(clients, queue, ledger) -> None:
    """Take in attachments until there are none."""

    async def take() -> None:
        rules = AttachmentRules(None, None, "{tenant}", frozenset())
        async with Workshop() as workshop:
            intake = AttachmentIntake(clients.s3, ledger, workshop, rules, now=utc_now)
            taking = AttachmentQueue(clients, queue, ledger, intake.take, utc_now, OPTIONS)
            await taking.run(threading.Event(), until_empty=True)

    asyncio.run(take())


if __name__ == "__main__":
    kind, queue, url = sys.argv[1:]
    made = AwsClients(**{name: boto3.client(name, config=RETRIES) for name in ("sqs", "s3", "sns")})
    {"events": events, "attachments": attachments}[kind](made, queue, open_ledger(url))
