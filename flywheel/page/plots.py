"""Plots in numbers: an axis and, on each row of a table, a bar or a dot with its interval.

Positions are per cent of the plot's width, so that the page may be of any size and text is never stretched.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeGuard

Units = tuple[tuple[float, str], ...]

SECONDS: Final[Units] = ((86_400, "{} d"), (3_600, "{} h"), (60, "{} min"), (1, "{} s"))
NUMBERS: Final[Units] = ((1e6, "{} M"), (1e3, "{} k"), (1, "{}"))
USD: Final[Units] = ((1, "${}"),)

_STEPS: Final = 4


@dataclass(frozen=True)
class Tick:
    """A grid line: its position in per cent and what stands below it."""

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """A scale from zero to `top`, with its title and its ticks."""

    title: str
    top: float
    ticks: tuple[Tick, ...]

    def at(self, value: float) -> float:
        """The position of a value in per cent, kept within the plot."""
        return round(min(max(value / self.top, 0.0), 1.0) * 100, 3)


@dataclass(frozen=True)
class Mark:
    """What one row draws, from `low` to `high`; a bar without `dot`, an interval with one. `said` is its title."""

    said: str
    low: float
    high: float
    dot: float | None = None

    @property
    def width(self) -> float:
        """From `low` to `high`."""
        return round(self.high - self.low, 3)


SHARES: Final = Axis(
    "pass rate, with its 95 % interval",
    1.0,
    tuple(Tick(at, f"{at} %") for at in (0, 25, 50, 75, 100)),
)
"""The scale of every pass rate: the whole of it, so that pages can be compared by eye."""


def axis(title: str, values: Iterable[float | None], units: Units = NUMBERS) -> Axis:
    """A scale that holds all values, with about four round steps in the largest unit that fits."""
    most = max((value for value in values if _is_positive(value)), default=1.0)
    unit, form = next((unit for unit in units if most >= unit[0]), units[-1])
    step = _round_step(most / unit / _STEPS)
    if units is NUMBERS and unit == 1:
        step = max(step, 1.0)
    n_steps = max(math.ceil(round(most / unit / step, 9)), 1)
    ticks = [Tick(round(100 * n / n_steps, 3), form.format(_plain(n * step))) for n in range(1, n_steps + 1)]
    return Axis(title, n_steps * step * unit, (Tick(0, "0"), *ticks))


def bar(value: float | None, scale: Axis, said: str) -> Mark | None:
    """A bar from zero to the value; nothing where there is no value."""
    return Mark(said, 0.0, scale.at(value)) if _is_positive(value) else None


def dot(value: float | None, low: float | None, high: float | None, scale: Axis, said: str) -> Mark | None:
    """A dot at the value on a line from low to high; nothing where one of them is missing."""
    if value is None or low is None or high is None or not math.isfinite(value + low + high):
        return None
    return Mark(said, scale.at(low), scale.at(high), scale.at(value))


def _is_positive(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value) and value > 0


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is no smaller than `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= least * (1 - 1e-9))


def _plain(number: float) -> str:
    """Without an exponent and without zeros behind the point."""
    text = f"{number:.12f}"
    return text.rstrip("0").rstrip(".")
