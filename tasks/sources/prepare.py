"""One record at a time: what it becomes, ready for the ledger. Pure; `intake` does the reading and recording."""

import orjson

from contracts.events import Event, Rejection
from ledger.intake import PreparedEvent, prepare_event
from tasks.sources.mapper import Mapper
from tasks.sources.records import RawRecord, RecordError
from tasks.sources.text import CHARACTERS_PER_TOKEN


def outcome_of(record: RawRecord, origin: str, mapper: Mapper) -> PreparedEvent | Rejection:
    """What a record becomes: an event ready for the ledger, or a rejection with its reason and text."""
    if record.value is None:
        return _rejection(record, origin, record.problem or "the record is empty")
    try:
        event = mapper.event(record.value)
        return prepare(event, mapper.pipeline(event.type), record.line)
    except RecordError as error:
        return _rejection(record, origin, str(error))


def prepare(event: Event, pipeline: str, line: int) -> PreparedEvent:
    """The event with its identity, content hash, JSON and size; RecordError where it cannot be kept.

    Its tokens are estimated from its whole JSON, which is about what a prompt shows of it and rather more.
    """
    try:
        # As a text at once: the bytes orjson gives hold on to a buffer several times their length.
        payload = orjson.dumps(vars(event)).decode()
        tokens = len(payload) // CHARACTERS_PER_TOKEN
        return prepare_event(event, payload, tokens=tokens, pipeline=pipeline, line=line)
    except TypeError as error:
        raise RecordError(f"data cannot be kept as JSON: {error}") from None


def _rejection(record: RawRecord, origin: str, reason: str) -> Rejection:
    tenant = record.value.get("tenant") if record.value else None
    return Rejection(
        origin=origin,
        line=record.line,
        reason=reason,
        raw=record.raw.decode(errors="backslashreplace"),
        tenant=tenant if isinstance(tenant, str) else None,
    )
