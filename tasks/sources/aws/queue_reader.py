"""Reading a queue of SQS: messages as they come, opened, with what they refer to."""

import itertools
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from tasks.sources.aws.contents import Contents
from tasks.sources.aws.receipts import AT_ONCE, Message, Receipts
from tasks.sources.aws.shapes import said_in
from tasks.sources.records import Limits, RawRecord

_LOG: Final = logging.getLogger("penstock")


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


USUAL: Final = QueueOptions()


class Read(NamedTuple):
    """What some messages came to: what is done with them once `records` are in the ledger, and what goes back."""

    messages: list[Message]
    records: list[RawRecord]
    back: list[Message]


class Receiver:
    """Receives from one queue, in as many threads as like to."""

    def __init__(
        self,
        sqs: Any,  # noqa: ANN401 - boto3's are
        address: str,
        receipts: Receipts,
        options: QueueOptions,
    ) -> None:
        self._sqs, self._address, self._receipts, self._options = sqs, address, receipts, options
        self.name = f"sqs:{address.rpartition('/')[2]}"

    def receive(self) -> list[Message]:
        """Wait for messages, as long as is said; ten at most, which are held from now on.

        Raises:
            ClientError, BotoCoreError: the queue cannot be read now.
        """
        answer = self._sqs.receive_message(
            QueueUrl=self._address,
            MaxNumberOfMessages=AT_ONCE,
            WaitTimeSeconds=self._options.wait_s,
            VisibilityTimeout=self._options.visible_after_s,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )
        messages = [self._message(one) for one in answer.get("Messages", ())]
        self._receipts.hold(messages)
        return messages

    def _message(self, told: dict[str, Any]) -> Message:
        system = told.get("Attributes", {})
        known = {"id": told["MessageId"], "source": self.name, **said_in(told.get("MessageAttributes", {}))}
        if "time" not in known and "SentTimestamp" in system:
            sent = datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, UTC)
            known["time"] = sent.isoformat()
        received = int(system.get("ApproximateReceiveCount", 1))
        return Message(told["ReceiptHandle"], told["Body"].encode(errors="surrogatepass"), known, received)


class QueueReader:
    """Reads one queue, in as many threads as like to: messages with what they refer to."""

    def __init__(self, receiver: Receiver, contents: Contents) -> None:
        self._receiver, self._contents = receiver, contents
        self._line = itertools.count(1)

    def read(self) -> Read | None:
        """Wait for messages, and open them; None where none came. Raises as `Receiver.receive`."""
        messages = self._receiver.receive()
        return self._opened(messages) if messages else None

    def _opened(self, messages: list[Message]) -> Read:
        """What is in the messages; those whose objects cannot be had now go back, the others with nothing missing."""
        read = Read([], [], [])
        for message in messages:
            try:
                records = list(self._contents.of(message, next(self._line)))
            except Exception as error:  # noqa: BLE001 - no message ends the reading of the others
                _LOG.warning(
                    "%s: a message goes back after %d deliveries: %r",
                    self._receiver.name,
                    message.received,
                    error,
                )
                read.back.append(message)
            else:
                read.messages.append(message)
                read.records.extend(records)
        return read
