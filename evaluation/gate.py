"""The gate: every criterion at or above its threshold, or nothing leaves."""

from dataclasses import dataclass

from evaluation.rubric import Rubric
from evaluation.verdict import CriterionScore, Scored


@dataclass(frozen=True)
class Shortfall:
    """A criterion below its threshold."""

    criterion: str
    score: float
    threshold: float
    reason: str

    @property
    def brief(self) -> str:
        """`tone 0.40 < 0.70`: without the reason, which may quote people."""
        return f"{self.criterion} {self.score:.2f} < {self.threshold:.2f}"

    def __str__(self) -> str:
        """`tone 0.40 < 0.70: shouting in a quotation`."""
        return f"{self.brief}: {self.reason}"


def shortfalls(verdict: Scored, rubric: Rubric) -> tuple[Shortfall, ...]:
    """The criteria that fail, in the rubric's order; empty means the gate is open."""
    thresholds = rubric.thresholds
    return tuple(
        Shortfall(score.criterion, score.score, thresholds[score.criterion], score.reason)
        for score in verdict.scores
        if not _passes(score, thresholds)
    )


def _passes(score: CriterionScore, thresholds: dict[str, float]) -> bool:
    return score.score >= thresholds[score.criterion]
