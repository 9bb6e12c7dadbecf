"""Which threshold to set: the one that costs least, by what a bad pass and a needless fail cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from evaluation.estimates import Insufficient
from evaluation.resampling import Floats, interval

LEAST_LABELS: Final = 50


@dataclass(frozen=True)
class Costs:
    """What an item that should have been stopped costs, and one that was stopped for nothing, in USD."""

    bad_pass: float
    needless_fail: float


@dataclass(frozen=True)
class Advice:
    """The threshold that costs least on what people have labelled.

    `cost` is USD an item there, `cost_now` at the threshold in force, `saving` the difference with its 95 % interval;
    where that holds zero there is no reason to change anything.
    """

    threshold: float
    cost: float
    cost_now: float
    saving: tuple[float, float, float]
    n: int

    @property
    def is_worth_it(self) -> bool:
        """Whether changing the threshold saves anything for certain."""
        return self.saving[1] > 0


def advise(
    scores: Sequence[float],
    passed: Sequence[bool],
    tenants: Sequence[str],
    costs: Costs,
    now: float,
    *,
    seed: int,
) -> Advice | Insufficient:
    """The best threshold for a criterion; `passed` is what people say of items with these scores.

    ValueError for a cost that is not positive.
    """
    if min(costs.bad_pass, costs.needless_fail) <= 0:
        raise ValueError("what an error costs is more than nothing: give both costs in USD")
    judged, verdicts = np.asarray(scores, float), np.asarray(passed, bool)
    n = len(judged)
    if n < LEAST_LABELS:
        return Insufficient(f"{n} labels; {LEAST_LABELS} are needed", n)
    if verdicts.all() or not verdicts.any():
        return Insufficient("people say the same of all labelled items: any threshold does as well", n)
    grid = np.unique(np.concatenate([judged, [now]]))
    paid = np.stack([_paid(judged, verdicts, at, costs) for at in grid])
    best, current = int(paid.mean(axis=1).argmin()), int(np.searchsorted(grid, now))
    saved = paid[current] - paid[best]
    saving = interval(lambda one, _: float(one.mean()), saved, saved, tenants, seed=seed, name="saving")
    if isinstance(saving, Insufficient):
        return saving
    means = (float(paid[best].mean()), float(paid[current].mean()))
    return Advice(float(grid[best]), *means, (saving.value, saving.low, saving.high), n)


def _paid(scores: Floats, passed: np.ndarray, threshold: float, costs: Costs) -> Floats:
    """What each item costs at a threshold."""
    through = scores >= threshold
    return np.where(through & ~passed, costs.bad_pass, np.where(~through & passed, costs.needless_fail, 0.0))
