"""Queues of SQS as a source: what they hold is in the ledger before it leaves them, and nothing else makes it leave.

Threads wait at the queue and fetch what messages refer to; one takes what they bring, as much as there is, into the
ledger in one transaction; then the messages are deleted. What cannot be an event is a rejection on record and leaves
the queue. What AWS or the ledger keeps from being read goes back, and after as many times as the queue's own redrive
policy says, to the queue's own dead letters.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from contracts.events import Rejection
from ledger.engine import Ledger
from ledger.errors import LedgerFaultError
from ledger.intake import IntakeCounts, PreparedEvent, record_intake
from tasks.redaction.redactor import Redactor
from tasks.sources.aws.clients import AwsClients
from tasks.sources.aws.contents import Contents
from tasks.sources.aws.queue_reader import USUAL, QueueOptions, QueueReader, Read, Receiver
from tasks.sources.aws.receipts import AT_ONCE, Receipts
from tasks.sources.mapper import Mapper
from tasks.sources.prepare import outcome_of
from tasks.sources.records import RawRecord

_LOG: Final = logging.getLogger("penstock")
TOGETHER: Final = 500
"""How many messages go into one transaction at most."""
AGAIN_S: Final = 2.0
"""How long to wait before the ledger, or the queue, is asked again."""


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
        options: QueueOptions = USUAL,
    ) -> None:
        self._ledger = ledger
        self._mapper, self._redactor, self._now, self._options = mapper, redactor, now, options
        self._receipts = Receipts(clients.sqs, address, options.visible_after_s, options.back_off_s)
        contents = Contents(clients.s3, ledger, mapper, redactor, now, options.limits, self._tell)
        receiver = Receiver(clients.sqs, address, self._receipts, options)
        self._reader, self._name = QueueReader(receiver, contents), receiver.name
        self._read: queue.Queue[Read] = queue.Queue(maxsize=4 * options.receivers)
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
        for start in range(0, len(messages), AT_ONCE):
            deleting.submit(self._receipts.delete, messages[start : start + AT_ONCE])
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
                read = self._reader.read()
            except (ClientError, BotoCoreError) as error:
                _LOG.warning("%s cannot be read now: %s", self._name, error)
                stop.wait(AGAIN_S)
                continue
            if read is not None:
                self._hand_over(read)
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
