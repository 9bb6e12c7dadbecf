"""Figures as the page prints them: what a reader sees, and the value behind it for programs."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, TypeGuard

MISSING: Final = "\N{EN DASH}"
LONGEST: Final = 400
SHORT: Final = 12

_UNITS: Final = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
_ALL: Final = 1 - 1e-9


@dataclass(frozen=True)
class Figure:
    """What is printed, the `value` behind it where that says less, and the whole text where it was cut."""

    text: str
    value: str | None = None
    whole: str | None = None


NOTHING: Final = Figure(MISSING)
"""What stands where there is no value."""


def words(text: str | None) -> Figure:
    """Text on one line, without control characters and at most `LONGEST` characters of it."""
    if not text:
        return NOTHING
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    if len(line) <= LONGEST:
        return Figure(line or MISSING)
    return Figure(f"{line[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}")


def short(identity: str | None) -> Figure:
    """An id's beginning, as the command line takes it, with the id itself kept whole."""
    found = words(identity)
    return found if len(found.text) <= SHORT else Figure(found.text[:SHORT], whole=found.text)


def count(number: float | None) -> Figure:
    """A whole number: `1,234`."""
    return _figure(number, "{:,.0f}")


def score(number: float | None) -> Figure:
    """A score, 0..1: `0.941`."""
    return _figure(number, "{:.3f}")


def usd(number: float | None) -> Figure:
    """A price in USD, with the four digits that a single call needs: `$0.0123`."""
    if number == 0:
        return Figure("$0", "0")
    return _figure(number, "${:,.4f}")


def share(number: float | None) -> Figure:
    """A share, 0..1, in per cent: `98.9 %`. Only all is 100 %, and only none is 0 %."""
    if not _is_number(number):
        return NOTHING
    text = f"{number * 100:.1f} %"
    if text == "100.0 %" and number < _ALL:
        text = "> 99.9 %"
    if text == "0.0 %" and number > 0:
        text = "< 0.1 %"
    return Figure(text, _value(number))


def interval(low: float | None, high: float | None) -> Figure:
    """Both ends of an interval of shares: `97.9 to 99.5 %`."""
    if not _is_number(low) or not _is_number(high):
        return NOTHING
    return Figure(f"{low * 100:.1f} to {high * 100:.1f} %", f"{_value(low)} {_value(high)}")


def seconds(number: float | None) -> Figure:
    """A duration in its two largest units: `8.4 s`, `3 min 54 s`, `2 h 5 min`."""
    if not _is_number(number):
        return NOTHING
    sign, size = ("-", -number) if number < 0 else ("", number)
    for unit, name, part, part_name in _UNITS:
        if round(size) >= unit:
            whole, rest = divmod(round(size), unit)
            return Figure(f"{sign}{whole} {name} {rest // part} {part_name}", _value(number))
    return Figure(f"{sign}{size:.1f} s", _value(number))


def moment(when: datetime | None) -> Figure:
    """A time to the minute, UTC: `2024-05-01 08:15`."""
    if when is None:
        return NOTHING
    utc = when.astimezone(UTC)
    return Figure(f"{utc:%Y-%m-%d %H:%M}", utc.isoformat())


def day(when: date | None) -> Figure:
    """A day: `2024-05-01`."""
    return NOTHING if when is None else Figure(when.isoformat())


def _figure(number: float | None, form: str) -> Figure:
    return Figure(form.format(number), _value(number)) if _is_number(number) else NOTHING


def _value(number: float) -> str:
    """The number to 12 digits: those beyond depend on the order in which the database summed."""
    return str(number) if isinstance(number, int) else f"{number:.12g}"


def _is_number(number: float | None) -> TypeGuard[float]:
    return number is not None and math.isfinite(number)
