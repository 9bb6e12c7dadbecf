"""Bootstrap by cluster: tenants are drawn anew, with all of their items, because items of one tenant are alike.

Cameron, Gelbach, Miller: Bootstrap-based improvements for inference with clustered errors, The Review of Economics and
Statistics 90, 2008. Percentile intervals (Efron, Tibshirani: An Introduction to the Bootstrap, 1993, chapter 13).
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.estimates import LEVEL, Estimate, Figure, Insufficient

Floats = NDArray[np.float64]
Statistic = Callable[[Floats, Floats], float]
"""Of two columns, item by item; NaN where they allow none."""

DRAWS: Final = 1_000
LEAST_CLUSTERS: Final = 8
"""With fewer tenants drawing tenants tells too little: items are drawn instead, and the method says so."""
LEAST_ITEMS: Final = 10
_LEAST_USABLE: Final = 0.5
"""So many of the draws have to allow a figure."""


def interval(
    statistic: Statistic,
    one: Sequence[float] | Floats,
    other: Sequence[float] | Floats,
    clusters: Sequence[str],
    *,
    seed: int,
    draws: int = DRAWS,
    name: str = "",
) -> Figure:
    """The statistic of two columns of equal length, with a bootstrap interval; `seed` makes it repeatable.

    ValueError for columns of different lengths.
    """
    first, second = np.asarray(one, float), np.asarray(other, float)
    if not len(first) == len(second) == len(clusters):
        raise ValueError(
            f"columns of {len(first)}, {len(second)} and {len(clusters)} items do not belong together"
        )
    if len(first) < LEAST_ITEMS:
        return Insufficient(f"{len(first)} items; {LEAST_ITEMS} are needed", len(first))
    value = statistic(first, second)
    if not np.isfinite(value):
        return Insufficient(f"{name or 'the figure'} does not exist where one side never varies", len(first))
    names, by_cluster = np.unique(np.asarray(clusters), return_inverse=True)
    members = [np.flatnonzero(by_cluster == number) for number in range(len(names))]
    is_clustered = len(members) >= LEAST_CLUSTERS
    groups = members if is_clustered else [np.array([item]) for item in range(len(first))]
    drawn = _draws(statistic, first, second, groups, np.random.default_rng(seed), draws)
    usable = drawn[np.isfinite(drawn)]
    if len(usable) < _LEAST_USABLE * draws:
        return Insufficient("most resamples have one side that never varies", len(first))
    low, high = np.quantile(usable, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    method = f"{name}, bootstrap by {'tenant' if is_clustered else 'item'}".lstrip(", ")
    return Estimate(float(value), float(low), float(high), len(first), len(names), method)


def _draws(
    statistic: Statistic,
    first: Floats,
    second: Floats,
    groups: Sequence[NDArray[np.intp]],
    random: np.random.Generator,
    draws: int,
) -> Floats:
    """The statistic of each resample."""
    found = np.empty(draws)
    for draw in range(draws):
        chosen = np.concatenate([groups[one] for one in random.integers(0, len(groups), len(groups))])
        found[draw] = statistic(first[chosen], second[chosen])
    return found
