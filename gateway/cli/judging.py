"""`review judge`: how good the judge is."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from contracts.errors import OperatorError
from evaluation.estimates import Figure, Insufficient
from evaluation.rubric import DELIVERABLE_RUBRIC
from evaluation.thresholds import Advice, Costs
from gateway.cli.ledger import ledger_of
from gateway.cli.output import out, print_json, print_table
from ledger.review_pairs import judged_items
from tasks.judging import OfCriterion, judge_report
from tasks.settings import load_settings

SEED = 1
"""Of the bootstrap: the same data give the same intervals."""


class CostsError(OperatorError):
    """The costs of errors are not as they should be."""


def run_judge(bad_pass: float | None, needless_fail: float | None, *, as_json: bool) -> None:
    """Agreement and pass rates by criterion; advice where both costs are given."""
    costs = _costs(bad_pass, needless_fail)
    with ledger_of(load_settings()) as ledger:
        items = judged_items(ledger)
    found = judge_report(items, DELIVERABLE_RUBRIC.thresholds, costs, seed=SEED)
    if as_json:
        print_json([_plain(one) for one in found])
        return
    contested = sum(one.is_contested for one in items)
    out.print(
        f"{len(items):,} items were judged; people have reviewed {found[0].labelled:,} of those drawn by chance, "
        f"and disagreed with one another about {contested:,}."
    )
    names = ("cohen_kappa", "sensitivity", "specificity", "spearman")
    print_table(
        "Judge and people", ("criterion", "labels", *names), [_agreement(one, names) for one in found]
    )
    methods = tuple(found[0].pass_rates)
    print_table(
        "Pass rates",
        ("criterion", *methods),
        [(one.criterion, *map(_short, one.pass_rates.values())) for one in found],
    )
    if costs is not None:
        rows = [_advice(one) for one in found if one.advice is not None]
        print_table("Thresholds", ("criterion", "now", "advice", "saves an item"), rows)
    _print_reasons(found)


def _costs(bad_pass: float | None, needless_fail: float | None) -> Costs | None:
    if bad_pass is None and needless_fail is None:
        return None
    if bad_pass is None or needless_fail is None or min(bad_pass, needless_fail) <= 0:
        raise CostsError("give both --bad-pass and --needless-fail, in USD, each more than nothing")
    return Costs(bad_pass, needless_fail)


def _agreement(one: OfCriterion, names: tuple[str, ...]) -> tuple[Any, ...]:
    return (one.criterion, one.labelled, *(_short(one.agreement[name]) for name in names))


def _short(figure: Figure) -> str:
    return "-" if isinstance(figure, Insufficient) else str(figure)


def _advice(one: OfCriterion) -> tuple[str, str, str, str]:
    advice = one.advice
    if not isinstance(advice, Advice):
        return one.criterion, f"{one.threshold:.2f}", "-", "-"
    value, low, high = advice.saving
    to = f"{advice.threshold:.2f}" if advice.is_worth_it else "leave it"
    return one.criterion, f"{one.threshold:.2f}", to, f"${value:.2f} [{low:.2f}, {high:.2f}]"


def _print_reasons(found: tuple[OfCriterion, ...]) -> None:
    """Why there is a dash: each reason once."""
    figures = [
        figure for one in found for figure in (*one.agreement.values(), *one.pass_rates.values(), one.advice)
    ]
    reasons = dict.fromkeys(one.why for one in figures if isinstance(one, Insufficient))
    for why in reasons:
        out.print(f"- insufficient data: {why}", markup=False)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any part of a report
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, OfCriterion):
        return {name: _plain(getattr(value, name)) for name in OfCriterion.__dataclass_fields__}
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
