"""When an event happened, from the forms that sources write it in."""

from datetime import UTC, datetime
from typing import Final

from tasks.sources.records import RecordError, name_of

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2100


def parse_time(value: object) -> datetime | None:
    """A time in UTC; None where there is none.

    ISO 8601 text: with a zone it is converted, without one it is taken as UTC, a date alone is its midnight.
    RecordError for anything else and for years outside 1970 to 2100.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise RecordError(f"time is {name_of(value)}; it must be ISO 8601 text")
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not UTC:
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RecordError(f"time {value[:60]!r} is not ISO 8601") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise RecordError(f"time {value[:60]!r} is outside the years {FIRST_YEAR} to {LAST_YEAR}")
    return moment
