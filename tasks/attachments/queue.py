"""A queue of SQS that tells of new attachments: each is on record before its message leaves the queue.

S3's notifications, plain, by SNS or by EventBridge. At most `IN_FLIGHT` attachments are in work at once, and about
as many messages wait here, however many wait in the queue: that bounds memory and disk.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import partial
from typing import Final, ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from contracts.events import Rejection
from ledger.engine import Ledger
from ledger.intake import record_intake
from tasks.attachments.intake import Taken
from tasks.attachments.places import NoAttachmentError
from tasks.attachments.workshop import IN_FLIGHT
from tasks.sources.aws.clients import AwsClients
from tasks.sources.aws.envelopes import Created, Nothing, opened
from tasks.sources.aws.queue_reader import USUAL, QueueOptions, Receiver
from tasks.sources.aws.receipts import AT_ONCE, Message, Receipts
from tasks.sources.aws.shapes import ObjectPlace

P = ParamSpec("P")
R = TypeVar("R")
Take = Callable[[ObjectPlace, int], Awaitable[Taken]]

_LOG: Final = logging.getLogger("penstock")
RECEIVERS: Final = 2
AGAIN_S: Final = 2.0


@dataclass
class AttachmentTally:
    """What a consumer has done so far: messages that left the queue or went back to it, attachments by outcome."""

    messages: int = 0
    given_back: int = 0
    kept: int = 0
    duplicates: int = 0
    refused: int = 0
    erased: int = 0
    rejected: int = 0

    def told(self) -> dict[str, int]:
        """Counts, as logs and commands show them."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass
class AttachmentQueue:
    """Works one queue off until it is told to stop. `take` takes one attachment."""

    clients: AwsClients
    address: str
    ledger: Ledger
    take: Take
    now: Callable[[], datetime]
    options: QueueOptions = USUAL
    tally: AttachmentTally = field(default_factory=AttachmentTally)

    def __post_init__(self) -> None:
        self._receipts = Receipts(
            self.clients.sqs, self.address, self.options.visible_after_s, self.options.back_off_s
        )
        self._receiver = Receiver(self.clients.sqs, self.address, self._receipts, self.options)
        self._waiting: asyncio.Queue[Message] = asyncio.Queue(2 * AT_ONCE)
        self._done: asyncio.Queue[Message] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(RECEIVERS + IN_FLIGHT, "queue")

    async def run(self, stop: threading.Event, *, until_empty: bool = False) -> AttachmentTally:
        """Until `stop` is set, or with `until_empty` until nothing came for one time of waiting.

        What is in work then comes to its end; what only waits here goes back at once.
        """
        receiving = [self._receive(stop, until_empty=until_empty) for _ in range(RECEIVERS)]
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(one) for one in (self._keep(), self._delete())]
            working = [group.create_task(self._work(stop)) for _ in range(IN_FLIGHT)]
            await asyncio.gather(*receiving)
            await self._waiting.join()
            await self._done.join()
            for one in (*working, *others):
                one.cancel()
        self._threads.shutdown()
        return self.tally

    async def _receive(self, stop: threading.Event, *, until_empty: bool) -> None:
        while not stop.is_set():
            try:
                messages = await self._threaded(self._receiver.receive)
            except (ClientError, BotoCoreError) as error:
                _LOG.warning("%s cannot be read now: %s", self._receiver.name, error)
                await asyncio.sleep(AGAIN_S)
                continue
            if until_empty and not messages and not self._receipts.are_held:
                return
            for message in messages:
                await self._waiting.put(message)

    async def _work(self, stop: threading.Event) -> None:
        while True:
            message = await self._waiting.get()
            try:
                if stop.is_set():
                    await self._threaded(self._receipts.give_back, [message], at_once=True)
                else:
                    await self._worked(message)
            finally:
                self._waiting.task_done()

    async def _worked(self, message: Message) -> None:
        """A message, whatever is wrong with it: done with, or back for another time."""
        try:
            for content in opened(message.body, message.known):
                if isinstance(content, Created):
                    await self._taken(content.place, message)
                elif not isinstance(content, Nothing):
                    await self._reject("this tells of no object that was created", message)
        except Exception as error:  # noqa: BLE001 - no message ends the work on the others
            self.tally.given_back += 1
            told = "%s: a message goes back after %d deliveries: %r"
            _LOG.warning(told, self._receiver.name, message.received, error)
            await self._threaded(self._receipts.give_back, [message])
        else:
            await self._done.put(message)

    async def _taken(self, place: ObjectPlace, message: Message) -> None:
        try:
            taken = await self.take(place, message.received)
        except NoAttachmentError as error:
            await self._reject(str(error), message)
        else:
            name = taken.outcome.value
            setattr(self.tally, name, getattr(self.tally, name) + 1)

    async def _reject(self, why: str, message: Message) -> None:
        """On record with its reason, so that it leaves the queue."""
        raw = message.body.decode(errors="backslashreplace")
        refused = Rejection(origin=self._receiver.name, line=1, reason=why, raw=raw)
        await self._threaded(record_intake, self.ledger, self._receiver.name, [], [refused], self.now())
        self.tally.rejected += 1

    async def _delete(self) -> None:
        """Have what is done with leave the queue, ten in a request where there are ten."""
        while True:
            some = [await self._done.get()]
            while len(some) < AT_ONCE and not self._done.empty():
                some.append(self._done.get_nowait())
            try:
                await self._threaded(self._receipts.delete, some)
                self.tally.messages += len(some)
            finally:
                for _ in some:
                    self._done.task_done()

    async def _keep(self) -> None:
        """Keep what is in work from others."""
        while True:
            await asyncio.sleep(self.options.visible_after_s / 6)
            await self._threaded(self._receipts.extend)

    async def _threaded(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *args, **kwargs))
