"""Queues of SQS as a source: what they hold is in the ledger before it leaves them, and nothing else makes it leave.

Threads wait at the queue and fetch what messages refer to; one takes what they bring, as much as there is, into the
ledger in one transaction; then the messages are deleted. What cannot be an event is a rejection on record and leaves
the queue. What AWS or the ledger keeps from being read goes back, and after as many times as the queue's own redrive
policy says, to the queue's own dead letters.
"""

import itertools
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from contracts.events import Rejection
from ledger.engine import Ledger
from ledger.errors import LedgerFaultError
from ledger.intake import IntakeCounts, PreparedEvent, record_intake
from tasks.redaction.redactor import Redactor
from tasks.sources.aws.clients import AwayError, AwsClients
from tasks.sources.aws.contents import Contents
from tasks.sources.aws.receipts import AT_ONCE, Message, Receipts
from tasks.sources.aws.shapes import said_in
from tasks.sources.mapper import Mapper
from tasks.sources.prepare import outcome_of
from tasks.sources.records import Limits, RawRecord

_LOG: Final = logging.getLogger("penstock")
TOGETHER: Final = 500
"""How many messages go into one transaction at most."""
AGAIN_S: Final = 2.0
"""How long to wait before the ledger, or the queue, is asked again."""


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """How a queue is worked off, times in seconds.

    `wait_s` of long polling by so many `receivers`; what they have is `visible_after_s` to others if they die; what
    has to be tried again waits twice `back_off_s`, and twice as long each time.
    """

    wait_s: int = 20
    receivers: int = 8
    visible_after_s: int = 60
    back_off_s: int = 5
    limits: Limits = field(default_factory=Limits)


class Read(NamedTuple):
    """What some messages came to: what is done with them once `records` are in the ledger, and what goes back."""

    messages: list[Message]
    records: list[RawRecord]
    back: list[Message]


@dataclass
class Tally:
    """What a consumer has done so far."""

    messages: int = 0
    back: int = 0
    counts: IntakeCounts = field(default_factory=IntakeCounts)


class QueueConsumer:
    """Works one queue off until it is told to stop."""

    def __init__(
        self,
        clients: AwsClients,
        address: str,
        ledger: Ledger,
        mapper: Mapper,
        *,
        now: Callable[[], datetime],
        redactor: Redactor | None = None,
        options: QueueOptions = QueueOptions(),
    ) -> None:
        self._sqs, self._address, self._ledger = clients.sqs, address, ledger
        self._mapper, self._redactor, self._now, self._options = mapper, redactor, now, options
        self._name = f"sqs:{address.rpartition('/')[2]}"
        self._contents = Contents(clients.s3, ledger, mapper, redactor, now, options.limits, self._tell)
        self._receipts = Receipts(self._sqs, address, options.visible_after_s, options.back_off_s)
        self._read: queue.Queue[Read] = queue.Queue(maxsize=4 * options.receivers)
        self._line = itertools.count(1)
        self._telling, self._ended = threading.Lock(), threading.Event()
        self.tally = Tally()

    def run(self, stop: threading.Event, *, until_empty: bool = False) -> Tally:
        """Until `stop` is set, or with `until_empty` until nothing came for one time of waiting.

        What was received and is not in the ledger at the end goes back at once.
        """
        self._ended.clear()
        with ThreadPoolExecutor(self._options.receivers + 1, "receive") as threads:
            receiving = [
                threads.submit(self._receive, stop, until_empty=until_empty)
                for _ in range(self._options.receivers)
            ]
            keeping = threads.submit(self._keep)
            try:
                self._record_all(receiving, stop)
            finally:
                self._ended.set()
                self._give_all_back()
        self._give_all_back()
        for one in (*receiving, keeping):
            one.result()
        return self.tally

    def _record_all(self, receiving: Iterable["Future[None]"], stop: threading.Event) -> None:
        """As long as somebody receives or something has been read."""
        with ThreadPoolExecutor(4, "delete") as deleting:
            while not (all(one.done() for one in receiving) and self._read.empty()):
                if failed := next((one for one in receiving if one.done() and one.exception()), None):
                    failed.result()
                if some := list(self._together()):
                    self._record(some, deleting, stop)

    def _together(self) -> Iterator[Read]:
        """Everything that has been read by now, and at least one after a moment."""
        try:
            first = self._read.get(timeout=0.1)
        except queue.Empty:
            return
        yield first
        count = len(first.messages)
        while count < TOGETHER:
            try:
                another = self._read.get_nowait()
            except queue.Empty:
                return
            count += len(another.messages)
            yield another

    def _record(self, some: list[Read], deleting: ThreadPoolExecutor, stop: threading.Event) -> None:
        messages = [message for one in some for message in one.messages]
        prepared, refused = self._outcomes(record for one in some for record in one.records)
        back = [message for one in some for message in one.back]
        while True:
            try:
                if prepared or refused:
                    self._tell(record_intake(self._ledger, self._name, prepared, refused, self._now()))
                break
            except LedgerFaultError as error:
                _LOG.warning("%s: messages wait for the ledger: %s", self._name, error)
                if stop.wait(AGAIN_S):
                    self._receipts.give_back([*messages, *back], at_once=True)
                    return
        self.tally.messages += len(messages)
        self.tally.back += len(back)
        deleting.submit(self._receipts.delete, messages)
        if back:
            deleting.submit(self._receipts.give_back, back)

    def _tell(self, counts: IntakeCounts) -> None:
        with self._telling:
            self.tally.counts += counts

    def _outcomes(self, records: Iterable[RawRecord]) -> tuple[list[PreparedEvent], list[Rejection]]:
        prepared: list[PreparedEvent] = []
        refused: list[Rejection] = []
        for record in records:
            outcome = outcome_of(record, self._name, self._mapper, self._redactor)
            if isinstance(outcome, PreparedEvent):
                prepared.append(outcome)
            else:
                refused.append(outcome)
        return prepared, refused

    def _receive(self, stop: threading.Event, *, until_empty: bool) -> None:
        """Wait at the queue, again and again; open what comes."""
        while not (stop.is_set() or self._ended.is_set()):
            try:
                messages = self._received()
            except (ClientError, BotoCoreError) as error:
                _LOG.warning("%s cannot be read now: %s", self._name, error)
                stop.wait(AGAIN_S)
                continue
            if messages:
                self._receipts.hold(messages)
                self._hand_over(self._opened(messages))
            elif until_empty and not self._receipts.are_held:
                # What is in work of a FIFO queue keeps the rest of its groups from being seen.
                return

    def _hand_over(self, read: Read) -> None:
        while not self._ended.is_set():
            try:
                self._read.put(read, timeout=0.5)
            except queue.Full:
                continue
            return
        self._receipts.give_back([*read.messages, *read.back], at_once=True)

    def _received(self) -> list[Message]:
        answer = self._sqs.receive_message(
            QueueUrl=self._address,
            MaxNumberOfMessages=AT_ONCE,
            WaitTimeSeconds=self._options.wait_s,
            VisibilityTimeout=self._options.visible_after_s,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )
        return [self._message(one) for one in answer.get("Messages", ())]

    def _message(self, told: dict[str, Any]) -> Message:
        system = told.get("Attributes", {})
        known = {"id": told["MessageId"], "source": self._name, **said_in(told.get("MessageAttributes", {}))}
        if "time" not in known and "SentTimestamp" in system:
            sent = datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, UTC)
            known["time"] = sent.isoformat()
        received = int(system.get("ApproximateReceiveCount", 1))
        return Message(told["ReceiptHandle"], told["Body"].encode(errors="surrogatepass"), known, received)

    def _opened(self, messages: list[Message]) -> Read:
        """What is in the messages; those whose objects cannot be had now go back, the others with nothing missing."""
        read = Read([], [], [])
        for message in messages:
            try:
                records = list(self._contents.of(message, next(self._line)))
            except (AwayError, LedgerFaultError) as error:
                _LOG.warning(
                    "%s: a message goes back after %d deliveries: %s", self._name, message.received, error
                )
                read.back.append(message)
            else:
                read.messages.append(message)
                read.records.extend(records)
        return read

    def _keep(self) -> None:
        """Keep what is in work from others."""
        while not self._ended.wait(self._options.visible_after_s / 6):
            self._receipts.extend()

    def _give_all_back(self) -> None:
        while True:
            try:
                left = self._read.get_nowait()
            except queue.Empty:
                return
            self._receipts.give_back([*left.messages, *left.back], at_once=True)
