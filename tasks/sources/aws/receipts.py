"""Messages of a queue while they are worked on: kept invisible to others until they are done with or given back."""

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

_LOG: Final = logging.getLogger("penstock")
AT_ONCE: Final = 10
"""The most messages that SQS takes in one request."""
LONGEST_AWAY_S: Final = 900


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a queue delivered it; `received` counts its deliveries, this one among them."""

    receipt: str
    body: bytes
    known: Mapping[str, str]
    received: int = 1


@dataclass
class Receipts:
    """The messages of a queue that this process has, by their receipts, each with when it had to be back last."""

    sqs: Any
    queue: str
    visible_after_s: int
    back_off_s: int = 5
    _held: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hold(self, messages: Iterable[Message]) -> None:
        """They have just been received."""
        now = time.monotonic()
        with self._lock:
            self._held |= {message.receipt: now for message in messages}

    @property
    def are_held(self) -> bool:
        """Whether this process has any."""
        return bool(self._held)

    def extend(self) -> None:
        """Keep those longer whose time is more than half over; called again and again."""
        now = time.monotonic()
        with self._lock:
            old = [receipt for receipt, since in self._held.items() if now - since > self.visible_after_s / 2]
        self._change(old, self.visible_after_s)
        with self._lock:
            self._held |= {receipt: now for receipt in old if receipt in self._held}

    def delete(self, messages: Sequence[Message]) -> int:
        """They are done with; how many the queue did not let go, which come again and are duplicates then."""
        kept = 0
        for some in _tens([message.receipt for message in messages]):
            entries = [{"Id": str(number), "ReceiptHandle": one} for number, one in enumerate(some)]
            kept += self._asked(self.sqs.delete_message_batch, entries)
        self._forget(message.receipt for message in messages)
        return kept

    def give_back(self, messages: Sequence[Message], *, at_once: bool = False) -> None:
        """Others may have them: now, or later the more often they have been tried."""
        for message in messages:
            away_s = 0 if at_once else min(self.back_off_s * 2**message.received, LONGEST_AWAY_S)
            self._change([message.receipt], away_s)
        self._forget(message.receipt for message in messages)

    def _change(self, receipts: Sequence[str], away_s: int) -> None:
        for some in _tens(receipts):
            entries = [
                {"Id": str(number), "ReceiptHandle": one, "VisibilityTimeout": away_s}
                for number, one in enumerate(some)
            ]
            self._asked(self.sqs.change_message_visibility_batch, entries)

    def _asked(self, request: Any, entries: list[dict[str, Any]]) -> int:  # noqa: ANN401 - boto3's methods
        """How many of the entries failed. What the queue does not hear, it finds out by itself."""
        try:
            failed = request(QueueUrl=self.queue, Entries=entries).get("Failed", [])
        except (ClientError, BotoCoreError) as error:
            _LOG.warning("the queue %s did not hear of %d messages: %s", self.queue, len(entries), error)
            return len(entries)
        return len(failed)

    def _forget(self, receipts: Iterable[str]) -> None:
        with self._lock:
            for receipt in receipts:
                self._held.pop(receipt, None)


def _tens(receipts: Sequence[str]) -> list[Sequence[str]]:
    return [receipts[start : start + AT_ONCE] for start in range(0, len(receipts), AT_ONCE)]
