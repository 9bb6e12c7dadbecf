"""Canaries: items whose verdicts are known, judged again and again, so that a judge that changes is found out.

Each canary's score is compared with its own usual one, so that it does not matter how the canaries were chosen; the
shift over all of them is tested by Wilcoxon's signed ranks, criterion by criterion, with Holm's correction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import wilcoxon

from evaluation.estimates import Insufficient
from evaluation.families import holm

LEAST: Final = 8
ALPHA: Final = 0.01
"""Canaries are judged every day: one false alarm in a hundred days."""


@dataclass(frozen=True)
class JudgeDrift:
    """How a criterion's scores of the canaries have moved: the mean shift, and how likely it is by chance."""

    criterion: str
    shift: float
    p_value: float
    n: int

    @property
    def is_drift(self) -> bool:
        """Whether the judge is another one than it was."""
        return self.p_value < ALPHA


def judge_drift(
    usual: Mapping[str, Sequence[float]], now: Mapping[str, Sequence[float]]
) -> Mapping[str, JudgeDrift | Insufficient]:
    """By criterion: each canary's usual score and its score now, in the same order; p-values are Holm's.

    ValueError where the two do not hold the same canaries.
    """
    found: dict[str, JudgeDrift | Insufficient] = {}
    for criterion, before in usual.items():
        after = now.get(criterion, ())
        if len(before) != len(after):
            raise ValueError(f"{criterion}: {len(before)} canaries before, {len(after)} now")
        found[criterion] = _shift(criterion, np.asarray(before, float), np.asarray(after, float))
    adjusted = holm({name: one.p_value for name, one in found.items() if isinstance(one, JudgeDrift)})
    return {
        name: JudgeDrift(name, one.shift, adjusted[name], one.n) if isinstance(one, JudgeDrift) else one
        for name, one in found.items()
    }


def _shift(criterion: str, before: np.ndarray, after: np.ndarray) -> JudgeDrift | Insufficient:
    n = len(before)
    if n < LEAST:
        return Insufficient(f"{n} canaries; {LEAST} are needed", n)
    moved = after - before
    p_value = 1.0 if not moved.any() else float(wilcoxon(moved, zero_method="zsplit").pvalue)
    return JudgeDrift(criterion, float(moved.mean()), p_value, n)
