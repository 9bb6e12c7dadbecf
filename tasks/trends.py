"""Trends: which topics of a tenant come more often than their own history explains. Pure; counts in, bursts out.

The statistic is the conditional test of two Poisson rates (J. Przyborowski and H. Wilenski, "Homogeneity of
results in testing samples from Poisson series", Biometrika 31, 1940). If a topic's rate has not changed, then of
all its events each falls into the window with probability window days / all days, so the count in the window is
binomial given the total. The history is thereby a sample and not the truth: a short one makes bursts harder to
claim. Holm's step-down correction holds the chance of any false burst of a tenant at `alpha`.

It takes events to be independent; duplicates and retries of one incident look like a burst (`min_ratio` and
`min_count` keep small ones out). Whether a burst is promoted is the flow's decision.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl
from scipy.special import bdtrc  # the binomial tail alone: scipy.stats takes a second to import

COUNT_COLUMNS: Final = ("tenant", "topic", "day", "n", "n_low")

UNSEEN_COUNTS_AS: Final = 1
"""The events a topic without any is taken to have had in the history, so that new is rare and not impossible."""


@dataclass(frozen=True)
class Burst:
    """A topic that came more often in the window than its history explains.

    `recent` events in the window of which `recent_low` are LOW; `expected` from `history` events in the
    `history_days` before it; `ratio` is recent / expected; `p_value` is the test's own, `p_adjusted` Holm's
    over the `topics_tested` of the tenant. `window_start` and `window_end` are both inside the window.
    """

    tenant: str
    topic: str
    recent: int
    recent_low: int
    expected: float
    ratio: float
    p_value: float
    p_adjusted: float
    topics_tested: int
    history: int
    history_days: int
    window_start: date
    window_end: date

    @property
    def explanation(self) -> str:
        """The finding in one sentence whose every number can be checked by counting."""
        days = (self.window_end - self.window_start).days + 1
        past = (
            f"its own history, {self.history} in the {self.history_days} days before,"
            if self.history
            else f"it never came in the {self.history_days} days before, which counts as once and"
        )
        return (
            f"'{self.topic}' came {self.recent} times in the {days} days to {self.window_end}; {past} predicts "
            f"{self.expected:.2g}; p {_probability(self.p_value)}, "
            f"and {_probability(self.p_adjusted)} corrected for {self.topics_tested} topics"
        )


def find_bursts(
    counts: pl.DataFrame,
    *,
    window_days: int = 7,
    alpha: float = 0.001,
    min_count: int = 5,
    min_ratio: float = 2.0,
    min_history_days: int = 14,
) -> list[Burst]:
    """The bursts of every tenant, by tenant and most certain first.

    `counts` has tenant, topic String, day Date, n and n_low integers (events, and the LOW ones among them), any
    order, days without events absent; a repeated row adds up. A tenant's window is the `window_days` ending at
    its last day with events, its history everything before it since its first. A tenant with less than
    `min_history_days` of history has no bursts. A topic that is new in a tenant with history is taken to have
    come once in it. A burst has at least `min_count` events, `min_ratio` times the expected, and an adjusted
    p <= `alpha`. ValueError for missing columns or a setting out of its range.
    """
    _check(counts, window_days, alpha, min_history_days)
    totals = _totals(counts, window_days).filter(pl.col("history_days") >= min_history_days)
    tested = _holm(_compared(totals, window_days))
    bursts = tested.filter(
        pl.col("recent") >= min_count, pl.col("ratio") >= min_ratio, pl.col("p_adjusted") <= alpha
    )
    return [Burst(**row) for row in bursts.iter_rows(named=True)]


def _check(counts: pl.DataFrame, window_days: int, alpha: float, min_history_days: int) -> None:
    if missing := [name for name in COUNT_COLUMNS if name not in counts.columns]:
        raise ValueError(f"topic counts lack the columns {missing}; expected are {list(COUNT_COLUMNS)}")
    if window_days < 1 or min_history_days < 1:
        raise ValueError(
            f"window_days = {window_days}, min_history_days = {min_history_days}; each is at least one day"
        )
    if not 0 < alpha < 1:
        raise ValueError(f"alpha = {alpha}; it is a probability between 0 and 1")


def _totals(counts: pl.DataFrame, window_days: int) -> pl.DataFrame:
    """One row a tenant and topic: events in its window and in the history before it, and both spans."""
    day, end = pl.col("day"), pl.col("window_end")
    start = end - timedelta(days=window_days - 1)
    dated = counts.filter(pl.col("n") > 0).with_columns(
        window_end=day.max().over("tenant"), first_day=day.min().over("tenant")
    )
    in_window = day >= pl.col("window_start")
    return (
        dated.with_columns(window_start=start)
        .group_by("tenant", "topic")
        .agg(
            pl.col("window_start", "window_end", "first_day").first(),
            recent=pl.col("n").filter(in_window).sum(),
            recent_low=pl.col("n_low").filter(in_window).sum(),
            history=pl.col("n").filter(~in_window).sum(),
        )
        .with_columns(history_days=(pl.col("window_start") - pl.col("first_day")).dt.total_days())
        .drop("first_day")
    )


def _compared(totals: pl.DataFrame, window_days: int) -> pl.DataFrame:
    """With what the history predicts for the window, and the one-sided p of at least so many."""
    history = pl.max_horizontal("history", pl.lit(UNSEEN_COUNTS_AS))
    share = (window_days / (window_days + pl.col("history_days"))).alias("share")
    tail = totals.select("recent", share, total=pl.col("recent") + history)
    p_value = bdtrc(tail["recent"].to_numpy() - 1.0, tail["total"].to_numpy(), tail["share"].to_numpy())
    expected = history * window_days / pl.col("history_days")
    return totals.with_columns(pl.Series("p_value", p_value, pl.Float64), expected=expected).with_columns(
        ratio=pl.col("recent") / pl.col("expected")
    )


def _holm(compared: pl.DataFrame) -> pl.DataFrame:
    """With p values adjusted over all topics of a tenant, also those that did not come in the window."""
    rank = pl.int_range(pl.len()).over("tenant")
    stepped = ((pl.len().over("tenant") - rank) * pl.col("p_value")).cum_max().over("tenant")
    return compared.sort("tenant", "p_value", "topic").with_columns(
        topics_tested=pl.len().over("tenant"), p_adjusted=pl.min_horizontal(stepped, 1.0)
    )


def _probability(value: float) -> str:
    return f"= {value:.1e}" if value else "< 1e-300"
