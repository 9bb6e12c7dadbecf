"""An inbox for attachments: files are put there, a queue tells of them, and they are taken in."""

import asyncio
import json
import threading
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote_plus

from ledger.attachment_reads import list_attachments, read_attachment
from ledger.engine import Ledger
from tasks.attachments.intake import AttachmentIntake
from tasks.attachments.places import attachment_key
from tasks.attachments.queue import AttachmentQueue, AttachmentTally
from tasks.attachments.rules import AttachmentRules
from tasks.attachments.workshop import Workshop
from tasks.sources.aws.clients import AwsClients
from tasks.sources.aws.queue_reader import QueueOptions


@dataclass
class Inbox:
    """A bucket, a queue that tells of it, and the ledger that they lead to."""

    clients: AwsClients
    bucket: str
    queue: str
    ledger: Ledger
    clock: Any
    results: str | None = None
    topic: str | None = None
    denied: frozenset[str] = frozenset()
    redactor: Any = None

    def put(self, content: bytes, name: str = "a.png", event: str = "1", tenant: str = "acme") -> str:
        """Put a file beside an event; its key."""
        key = attachment_key(tenant, "test", event, name)
        self.clients.s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        return key

    def notice(self, key: str, **more: Any) -> dict[str, Any]:
        """What S3 tells of an object."""
        about = {"bucket": {"name": self.bucket}, "object": {"key": quote_plus(key, safe="/")} | more}
        return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": about}]}

    def tell(self, *messages: Any) -> None:
        """Send messages to the queue."""
        for message in messages:
            body = message if isinstance(message, str) else json.dumps(message)
            self.clients.sqs.send_message(QueueUrl=self.queue, MessageBody=body)

    def told(self, content: bytes, **where: str) -> AttachmentTally:
        """Put a file, have the queue tell of it, and take it in."""
        self.tell(self.notice(self.put(content, **where)))
        return self.take()

    @property
    def rules(self) -> AttachmentRules:
        """What an operator has said."""
        return AttachmentRules(self.results, self.topic, "{tenant}", self.denied)

    def take(self, **options: Any) -> AttachmentTally:
        """Take in what the queue tells of until it is empty."""
        return asyncio.run(self.taking(threading.Event(), **options))

    async def taking(
        self, stop: threading.Event, *, using: Any = None, around: Any = None, **options: Any
    ) -> AttachmentTally:
        """The same in a loop that is running; `around` is called in the place of taking, with it."""
        clients = using or self.clients
        async with Workshop() as workshop:
            intake = self.intake(workshop, clients)
            given = QueueOptions(**{"wait_s": 0, "back_off_s": 0} | options)
            take = intake.take if around is None else partial(around, intake.take)
            queue = AttachmentQueue(clients, self.queue, self.ledger, take, self.clock, given)
            return await queue.run(stop, until_empty=True)

    def intake(self, workshop: Workshop, clients: AwsClients | None = None) -> AttachmentIntake:
        """What takes one attachment."""
        s3 = (clients or self.clients).s3
        return AttachmentIntake(s3, self.ledger, workshop, self.rules, now=self.clock, redactor=self.redactor)

    def one(self) -> Any:
        """The only attachment on record."""
        (found,) = list_attachments(self.ledger)
        return read_attachment(self.ledger, found.attachment.id)

    def objects(self) -> set[str]:
        """The keys of what is in the bucket."""
        return {one["Key"] for one in self.clients.s3.list_objects_v2(Bucket=self.bucket).get("Contents", ())}

    def content(self, address: str) -> bytes:
        """What is there."""
        bucket, _, key = address.removeprefix("s3://").partition("/")
        content: bytes = self.clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content
