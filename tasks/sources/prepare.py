"""One record at a time: what it becomes, ready for the ledger. Pure; `intake` does the reading and recording."""

import orjson

from contracts.events import Rejection, content_hash
from ledger.intake import PreparedEvent, prepare_event
from tasks.redaction.redactor import Redactor
from tasks.sources.mapper import Mapper, Reading
from tasks.sources.records import RawRecord, RecordError
from tasks.sources.text import CHARACTERS_PER_TOKEN


def outcome_of(
    record: RawRecord, origin: str, mapper: Mapper, redactor: Redactor | None = None
) -> PreparedEvent | Rejection:
    """What a record becomes: an event ready for the ledger, or a rejection with its reason and text.

    With a `redactor` neither holds what it finds personal.
    """
    outcome = _outcome(record, origin, mapper, redactor)
    if redactor is None or isinstance(outcome, PreparedEvent):
        return outcome
    user = None if record.value is None else mapper.user(record.value)
    return redactor.rejection(outcome, record.value, user)


def _outcome(
    record: RawRecord, origin: str, mapper: Mapper, redactor: Redactor | None
) -> PreparedEvent | Rejection:
    if record.value is None:
        return _rejection(record, origin, record.problem or "the record is empty")
    try:
        reading = mapper.read(record.value)
        if redactor is None:
            return prepare(reading, record.line, record.raw)
        return _redacted(reading, record.line, redactor)
    except RecordError as error:
        return _rejection(record, origin, str(error))


def _redacted(reading: Reading, line: int, redactor: Redactor) -> PreparedEvent:
    """The event redacted, and its original's hash, so that it stays its own duplicate when patterns change.

    What a conflict would show of it is the redacted event.
    """
    try:
        plain = content_hash(reading.event, reading.stated)
        event = redactor.event(reading.event)
    except TypeError as error:
        raise RecordError(f"data cannot be kept as JSON: {error}") from None
    prepared = prepare(reading._replace(event=event), line, b"")
    keyed = redactor.content_hash(plain)
    return prepared._replace(content_hash=keyed, plain_hash=plain, raw=prepared.payload.encode())


def prepare(reading: Reading, line: int, raw: bytes) -> PreparedEvent:
    """The event with its identity, content hash, JSON and size; RecordError where it cannot be kept.

    Its tokens are estimated from its whole JSON, which is about what a prompt shows of it and rather more.
    """
    try:
        # As a text at once: the bytes orjson gives hold on to a buffer several times their length.
        payload = orjson.dumps(vars(reading.event)).decode()
        return prepare_event(
            reading.event,
            payload,
            tokens=len(payload) // CHARACTERS_PER_TOKEN,
            pipeline=reading.pipeline,
            line=line,
            raw=raw,
            stated=reading.stated,
        )
    except TypeError as error:
        raise RecordError(f"data cannot be kept as JSON: {error}") from None


def _rejection(record: RawRecord, origin: str, reason: str) -> Rejection:
    tenant = record.value.get("tenant") if record.value else None
    return Rejection(
        origin=origin,
        line=record.line,
        reason=reason,
        raw=record.raw.decode(errors="backslashreplace"),
        tenant=tenant.strip() if isinstance(tenant, str) else None,
    )
