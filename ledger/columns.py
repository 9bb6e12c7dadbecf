"""Column types that read and write the same on SQLite and PostgreSQL."""

import json
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

import orjson
from sqlalchemy import BigInteger, Dialect, Text, TypeDecorator

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
NANO: Final = Decimal(10) ** 9


def to_micros(moment: datetime) -> int:
    """Microseconds since the epoch of an aware time; ValueError for one without a zone."""
    if moment.tzinfo is None:
        raise ValueError(f"the time {moment.isoformat()} has no zone; give an aware UTC time")
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC time that many microseconds after the epoch."""
    return EPOCH + micros * MICROSECOND


def to_nanos(usd: Decimal) -> int:
    """An amount in billionths of a USD, rounded half to even."""
    return int((usd * NANO).to_integral_value(ROUND_HALF_EVEN))


class Moment(TypeDecorator[datetime]):
    """An aware UTC time, stored as integer microseconds since the epoch."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002, the type's protocol
        """Time to microseconds; ValueError for a time without a zone."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002, the type's protocol
        """Microseconds to time."""
        return None if value is None else from_micros(value)


class Usd(TypeDecorator[Decimal]):
    """An amount of USD, stored as integer billionths so that sums are exact."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002, the type's protocol
        """USD to billionths."""
        return None if value is None else to_nanos(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002, the type's protocol
        """Billionths to USD; a sum may come back as `Decimal` on PostgreSQL."""
        return None if value is None else Decimal(value) / NANO


class Json(TypeDecorator[Any]):
    """A JSON value, stored as its text. JSON escapes NUL, so any string survives both databases."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002, any JSON value
        """Value to text."""
        return None if value is None else to_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002, any JSON value
        """Text to value."""
        return None if value is None else orjson.loads(value)


class Prose(TypeDecorator[str]):
    """Free text from anywhere: errors, reasons, replies.

    PostgreSQL's text holds no NUL and neither database holds half a surrogate pair. Both become U+FFFD or '?',
    so that recording a failure can never fail for the failure's own words.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002, the type's protocol
        """Text to storable text."""
        return None if value is None else storable(value)


def to_json(value: Any) -> str:  # noqa: ANN401, any JSON value
    """The value as JSON text; half a surrogate pair in it becomes '?', as no database holds one."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return storable(json.dumps(value, ensure_ascii=False))


def storable(text: str) -> str:
    """The text with what no database can store replaced."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
