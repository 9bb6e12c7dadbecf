"""Pass rates and gate failures: the page's sections about quality."""

from collections.abc import Sequence
from typing import Final

from flywheel.page import figures, plots
from flywheel.page.tables import Ask, Column, Row, Section, Table, name, number, table, text

_UNJUDGED: Final = "Nothing has been judged yet."
_LOWEST_FIRST: Final = "pass_rate NULLS LAST, n_scored DESC, #1, #2"


def quality(ask: Ask) -> Section:
    """Pass rates by everything they are known by, each with its interval, and which criterion stops items."""
    version = Column("Version", lambda row: figures.short(row["prompt_version"]), "name")
    day = Column("Day (UTC)", lambda row: figures.day(row["day"]), "name")
    return Section(
        "quality",
        "Quality",
        "An item passes the gate when it reaches the threshold of every criterion. A pass rate is items passed "
        "over items scored; what the judge could not score is counted apart and is part of no rate. With few "
        "items the interval (95 %, Wilson score) is wide, and differences inside it mean little.",
        (
            _pass_rates(ask, "By stage", "stage", (name("Stage", "stage"),)),
            _criteria(ask),
            _pass_rates(ask, "By tenant", "tenant", (name("Tenant", "tenant"),)),
            _pass_rates(ask, "By prompt version", "prompt_version", (name("Prompt", "prompt"), version)),
            _pass_rates(ask, "By model", "model", (name("Model", "model"),)),
            _pass_rates(ask, "By day", "day", (day,), order="day DESC", note="Latest first."),
        ),
    )


def failures(ask: Ask) -> Section:
    """The latest items that the gate stopped, in the judge's words."""
    columns = (
        Column("Judged (UTC)", lambda row: figures.moment(row["judged_at"]), "text"),
        name("Tenant", "tenant"),
        text("Level", "level"),
        text("Item", "item"),
        text("Fell short on", "criterion"),
        number("Score", "score", figures.score),
        number("Needed", "threshold", figures.score),
        text("The judge's reason", "reason"),
        Column("Batch", lambda row: figures.short(row["batch_id"]), "text"),
    )
    rows = ask("FROM out_gate_failures ORDER BY judged_at DESC NULLS LAST, batch_id, item")
    return Section(
        "failures",
        "Latest gate failures",
        "Items that the gate stopped, with the criterion that each fell short on by most and the judge's words. "
        "For the rest, ask penstock status about the batch.",
        (table("Stopped items", rows, columns, empty="The gate has stopped nothing.", note="Latest first."),),
    )


def _pass_rates(
    ask: Ask,
    title: str,
    view: str,
    names: Sequence[Column],
    *,
    order: str = _LOWEST_FIRST,
    note: str = "Lowest pass rate first.",
) -> Table:
    rows = ask(f"FROM out_pass_rate_by_{view} ORDER BY {order}")
    return table(title, rows, (*names, *_MEASURES), empty=_UNJUDGED, note=note, axis=plots.SHARES)


def _criteria(ask: Ask) -> Table:
    rows = ask(
        "FROM out_pass_rate_by_criterion LEFT JOIN out_shortfalls_by_criterion USING (criterion) "
        f"ORDER BY {_LOWEST_FIRST}"
    )
    columns = (
        name("Criterion", "criterion"),
        *_MEASURES,
        Column("Failed first", lambda row: figures.count(row["n_first"] or 0)),
        Column("Failed alone", lambda row: figures.count(row["n_alone"] or 0)),
    )
    note = (
        "Lowest pass rate first. Failed first counts the stopped items that missed this criterion by most; "
        "failed alone, those that missed no other."
    )
    return table("By criterion", rows, columns, empty=_UNJUDGED, note=note, axis=plots.SHARES)


def _spread(row: Row) -> plots.Mark | None:
    low, high = row["pass_rate_low"], row["pass_rate_high"]
    said = f"{figures.share(row['pass_rate']).text}, 95 % interval {figures.interval(low, high).text}"
    return plots.dot(row["pass_rate"], low, high, plots.SHARES, said)


_MEASURES: Final = (
    number("Pass rate", "pass_rate", figures.share),
    Column("", _spread, "plot"),
    Column("95 % interval", lambda row: figures.interval(row["pass_rate_low"], row["pass_rate_high"])),
    number("Passed", "n_passed", figures.count),
    number("Scored", "n_scored", figures.count),
    number("Unscored", "n_unscored", figures.count),
    number("Mean score", "mean_score", figures.score),
)
