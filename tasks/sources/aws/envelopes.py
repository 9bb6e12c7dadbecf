"""From what came to what it carries: envelopes are opened, one in the other, until there is a record or an object.

SNS, EventBridge, S3's notifications, claim checks, CloudEvents in batches, and queues' messages as functions get them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson
from pydantic import ValidationError

from tasks.sources.aws.shapes import (
    CREATED,
    Notification,
    ObjectPlace,
    Pointer,
    QueueRecord,
    StorageDetail,
    StorageRecord,
    place_of,
    said_in,
)
from tasks.sources.records import RawRecord, decode, name_of

DEEPEST: Final = 8
"""So many envelopes in one another are opened."""
MOST: Final = 10_000
"""So many events are read of one message."""
POINTER: Final = "PayloadS3Pointer"

Known = Mapping[str, str]
"""What an envelope says of the event in it; what the event says itself goes first."""


class Created(NamedTuple):
    """An object was made: what it holds is to be taken in."""

    place: ObjectPlace


class Claim(NamedTuple):
    """The rest is in an object: all of a message, or the `data` of `event`."""

    place: ObjectPlace
    known: Known
    event: dict[str, Any] | None = None


class Nothing(NamedTuple):
    """There is nothing to take in, and that is no fault; `why` says it in a sentence."""

    why: str


Content = RawRecord | Created | Claim | Nothing


def opened(raw: bytes, known: Known, line: int = 1) -> Iterator[Content]:
    """Everything that a message carries, in order; `known` is what its queue says of it.

    Whatever is wrong with it is a record with a problem: nothing is raised.
    """
    yield from _Opening(raw, line).of_text(raw, known, 0)


def filled(record: RawRecord, known: Known) -> RawRecord:
    """The record with what its envelopes know and it does not say.

    When it was sent is known of this message alone: an event with an id of its own may be sent again, later, and be
    the same.
    """
    if record.value is None:
        return record
    missing = {name: said for name, said in known.items() if record.value.get(name) in (None, "")}
    if "id" not in missing:
        missing.pop("time", None)
    return record._replace(value={**record.value, **missing})


class _Opening:
    """One message being opened: what came, and where it stood."""

    def __init__(self, raw: bytes, line: int) -> None:
        self._raw, self._line = raw, line

    def of_text(self, text: bytes, known: Known, depth: int) -> Iterator[Content]:
        """What a text carries."""
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            yield decode(self._line, text)._replace(raw=self._raw)
            return
        yield from self.of(value, known, depth)

    def of(self, value: object, known: Known, depth: int) -> Iterator[Content]:
        """What a JSON value carries."""
        if depth > DEEPEST:
            yield self._problem(f"more than {DEEPEST} envelopes lie in one another")
        elif not isinstance(value, (list, dict)):
            yield self._problem(f"the message is {name_of(value)}, not a JSON object")
        else:
            if isinstance(value, list):
                contents = self._of_list(value, known, depth)
            else:
                contents = self._of_object(value, known, depth)
            yield from self._as_made(contents)

    def _as_made(self, contents: Iterator[Content]) -> Iterator[Content]:
        """The same; where an envelope is not as it should be, that is a problem of its own."""
        try:
            yield from contents
        except ValidationError as error:
            yield self._problem(_wrong(error))

    def _of_list(self, values: list[Any], known: Known, depth: int) -> Iterator[Content]:
        """A batch of events; or the two elements of a claim check."""
        if [type(one) for one in values] == [str, dict] and values[0].endswith(POINTER):
            pointer = Pointer.model_validate(values[1])
            yield Claim(ObjectPlace(pointer.bucket, pointer.key), known)
            return
        if not values:
            yield Nothing("an empty batch")
        if len(values) > MOST:
            yield self._problem(f"the message holds {len(values):,} events; {MOST:,} are read")
            return
        if len(values) == 1:
            yield from self.of(values[0], known, depth + 1)
            return
        # By the message's own id and time several would be one event.
        shared = {name: said for name, said in known.items() if name not in {"id", "time"}}
        for one in values:
            yield from self.part(one).of(one, shared, depth + 1)

    def _of_object(self, value: dict[str, Any], known: Known, depth: int) -> Iterator[Content]:
        if isinstance(value.get("Records"), list):
            return self._of_records(value["Records"], depth)
        if "TopicArn" in value and "Type" in value:
            return self._of_notification(value, depth)
        if value.get("Service") == "Amazon S3" and value.get("Event") == "s3:TestEvent":
            return iter([Nothing("S3 tried whether it may send here")])
        if value.get("source") == "aws.s3" and isinstance(value.get("detail-type"), str):
            return self._of_storage(value)
        # CloudEvents' extension: https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/dataref.md
        if "dataref" in value or set(value) == {"claimCheck"}:
            return self._of_claim(value, known)
        return iter([filled(RawRecord(self._line, self._raw, value, None), known)])

    def _of_records(self, records: list[Any], depth: int) -> Iterator[Content]:
        if not records:
            yield Nothing("an empty batch")
        if len(records) > MOST:
            yield self._problem(f"the message holds {len(records):,} records; {MOST:,} are read")
            return
        for one in records:
            part = self if len(records) == 1 else self.part(one)
            yield from part.of_record(one, depth)

    def part(self, one: object) -> "_Opening":
        """One of several: what is kept of it is itself, and not all of the message again."""
        return _Opening(orjson.dumps(one), self._line)

    def of_record(self, one: object, depth: int) -> Iterator[Content]:
        """What a record of AWS carries."""
        return self._as_made(self._of_record(one, depth))

    def _of_record(self, one: object, depth: int) -> Iterator[Content]:
        told = one if isinstance(one, dict) else {}
        source = told.get("eventSource") or told.get("EventSource")
        if source == "aws:sqs":
            yield from self._of_message(QueueRecord.model_validate(told), depth)
        elif source == "aws:sns":
            yield from self._of_notification(told.get("Sns", {}), depth)
        elif source == "aws:s3":
            yield _stored(StorageRecord.model_validate(told))
        else:
            yield self._problem(f"records of {source!r} are not read; send what they carry as events")

    def _of_message(self, message: QueueRecord, depth: int) -> Iterator[Content]:
        said = said_in(message.message_attributes)
        known = {"id": message.message_id, "source": message.queue, **said}
        yield from self.of_text(message.body.encode(errors="surrogatepass"), known, depth + 1)

    def _of_notification(self, value: dict[str, Any], depth: int) -> Iterator[Content]:
        notice = Notification.model_validate(value)
        if notice.kind != "Notification":
            yield Nothing(f"SNS sent a {notice.kind} of {notice.topic}: confirm it where the topic is kept")
            return
        known = {"id": notice.message_id, "source": notice.topic, "time": notice.timestamp}
        text = notice.message.encode(errors="surrogatepass")
        yield from self.of_text(text, known | said_in(notice.attributes), depth + 1)

    def _of_storage(self, value: dict[str, Any]) -> Iterator[Content]:
        if value["detail-type"] == "Object Created":
            yield Created(StorageDetail.model_validate(value.get("detail")).place)
        else:
            yield Nothing(f"S3 told of {value['detail-type']!r}, which brings nothing")

    def _of_claim(self, value: dict[str, Any], known: Known) -> Iterator[Content]:
        place = place_of(str(value.get("dataref") or value.get("claimCheck")))
        if place is None:
            yield self._problem("a claim check is an address like s3://bucket/key")
        elif "dataref" in value:
            event = {name: said for name, said in value.items() if name != "dataref"}
            yield Claim(place, known, event)
        else:
            yield Claim(place, known)

    def _problem(self, problem: str) -> RawRecord:
        return RawRecord(self._line, self._raw, None, problem)


def _stored(record: StorageRecord) -> Content:
    if CREATED in record.name:
        return Created(record.place)
    return Nothing(f"S3 told of {record.name}, which brings nothing")


def _wrong(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"the envelope is not as AWS makes it: {where or 'it'}: {first['msg']}"
