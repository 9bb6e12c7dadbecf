"""How far a judge and people agree: the field's coefficients, each with an interval by tenant.

Cohen: A coefficient of agreement for nominal scales, 1960. Krippendorff: Content Analysis, 2004, chapter 11. Zheng et
al.: Judging LLM-as-a-judge, arXiv:2306.05685, for what they are asked of.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from evaluation.estimates import Figure
from evaluation.resampling import DRAWS, Floats, Statistic, interval


@dataclass(frozen=True)
class Paired:
    """Items that judge and people have scored, 0 to 1, in the same order, with the tenant of each."""

    judge: Sequence[float]
    people: Sequence[float]
    tenants: Sequence[str]


def agreement(paired: Paired, threshold: float, *, seed: int, draws: int = DRAWS) -> Mapping[str, Figure]:
    """Every coefficient by name: of the scores, and at the threshold, where both sides say pass or fail."""
    judge, people = np.asarray(paired.judge, float), np.asarray(paired.people, float)
    verdicts = (judge >= threshold).astype(float), (people >= threshold).astype(float)

    def of(name: str, statistic: Statistic, one: Floats, other: Floats) -> Figure:
        return interval(statistic, one, other, paired.tenants, seed=seed, draws=draws, name=name)

    scores = {name: of(name, statistic, judge, people) for name, statistic in OF_SCORES.items()}
    return scores | {name: of(name, statistic, *verdicts) for name, statistic in OF_VERDICTS.items()}


def cohen_kappa(one: Floats, other: Floats) -> float:
    """Chance-corrected agreement of two raters on categories; NaN where both know one category only.

    As scikit-learn's, thirty times as fast: it is asked for each resample. A test holds them equal.
    """
    names, codes = np.unique(np.concatenate([one, other]), return_inverse=True)
    n, count = len(one), len(names)
    table = np.bincount(codes[:n] * count + codes[n:], minlength=count**2).reshape(count, count) / n
    by_chance = float(table.sum(axis=0) @ table.sum(axis=1))
    return float("nan") if by_chance == 1 else float((np.trace(table) - by_chance) / (1 - by_chance))


def krippendorff_alpha(one: Floats, other: Floats) -> float:
    """Agreement of two raters on an interval scale; NaN where there is one value only.

    As the library's, a thousand times as fast: of two raters who have seen every item the squared differences add up
    without the matrix of all pairs of values (Krippendorff 2004, section 11.3.2). A test holds them equal.
    """
    pooled = np.concatenate([one, other])
    if np.ptp(pooled) == 0:
        return float("nan")
    expected = 2 * ((pooled - pooled.mean()) ** 2).sum() / (len(pooled) - 1)
    return float(1 - ((one - other) ** 2).mean() / expected)


def pearson(one: Floats, other: Floats) -> float:
    """Linear correlation."""
    return _of_varying(lambda: stats.pearsonr(one, other).statistic, one, other)


def spearman(one: Floats, other: Floats) -> float:
    """Rank correlation."""
    return _of_varying(lambda: stats.spearmanr(one, other).statistic, one, other)


def kendall(one: Floats, other: Floats) -> float:
    """Rank correlation with ties (tau-b)."""
    return _of_varying(lambda: stats.kendalltau(one, other).statistic, one, other)


def sensitivity(judge: Floats, people: Floats) -> float:
    """Of what people pass, the share that the judge passes."""
    return float(judge[people == 1].mean()) if (people == 1).any() else float("nan")


def specificity(judge: Floats, people: Floats) -> float:
    """Of what people fail, the share that the judge fails."""
    return float(1 - judge[people == 0].mean()) if (people == 0).any() else float("nan")


def accuracy(judge: Floats, people: Floats) -> float:
    """The share of items on which both say the same."""
    return float((judge == people).mean())


def _of_varying(of: Callable[[], float], one: Floats, other: Floats) -> float:
    """A correlation, which is none where one side never varies."""
    return float(of()) if np.ptp(one) > 0 and np.ptp(other) > 0 else float("nan")


OF_SCORES: Final[Mapping[str, Statistic]] = {
    "pearson": pearson,
    "spearman": spearman,
    "kendall": kendall,
    "krippendorff_alpha": krippendorff_alpha,
}
OF_VERDICTS: Final[Mapping[str, Statistic]] = {
    "cohen_kappa": cohen_kappa,
    "accuracy": accuracy,
    "sensitivity": sensitivity,
    "specificity": specificity,
}
