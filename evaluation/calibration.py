"""Calibration: what share of items with a judge's score would people pass?

Isotonic regression where there are many labels (Zadrozny, Elkan 2002), Platt's logistic curve where there are few
(Niculescu-Mizil, Caruana: Predicting good probabilities with supervised learning, 2005: isotonic overfits below about
1,000 labels).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from evaluation.estimates import Insufficient
from evaluation.resampling import Floats

ENOUGH_FOR_ISOTONIC: Final = 1_000
LEAST_LABELS: Final = 50
LEAST_OF_EACH: Final = 5
"""So many passes, and so many fails, have to be among the labels."""


@dataclass(frozen=True)
class Calibration:
    """A curve from scores to probabilities, and what it was made of."""

    method: Literal["isotonic", "platt"]
    n: int
    curve: Callable[[Floats], Floats]

    def of(self, scores: Sequence[float]) -> Floats:
        """The probability, 0 to 1, that people would pass items with these scores."""
        return self.curve(np.asarray(scores, float))


def calibrate(scores: Sequence[float], passed: Sequence[bool]) -> Calibration | Insufficient:
    """The curve that fits what people said of items with these scores."""
    judged, verdicts = np.asarray(scores, float), np.asarray(passed, bool)
    n, good = len(verdicts), int(verdicts.sum())
    if n < LEAST_LABELS:
        return Insufficient(f"{n} labels; {LEAST_LABELS} are needed", n)
    if min(good, n - good) < LEAST_OF_EACH:
        return Insufficient(f"of {n} labels {good} pass; {LEAST_OF_EACH} of each kind are needed", n)
    if n >= ENOUGH_FOR_ISOTONIC:
        fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(judged, verdicts)
        return Calibration("isotonic", n, fitted.predict)
    curve = LogisticRegression(C=1e6).fit(judged[:, None], verdicts)
    return Calibration("platt", n, lambda given: curve.predict_proba(given[:, None])[:, 1])
