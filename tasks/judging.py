"""How good the judge is: what people say of items drawn by chance, beside what it says of all of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evaluation.agreement import Paired, agreement
from evaluation.estimates import Figure, Insufficient
from evaluation.pass_rates import (
    Labelled,
    Unlabelled,
    judge_alone,
    people_alone,
    prediction_powered,
    rogan_gladen,
)
from evaluation.thresholds import Advice, Costs, advise
from ledger.review_pairs import OVERALL, Judged

WHOLE: Final = 0.5
"""Between a verdict's 0 and 1."""


@dataclass(frozen=True)
class OfCriterion:
    """A criterion, or the verdict as a whole: items judged and labelled, agreement, and pass rates by method."""

    criterion: str
    judged: int
    labelled: int
    threshold: float
    agreement: Mapping[str, Figure]
    pass_rates: Mapping[str, Figure]
    advice: Advice | Insufficient | None


def judge_report(
    items: Sequence[Judged], thresholds: Mapping[str, float], costs: Costs | None = None, *, seed: int
) -> tuple[OfCriterion, ...]:
    """The verdict as a whole, then each criterion with its threshold; advice where the costs of errors are given."""
    whole = _of(OVERALL, WHOLE, items, None, seed)
    return (whole, *(_of(name, threshold, items, costs, seed) for name, threshold in thresholds.items()))


def _of(
    criterion: str, threshold: float, items: Sequence[Judged], costs: Costs | None, seed: int
) -> OfCriterion:
    judged = [one for one in items if criterion in one.judge]
    both = [one for one in judged if criterion in one.people]
    judge, people = [one.judge[criterion] for one in both], [one.people[criterion] for one in both]
    tenants = [one.tenant for one in both]
    rest = [one for one in judged if criterion not in one.people]
    labelled = Labelled(_passes(people, threshold), _passes(judge, threshold), tenants)
    unlabelled = Unlabelled(
        _passes([one.judge[criterion] for one in rest], threshold), [one.tenant for one in rest]
    )
    every = Unlabelled([*labelled.judge, *unlabelled.judge], [one.tenant for one in (*both, *rest)])
    return OfCriterion(
        criterion,
        len(judged),
        len(both),
        threshold,
        agreement(Paired(judge, people, tenants), threshold, seed=seed),
        {
            "judge alone": judge_alone(every),
            "people alone": people_alone(labelled),
            "Rogan-Gladen": rogan_gladen(labelled, unlabelled),
            "PPI++": prediction_powered(labelled, unlabelled),
        },
        None
        if costs is None
        else advise(judge, [one == 1 for one in labelled.people], tenants, costs, threshold, seed=seed),
    )


def _passes(scores: Sequence[float], threshold: float) -> list[float]:
    return [float(score >= threshold) for score in scores]
