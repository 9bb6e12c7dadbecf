"""A challenger against the champion, looked at as often as one likes.

The verdicts of each are a stream of passes and fails. For each arm a confidence sequence holds its pass rate at every
moment at once (Waudby-Smith, Ramdas: Estimating means of bounded random variables by betting, JRSS B 2024; the
predictable plug-in empirical-Bernstein one, theorem 2): whoever stops when he sees what he likes is wrong no more often
than one who looks once. The difference is held by both together, each at half of the error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from evaluation.resampling import Floats

ERROR: Final = 0.05
_MOST_BET: Final = 0.5

Decision = Literal["promote", "reject", "go on"]


@dataclass(frozen=True)
class Standing:
    """Where a comparison stands after so many verdicts of each: the difference in pass rates, with its bounds."""

    champion: int
    challenger: int
    difference: float
    low: float
    high: float
    decision: Decision


def compare(
    champion: Sequence[float], challenger: Sequence[float], *, least: float = 0.0, error: float = ERROR
) -> Standing:
    """The standing after these verdicts (0 to 1, in the order in which they came).

    `promote` where the challenger is better by more than `least`, `reject` where it is not; else `go on`. ValueError
    for verdicts out of range.
    """
    (old_low, old_high), (new_low, new_high) = (_bounds(one, error / 2) for one in (champion, challenger))
    low, high = new_low - old_high, new_high - old_low
    difference = _mean(challenger) - _mean(champion)
    decision: Decision = "promote" if low > least else "reject" if high <= least else "go on"
    return Standing(len(champion), len(challenger), difference, float(low), float(high), decision)


def confidence_sequence(verdicts: Sequence[float], *, error: float = ERROR) -> Floats:
    """The bounds of the mean after each verdict, shape (n, 2): at no time is the truth outside, but for `error`."""
    values = np.asarray(verdicts, float)
    if values.size and not ((values >= 0) & (values <= 1)).all():
        raise ValueError("verdicts lie between 0 and 1")
    counts = np.arange(1, len(values) + 1)
    means = (0.5 + np.cumsum(values)) / (counts + 1)
    spreads = (0.25 + np.cumsum((values - means) ** 2)) / (counts + 1)
    before_mean, before_spread = np.append(0.5, means[:-1]), np.append(0.25, spreads[:-1])
    bets = np.minimum(np.sqrt(2 * np.log(2 / error) / (before_spread * counts * np.log1p(counts))), _MOST_BET)
    # psi of the empirical Bernstein bound, and what each verdict was off by from what was known before it.
    psi = (-np.log1p(-bets) - bets) / 4
    off = 4 * (values - before_mean) ** 2
    total = np.cumsum(bets)
    centre = np.cumsum(bets * values) / total
    margin = (np.log(2 / error) + np.cumsum(off * psi)) / total
    low = np.maximum.accumulate(np.clip(centre - margin, 0, 1))
    high = np.minimum.accumulate(np.clip(centre + margin, 0, 1))
    return np.stack([low, high], axis=1)


def _bounds(verdicts: Sequence[float], error: float) -> tuple[float, float]:
    """Where the mean lies after all of them; anywhere while there are none."""
    if not len(verdicts):
        return 0.0, 1.0
    low, high = confidence_sequence(verdicts, error=error)[-1]
    return float(low), float(high)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.5
