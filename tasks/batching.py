"""The batching rule: which pending events form a batch now. Pure: `(pending, policy, now) -> batches`.

Per scope and level P, from HIGH down, the pending set of a pool is its events of priority >= P that are in
no batch of that scope and level: a HIGH event counts toward HIGH, MEDIUM and LOW (the cascade). The whole
set closes when its size reaches the level's threshold, or when its oldest event that is in no batch of the
scope at any level is as old as the level's age. What closes is split, oldest first, by events and by tokens.

Reading pending events and storing batches is the ledger's; this module sees values only.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
import polars.selectors as cs

from contracts.batches import BatchPlan, Scope, batch_id
from contracts.events import Priority
from ledger.pools import BITS
from tasks.batch_policy import BatchPolicy, LevelPolicy, ScopePolicy, closing_now
from tasks.collector import cycle_search_paused

__all__ = [
    "PENDING_SCHEMA",
    "BatchPolicy",
    "LevelPolicy",
    "ScopePolicy",
    "closing_now",
    "next_close",
    "plan_batches",
]

URGENT_FIRST: Final = (Priority.HIGH, Priority.MEDIUM, Priority.LOW)
PENDING_SCHEMA: Final = pl.Schema(
    {
        "seq": pl.Int64(),
        "key": pl.Binary(),
        "tenant": pl.String(),
        "user": pl.String(),
        "priority": pl.Int8(),
        "accepted_at": pl.Datetime("us", "UTC"),
        "tokens": pl.Int64(),
        "pipeline": pl.String(),
        "batched": pl.Int16(),
    }
)
KEY_BYTES: Final = 16
POOL_COLUMNS: Final = {Scope.TENANT: ("tenant", "pipeline"), Scope.USER: ("tenant", "user", "pipeline")}

Keys: TypeAlias = npt.NDArray[np.void]


def plan_batches(pending: pl.DataFrame, policy: BatchPolicy, now: datetime) -> list[BatchPlan]:
    """The batches that close at `now`, most urgent level first, then by scope, pool and age.

    `pending` is one row an event, in any order, with the columns of `PENDING_SCHEMA`: `key` 16 bytes,
    `priority` a rank 1 to 3, `tokens` estimated, `batched` the bits (`ledger.pools.BITS`) of the batches it
    is in. Events without a user are in the tenant's pool only. An event accepted after `now` (by another
    machine's clock) is of age zero. An event of more than `max_tokens` is a batch by itself.
    ValueError for other columns or values, or for a `now` without a time zone.
    """
    _check(pending, now)
    oldest_first = pending.select(*PENDING_SCHEMA).sort("accepted_at", "key")
    keys = np.frombuffer(b"".join(oldest_first["key"].to_list()), dtype=f"V{KEY_BYTES}")
    rows = oldest_first.drop("key").with_row_index("row")
    utc = now.astimezone(UTC)
    with cycle_search_paused():
        by_scope = [_plan_scope(rows, keys, scope, policy, utc) for scope in Scope]
        return [plan for level in zip(*by_scope, strict=True) for plans in level for plan in plans]


def next_close(pending: pl.DataFrame, policy: BatchPolicy) -> datetime | None:
    """When the next batch closes by age if nothing arrives (UTC; past if overdue); None if none ever will.

    `pending` as for `plan_batches`; thresholds that are already reached are not considered.
    """
    _check_columns(pending)
    due = [
        pl.col("accepted_at").filter(_loose(scope), pl.col("priority") >= level.rank).min()
        + policy.of(scope).at(level).max_age
        for scope in Scope
        for level in URGENT_FIRST
    ]
    closes: datetime | None = pending.select(pl.min_horizontal(due)).item()
    return closes


def _check(pending: pl.DataFrame, now: datetime) -> None:
    if now.tzinfo is None:
        raise ValueError(f"now = {now} has no time zone; pass an aware datetime, such as datetime.now(UTC)")
    _check_columns(pending)
    absent = pl.any_horizontal(cs.exclude("user").is_null())
    numbers = pl.col("priority").is_between(1, 3) & (pl.col("tokens") >= 0)
    key = pl.col("key").bin.size() == KEY_BYTES
    wrong = pending.select(*PENDING_SCHEMA).filter(absent | ~(numbers & key))
    if not wrong.is_empty():
        raise ValueError(
            f"{wrong.height} pending events cannot be batched, the first is {wrong.row(0, named=True)}; only "
            f"user may be null, key is {KEY_BYTES} bytes, priority 1 to 3, tokens are not negative"
        )


def _check_columns(pending: pl.DataFrame) -> None:
    schema = pending.schema
    wrong = {name: schema.get(name) for name, dtype in PENDING_SCHEMA.items() if schema.get(name) != dtype}
    if wrong:
        expected = {name: PENDING_SCHEMA[name] for name in wrong}
        raise ValueError(f"pending events have columns {wrong}; build them with PENDING_SCHEMA: {expected}")


def _loose(scope: Scope) -> pl.Expr:
    """Whether an event belongs to the scope and is in none of its batches."""
    any_level = sum(BITS[scope, level] for level in URGENT_FIRST)
    return (pl.col("batched") & any_level == 0) & pl.all_horizontal(pl.col(POOL_COLUMNS[scope]).is_not_null())


def _plan_scope(
    oldest_first: pl.DataFrame, keys: Keys, scope: Scope, policy: BatchPolicy, now: datetime
) -> Iterator[list[BatchPlan]]:
    """The scope's batches, one list a level, most urgent first."""
    events = _pooled(oldest_first, scope).with_columns(loose=_loose(scope))
    for level in URGENT_FIRST:
        taken = _closing(events, scope, level, policy.of(scope).at(level), now)
        yield list(_cut(events.filter(taken), keys, scope, level, policy))
        events = events.with_columns(loose=pl.col("loose") & ~taken)


def _pooled(oldest_first: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """The scope's events with their `pool` number, pools by name and oldest first in each."""
    columns = POOL_COLUMNS[scope]
    pools = oldest_first.drop_nulls(columns).group_by(columns).agg(pl.all()).sort(columns)
    return pools.with_row_index("pool").explode(cs.exclude("pool", *columns))


def _closing(
    events: pl.DataFrame, scope: Scope, level: Priority, policy: LevelPolicy, now: datetime
) -> pl.Series:
    """Which events close at this level: the whole pending sets of the pools that are large or old enough."""
    waiting = (pl.col("priority") >= level.rank) & (pl.col("batched") & BITS[scope, level] == 0)
    oldest = pl.col("accepted_at").filter(pl.col("loose")).min()
    age = pl.max_horizontal(now - oldest, timedelta(0))
    full_or_old = (pl.len() >= policy.threshold) | (oldest.is_not_null() & (age >= policy.max_age))
    closing = events.filter(waiting).group_by("pool").agg(close=full_or_old).filter("close")["pool"]
    return events.select(taken=waiting & pl.col("pool").is_in(closing.implode()))["taken"]


def _cut(
    closing: pl.DataFrame, keys: Keys, scope: Scope, level: Priority, policy: BatchPolicy
) -> Iterator[BatchPlan]:
    """The batches of what closes at one level, pool by pool."""
    seqs = closing["seq"].to_numpy()
    keys = keys[closing["row"].to_numpy()]
    for tenant, user, pipeline, start, stop, tokens in _spans(closing, policy).iter_rows():
        yield BatchPlan(
            id=batch_id(scope, level, keys[start:stop].tolist()),
            scope=scope,
            tenant=tenant,
            user=user if scope is Scope.USER else None,
            level=level,
            pipeline=pipeline,
            events=tuple(seqs[start:stop].tolist()),
            tokens=tokens,
        )


def _spans(closing: pl.DataFrame, policy: BatchPolicy) -> pl.DataFrame:
    """One row a batch: tenant, user, pipeline, its rows as half-open `start` and `stop`, its tokens."""
    row = pl.int_range(pl.len())
    spent = pl.col("tokens").cum_sum()
    before = spent - pl.col("tokens")
    pool_end = pl.col("pool").search_sorted(pl.col("pool"), side="right")
    budget_end = spent.search_sorted(before + policy.max_tokens, side="right")
    end = pl.min_horizontal(pool_end, budget_end, row + policy.max_events).cast(pl.Int64)
    # For every row, where a batch that began there would stop; an event over the budget stops after itself.
    stop = pl.max_horizontal(end, row + 1)
    spans = closing.select("tenant", "user", "pipeline", start=row, stop=stop, before=before, spent=spent)
    chosen = spans[_begins(spans["stop"].to_numpy())]
    tokens = spans["spent"].gather(chosen["stop"] - 1) - chosen["before"]
    return chosen.select("tenant", "user", "pipeline", "start", "stop", tokens=tokens)


def _begins(stops: npt.NDArray[np.int64]) -> list[int]:
    """The rows where batches begin, each where the one before stops."""
    begins, row = [], 0
    while row < len(stops):
        begins.append(row)
        row = int(stops[row])
    return begins
