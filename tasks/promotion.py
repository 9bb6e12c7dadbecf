"""Promotion: which waiting LOW events a burst raises to HIGH. Pure."""

import polars as pl

from tasks.trends import Burst


def promoted_events(low: pl.DataFrame, burst: Burst) -> list[int]:
    """Ledger numbers of the LOW events that belong to `burst`: its tenant and topic, inside its window.

    `low` has seq, tenant, topic, occurred_at and accepted_at; an event without a time of its own counts from
    when it was accepted, as in the counts that found the burst.
    """
    day = pl.coalesce("occurred_at", "accepted_at").dt.date()
    found = low.filter(
        pl.col("tenant") == burst.tenant,
        pl.col("topic") == burst.topic,
        day.is_between(burst.window_start, burst.window_end),
    )
    return found["seq"].to_list()
