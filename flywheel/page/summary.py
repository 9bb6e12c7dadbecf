"""The page's head: the few figures that say how things stand."""

from dataclasses import dataclass
from typing import Final

from flywheel.page import figures
from flywheel.page.figures import Figure
from flywheel.page.tables import Ask, Row

_TOTALS: Final = """
SELECT
    (SELECT coalesce(sum(n_batches), 0) FROM out_batches_by_state) AS n_batches,
    (SELECT coalesce(sum(n_deliverables), 0) FROM out_deliverables_by_kind) AS n_deliverables,
    (SELECT count(*) FROM out_gate_failures) AS n_stopped,
    (SELECT coalesce(sum(n_calls), 0) FROM out_cost_by_tenant_feature_stage) AS n_calls,
    (SELECT coalesce(sum(cost_usd), 0) FROM out_cost_by_tenant_feature_stage) AS cost_usd,
    rates.*
FROM (SELECT 1) LEFT JOIN out_pass_rate_overall AS rates ON true
"""
_STATES: Final = (
    "SELECT state, sum(n_batches) AS n FROM out_batches_by_state GROUP BY state ORDER BY n DESC, state"
)


@dataclass(frozen=True)
class Fact:
    """One figure of the head, what it is, and a line that puts it in proportion."""

    title: str
    figure: Figure
    note: str


def summary(ask: Ask) -> tuple[Fact, ...]:
    """Batches, deliverables, pass rate, what was stopped or could not be scored, and cost, over the whole lake."""
    (row,) = ask(_TOTALS)
    return (
        Fact("Batches", figures.count(row["n_batches"]), _states(ask(_STATES))),
        Fact("Deliverables", figures.count(row["n_deliverables"]), "committed after the gate"),
        Fact("Pass rate", figures.share(row["pass_rate"]), _interval(row)),
        Fact(
            "Stopped by the gate",
            figures.count(row["n_stopped"]),
            f"of {_said(row, 'n_scored')} items scored",
        ),
        Fact("Unscored", figures.count(row["n_unscored"] or 0), "the judge could not answer"),
        Fact("Cost", figures.usd(row["cost_usd"]), f"{_said(row, 'n_calls')} model calls"),
    )


def _said(row: Row, key: str) -> str:
    return figures.count(row[key] or 0).text


def _states(rows: list[Row]) -> str:
    """`71 DONE, 8 FAILED`."""
    counted = (f"{figures.count(row['n']).text} {figures.words(row['state']).text}" for row in rows)
    return ", ".join(counted) or "nothing formed yet"


def _interval(row: Row) -> str:
    if row["pass_rate"] is None:
        return "nothing scored yet"
    return f"95 % interval {figures.interval(row['pass_rate_low'], row['pass_rate_high']).text}"
