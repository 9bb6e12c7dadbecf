"""Verdicts: what a judge said, or that it said nothing usable. A broken judge is never a zero."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CriterionScore:
    """One criterion's score, 0..1, with its reason: the judge's, or a check's where `is_checked`."""

    criterion: str
    score: float
    reason: str
    is_checked: bool = False


@dataclass(frozen=True)
class Scored:
    """The judge answered for every criterion of the rubric, in the rubric's order."""

    scores: tuple[CriterionScore, ...]


@dataclass(frozen=True)
class Unscored:
    """The judge failed: `reason` says how. Excluded from every figure, and nothing passes on it."""

    reason: str


Verdict = Scored | Unscored
