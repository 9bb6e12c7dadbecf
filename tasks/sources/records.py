"""Raw records: what every reader yields, before anything is known of events."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

MARK: Final = b"\xef\xbb\xbf"
"""The UTF-8 byte order mark that some programs put before a text."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a source may ask of us.

    `record_bytes` is the largest record that is read, in bytes; `chunk_records` how many go into one transaction:
    the more, the faster SQLite takes them, and the more memory they need.
    """

    record_bytes: int = 256 * 1024
    chunk_records: int = 10_000


class RecordError(Exception):
    """A record that cannot be an event; the message is the reason of its rejection, in one sentence."""


class RawRecord(NamedTuple):
    """One record as it came. Exactly one of `value` and `problem` is None.

    `line` is its 1-based line, or record number where the format has no lines; `raw` its bytes, cut at the
    size limit; `value` the object it holds; `problem` one sentence on why it holds none.
    """

    line: int
    raw: bytes
    value: dict[str, Any] | None
    problem: str | None


def decode(line: int, raw: bytes) -> RawRecord:
    """The record whose text is one JSON object."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return RawRecord(line, raw, None, _undecodable(raw, error))
    if isinstance(value, dict):
        return RawRecord(line, raw, value, None)
    return RawRecord(line, raw, None, f"the record is {name_of(value)}, not a JSON object")


def too_large(line: int, raw: bytes, limits: Limits) -> RawRecord:
    """The record that goes beyond the size limit; what is kept of it is cut there."""
    problem = f"the record is larger than {limits.record_bytes:,} bytes"
    return RawRecord(line, raw[: limits.record_bytes], None, problem)


def name_of(value: object) -> str:
    """What JSON calls a value: `a text`, `a number`, `an array`..."""
    for kinds, name in _NAMES:
        if isinstance(value, kinds):
            return name
    return "null"


_NAMES: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "true or false"),
    (str, "a text"),
    ((int, float), "a number"),
    (list, "an array"),
    (dict, "an object"),
)


def _undecodable(raw: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        raw.decode()
    except UnicodeDecodeError as wrong:
        return f"the text is not UTF-8: byte 0x{raw[wrong.start]:02x} at position {wrong.start}"
    return f"the text is not valid JSON: {error}"
