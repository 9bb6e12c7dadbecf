"""Judges that choose between two texts: do they choose the same when these change places, or just the longer one?

Wang et al.: Large language models are not fair evaluators, arXiv:2305.17926. Dubois et al.: Length-controlled
AlpacaEval, arXiv:2404.04475.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

from evaluation.estimates import LEVEL, Estimate, Figure, Insufficient

LEAST: Final = 20


@dataclass(frozen=True)
class Choice:
    """One pair: which of the texts (1 or 2, None where no verdict could be read) was chosen in each order.

    `swapped` is the verdict with the texts' places changed, told as the text that was chosen and not its place. The
    lengths are in characters.
    """

    straight: int | None
    swapped: int | None
    length_1: int = 0
    length_2: int = 0


def consistency(choices: Sequence[Choice]) -> Figure:
    """The share of pairs in which the same text is chosen in both orders; what cannot be read agrees with nothing."""
    same = sum(one.straight is not None and one.straight == one.swapped for one in choices)
    return _share(same, len(choices), "same in both orders")


def first_place(choices: Sequence[Choice]) -> Figure:
    """Of the pairs in which the order decides, the share in which the first place wins: 0.5 is no bias."""
    moved = [
        one for one in choices if None not in {one.straight, one.swapped} and one.straight != one.swapped
    ]
    return _share(sum(one.straight == 1 for one in moved), len(moved), "first place")


def longer_wins(choices: Sequence[Choice]) -> Figure:
    """The share of consistent verdicts that fall on the longer text; how often people choose it is for comparison."""
    firm = [
        one
        for one in choices
        if one.straight is not None and one.straight == one.swapped and one.length_1 != one.length_2
    ]
    return _share(
        sum((one.straight == 1) == (one.length_1 > one.length_2) for one in firm), len(firm), "longer text"
    )


def is_biased(share: Figure, fair: float = 0.5) -> bool:
    """Whether a share differs from a fair one for certain (exact binomial test at 5 %)."""
    if isinstance(share, Insufficient):
        return False
    return float(binomtest(round(share.value * share.n), share.n, fair).pvalue) < 1 - LEVEL


def _share(count: int, n: int, method: str) -> Figure:
    if n < LEAST:
        return Insufficient(f"{n} pairs; {LEAST} are needed", n)
    low, high = proportion_confint(count, n, 1 - LEVEL, "wilson")
    return Estimate(count / n, float(low), float(high), n, n, f"{method}, Wilson")
