"""The true pass rate, from many verdicts of a judge that errs and few of people who do not.

- `judge_alone` takes the judge at its word, and is wrong by as much as the judge is biased.
- `people_alone` uses the labelled items only.
- `rogan_gladen` corrects the judge by its sensitivity and specificity (Rogan, Gladen: Estimating prevalence from the
  results of a screening test, 1978; interval by the delta method).
- `prediction_powered` uses both (Angelopoulos, Duchi, Zrnic: PPI++, arXiv:2311.01453, with power tuning): it covers the
  truth whatever the judge is like, and is the narrower the better the judge.

Verdicts are 0 or 1 (or scores for a mean). Standard errors are by tenant where there are enough of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint

from evaluation.estimates import LEVEL, Estimate, Figure, Insufficient
from evaluation.resampling import LEAST_CLUSTERS, Floats

LEAST_LABELS: Final = 30
_Z: Final = float(norm.ppf((1 + LEVEL) / 2))


@dataclass(frozen=True)
class Labelled:
    """Items with both verdicts, and their tenants."""

    people: Sequence[float]
    judge: Sequence[float]
    tenants: Sequence[str]


@dataclass(frozen=True)
class Unlabelled:
    """Items with the judge's verdict alone, and their tenants."""

    judge: Sequence[float]
    tenants: Sequence[str]


def judge_alone(items: Unlabelled) -> Figure:
    """What the judge says, with Wilson's interval: of its verdicts, not of the truth."""
    n, passed = len(items.judge), float(np.sum(items.judge))
    if n == 0:
        return Insufficient("no item has been judged")
    low, high = proportion_confint(passed, n, 1 - LEVEL, "wilson")
    return Estimate(passed / n, float(low), float(high), n, len(set(items.tenants)), "judge alone, Wilson")


def people_alone(labelled: Labelled) -> Figure:
    """What people say of the items they have labelled."""
    if too_few := _too_few(labelled):
        return too_few
    people = np.asarray(labelled.people, float)
    error = _error_of_mean(people, labelled.tenants)
    return _bounded(float(people.mean()), error, len(people), labelled.tenants, "people alone")


def rogan_gladen(labelled: Labelled, unlabelled: Unlabelled) -> Figure:
    """The judge's rate, corrected by how it errs on what people have labelled; verdicts are 0 or 1."""
    if too_few := _too_few(labelled):
        return too_few
    people, judge = np.asarray(labelled.people, float), np.asarray(labelled.judge, float)
    good, bad = judge[people == 1], judge[people == 0]
    if not (len(good) and len(bad)):
        return Insufficient(
            "people say the same of all labelled items, so nothing tells how the judge errs", len(people)
        )
    sensitivity, specificity = good.mean(), 1 - bad.mean()
    informed = sensitivity + specificity - 1
    if informed <= 0:
        return Insufficient("the judge tells good from bad no better than chance", len(people))
    observed = np.concatenate([judge, np.asarray(unlabelled.judge, float)])
    rate = (observed.mean() + specificity - 1) / informed
    variance = (
        observed.var() / len(observed)
        + (rate**2) * sensitivity * (1 - sensitivity) / len(good)
        + ((1 - rate) ** 2) * specificity * (1 - specificity) / len(bad)
    ) / informed**2
    return _bounded(float(rate), float(np.sqrt(variance)), len(people), labelled.tenants, "Rogan-Gladen")


def prediction_powered(labelled: Labelled, unlabelled: Unlabelled) -> Figure:
    """The mean of what people would say of all items, by PPI++."""
    if too_few := _too_few(labelled):
        return too_few
    if len(unlabelled.judge) == 0:
        return people_alone(labelled)
    people, judge = np.asarray(labelled.people, float), np.asarray(labelled.judge, float)
    rest = np.asarray(unlabelled.judge, float)
    weight = power(people, judge, rest)
    value = weight * rest.mean() + (people - weight * judge).mean()
    errors = (
        weight * _error_of_mean(rest, unlabelled.tenants),
        _error_of_mean(people - weight * judge, labelled.tenants),
    )
    return _bounded(float(value), float(np.hypot(*errors)), len(people), labelled.tenants, "PPI++")


def power(people: Floats, judge: Floats, rest: Floats) -> float:
    """How far to trust the judge, 0 to 1: the weight with the least variance (PPI++, equation 6 and its estimate)."""
    both = np.concatenate([judge, rest])
    spread = (1 + len(people) / len(rest)) * both.var(ddof=1)
    if spread == 0:
        return 0.0
    together = float(((judge - judge.mean()) * (people - people.mean())).mean())
    return float(np.clip(together / spread, 0, 1))


def _error_of_mean(values: Floats, tenants: Sequence[str]) -> float:
    """The mean's standard error: by tenant (Liang, Zeger 1986) where there are enough of them, else by item."""
    centred = values - values.mean()
    names, of = np.unique(np.asarray(tenants), return_inverse=True)
    if len(names) < LEAST_CLUSTERS:
        return float(np.sqrt((centred**2).mean() / len(values)))
    sums = np.bincount(of, weights=centred)
    return float(np.sqrt(len(names) / (len(names) - 1) * (sums**2).sum()) / len(values))


def _too_few(labelled: Labelled) -> Insufficient | None:
    n = len(labelled.people)
    return Insufficient(f"{n} labels; {LEAST_LABELS} are needed", n) if n < LEAST_LABELS else None


def _bounded(value: float, error: float, n: int, tenants: Sequence[str], method: str) -> Estimate:
    """A normal interval within 0 to 1; with the value in it."""
    low, high = max(0.0, value - _Z * error), min(1.0, value + _Z * error)
    clipped = min(max(value, 0.0), 1.0)
    return Estimate(clipped, min(low, clipped), max(high, clipped), n, len(set(tenants)), method)
