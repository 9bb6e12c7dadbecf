"""What a message comes to: its own events, those that it refers to, and objects that are taken in as files are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from ledger.engine import Ledger
from ledger.intake import IntakeCounts
from tasks.redaction.redactor import Redactor
from tasks.sources.aws.clients import GoneError
from tasks.sources.aws.documents import SUFFIXES as DOCUMENTS
from tasks.sources.aws.documents import document_record, is_document
from tasks.sources.aws.envelopes import Claim, Created, Nothing, filled, opened
from tasks.sources.aws.objects import fetch, is_records, read_object
from tasks.sources.aws.receipts import Message
from tasks.sources.aws.shapes import ObjectPlace
from tasks.sources.intake import recorded
from tasks.sources.mapper import Mapper
from tasks.sources.prepare import outcome_of
from tasks.sources.read import SUFFIXES
from tasks.sources.records import Limits, RawRecord, RecordError, too_large


@dataclass(frozen=True, slots=True)
class Contents:
    """Opens messages of one queue; what whole files hold goes into the ledger as it is read."""

    s3: Any
    ledger: Ledger
    mapper: Mapper
    redactor: Redactor | None
    now: Callable[[], datetime]
    limits: Limits
    tell: Callable[[IntakeCounts], None]

    def of(self, message: Message, line: int) -> Iterator[RawRecord]:
        """The records that are in the message or behind its claim check.

        Raises:
            AwayError: what it refers to cannot be had now: the message is to be delivered again.
        """
        for content in opened(message.body, message.known, line):
            match content:
                case RawRecord():
                    yield _counted(self._bounded(content), message)
                case Created(place):
                    yield from self._of_object(place, message, line)
                case Claim():
                    yield from (_counted(one, message) for one in self._of_claim(content, message, line))
                case Nothing():
                    pass

    def _bounded(self, record: RawRecord) -> RawRecord:
        """A queue's message may be four times as large as an event; what is too large is kept whole, as a problem."""
        if len(record.raw) <= self.limits.record_bytes:
            return record
        return record._replace(value=None, problem=too_large(record.line, b"", self.limits).problem)

    def _of_object(self, place: ObjectPlace, message: Message, line: int) -> Iterator[RawRecord]:
        """A file of records is taken in here, a chunk to a transaction; a document is a record; all else a problem."""
        if is_document(place.key):
            yield self._of_document(place, message, line)
            return
        if not is_records(place.key):
            known = ", ".join((*SUFFIXES, *DOCUMENTS))
            yield _problem(
                message, line, f"{place} is no file of records: its name ends with none of {known}"
            )
            return
        try:
            records = read_object(self.s3, place, self.limits)
            outcomes = (outcome_of(record, str(place), self.mapper, self.redactor) for record in records)
            for counts in recorded(self.ledger, str(place), outcomes, self.now, self.limits):
                self.tell(counts)
        except GoneError as error:
            yield _problem(message, line, f"{place} is not there any more ({error})")

    def _of_document(self, place: ObjectPlace, message: Message, line: int) -> RawRecord:
        try:
            record = document_record(self.s3, place, self.limits.record_bytes)
        except GoneError as error:
            return _problem(message, line, f"{place} cannot be had: {error}")
        except RecordError as error:
            return _problem(message, line, f"{place}: {error}")
        whose = {name: said for name, said in message.known.items() if name not in {"id", "source", "time"}}
        return filled(RawRecord(line, message.body, record, None), whose)

    def _of_claim(self, claim: Claim, message: Message, line: int) -> Iterator[RawRecord]:
        try:
            content = fetch(self.s3, claim.place, self.limits.record_bytes)
        except GoneError as error:
            yield _problem(message, line, f"what the claim check refers to cannot be had: {error}")
            return
        if claim.event is None:
            yield from self._of_body(content, claim, message, line)
            return
        try:
            data: Any = orjson.loads(content)
        except orjson.JSONDecodeError:
            data = content.decode(errors="backslashreplace")
        yield filled(RawRecord(line, message.body, claim.event | {"data": data}, None), claim.known)

    def _of_body(self, content: bytes, claim: Claim, message: Message, line: int) -> Iterator[RawRecord]:
        for one in opened(content, claim.known, line):
            if isinstance(one, RawRecord):
                yield one
            elif not isinstance(one, Nothing):
                yield _problem(
                    message, line, f"{claim.place}, which a claim check brought, refers to another object"
                )


def _problem(message: Message, line: int, problem: str) -> RawRecord:
    return RawRecord(line, message.body, None, _with_count(problem, message))


def _counted(record: RawRecord, message: Message) -> RawRecord:
    return record if record.problem is None else record._replace(problem=_with_count(record.problem, message))


def _with_count(problem: str, message: Message) -> str:
    """A reason says how often its queue has tried, where that is more than once."""
    return problem if message.received == 1 else f"{problem} (delivered {message.received} times)"
