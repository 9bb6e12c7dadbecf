"""The forms in which events come over HTTP: CloudEvents structured, binary and in batches, plain JSON, NDJSON.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import io
from collections.abc import Collection, Mapping
from typing import Any, Final

import orjson
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, from_binary, from_structured
from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.formats.json import JSONFormat

from gateway.http.problems import RefusedError
from tasks.sources.lines import read_ndjson
from tasks.sources.records import Limits, RawRecord, decode, name_of, too_large

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
PLAIN: Final = "application/json"
LINES: Final = "application/x-ndjson"
KINDS: Final = (STRUCTURED, BATCH, PLAIN, LINES)
_JSON: Final = JSONFormat()


def records_of(headers: Mapping[str, str], body: bytes, limits: Limits) -> tuple[list[RawRecord], bool]:
    """The records of a request, and whether it is a batch, which is answered item by item.

    Headers by names in lower case. Whatever is wrong with one record is a record with a problem.

    Raises:
        RefusedError: the request as a whole is none of these forms.
    """
    if "ce-specversion" in headers or "ce-id" in headers:
        return [_binary(headers, body, limits)], False
    kind = headers.get("content-type", PLAIN).partition(";")[0].strip().lower()
    if kind == LINES:
        return list(read_ndjson(io.BytesIO(body), limits)), True
    if kind == STRUCTURED:
        return [_structured(1, body, limits)], False
    if kind in {BATCH, PLAIN}:
        return _of_json(body, limits, is_cloud=kind == BATCH)
    raise RefusedError(
        415,
        "Unknown form",
        f"content-type {kind!r} is not read; send one of {', '.join(KINDS)}, or ce- headers",
    )


def _of_json(body: bytes, limits: Limits, *, is_cloud: bool) -> tuple[list[RawRecord], bool]:
    """One object, or an array of them."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return [decode(1, body)], False
    if isinstance(value, list):
        read = _structured if is_cloud else _plain
        return [read(line, orjson.dumps(one), limits) for line, one in enumerate(value, 1)], True
    if is_cloud:
        raise RefusedError(400, "No batch", f"{BATCH} is a JSON array of events; this is {name_of(value)}")
    return [_plain(1, body, limits)], False


def _plain(line: int, raw: bytes, limits: Limits) -> RawRecord:
    return too_large(line, raw, limits) if len(raw) > limits.record_bytes else decode(line, raw)


def _structured(line: int, raw: bytes, limits: Limits) -> RawRecord:
    """By the CloudEvents SDK, which checks its attributes."""
    if len(raw) > limits.record_bytes:
        return too_large(line, raw, limits)
    plain = decode(line, raw)
    if plain.value is None:
        return plain
    try:
        return _record(line, raw, from_structured(HTTPMessage({}, raw), _JSON), plain.value.keys())
    except _UNREADABLE as error:
        return plain._replace(value=None, problem=_said(error))


def _binary(headers: Mapping[str, str], body: bytes, limits: Limits) -> RawRecord:
    if len(body) > limits.record_bytes:
        return too_large(1, body, limits)
    given = {name: value for name, value in headers.items() if name.startswith("ce-")}
    if "content-type" in headers:
        given["content-type"] = headers["content-type"]
    try:
        names = {name.removeprefix("ce-") for name in given} | {"datacontenttype"}
        return _record(1, body, from_binary(HTTPMessage(given, body), _JSON), names)
    except _UNREADABLE as error:
        return RawRecord(1, body, None, _said(error))


# The SDK lets through what its parsers of times and texts raise.
_UNREADABLE: Final = (BaseCloudEventException, ValueError, TypeError, KeyError, AttributeError)


def _record(line: int, raw: bytes, event: BaseCloudEvent, given: Collection[str]) -> RawRecord:
    """What was given of the event. What was not the SDK makes up, another id and another time with each sending."""
    attributes: dict[str, Any] = {
        name: value if isinstance(value, (str, int, bool)) else value.isoformat()
        for name, value in event.get_attributes().items()
        if value is not None and name in given
    }
    data = event.get_data()
    if isinstance(data, bytes):
        data = data.decode(errors="backslashreplace")
    return RawRecord(line, raw, attributes if data is None else attributes | {"data": data}, None)


def _said(error: Exception) -> str:
    errors = getattr(error, "errors", None)
    if isinstance(errors, dict):
        error = next((one for some in errors.values() for one in some), error)
    return f"it is no CloudEvent: {error}"
