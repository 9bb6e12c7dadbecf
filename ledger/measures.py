"""Measures of the last minutes: what waits at each level; what each stage does, how fast, how well, for how much."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil

from sqlalchemy import Connection, func, select

from contracts.batches import BatchState
from contracts.events import Priority
from ledger.batch_reads import ready_since
from ledger.engine import Ledger
from ledger.outcome_tables import dead_letters
from ledger.sql import reading
from ledger.tables import batches, items, model_calls

WAITING = (BatchState.PENDING, BatchState.HELD, BatchState.WAITING)


@dataclass(frozen=True, slots=True)
class Queue:
    """A level's batches: ready for their turn, in work, and waiting for something else; the longest wait, seconds."""

    level: Priority
    ready: int
    running: int
    waiting: int
    longest_s: float


@dataclass(frozen=True, slots=True)
class StageMeasures:
    """What a stage did in the window. Latencies are those of answered calls, in seconds, by nearest rank.

    `tokens` and `usd` are for each item that passed, failed attempts and judgements included; None where none did.
    """

    stage: str
    calls_a_minute: float
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    answered: int
    failed: int
    passed: int
    refused: int
    dead: int
    tokens: float | None
    usd: float | None


@dataclass(frozen=True, slots=True)
class Measures:
    """Everything that is measured, at one moment."""

    at: datetime
    window: timedelta
    queues: tuple[Queue, ...]
    stages: tuple[StageMeasures, ...]


@dataclass(slots=True)
class _Stage:
    """A stage's window, as it is counted."""

    latencies_s: list[float] = field(default_factory=list)
    calls: int = 0
    failed: int = 0
    tokens: int = 0
    usd: Decimal = Decimal()
    passed: int = 0
    refused: int = 0
    dead: int = 0


def measures(ledger: Ledger, now: datetime, window: timedelta) -> Measures:
    """What was done in the window before now, and what waits now. Stages in which nothing happened are left out."""
    with reading(ledger) as connection:
        stages: dict[str, _Stage] = defaultdict(_Stage)
        _count_calls(connection, stages, now - window)
        _count_items(connection, stages, now - window)
        _count_dead(connection, stages, now - window)
        return Measures(
            now,
            window,
            tuple(_queue(connection, level, now) for level in Priority),
            tuple(_measured(name, counted, window) for name, counted in sorted(stages.items())),
        )


def _count_calls(connection: Connection, stages: dict[str, _Stage], since: datetime) -> None:
    columns = (model_calls.c[name] for name in ("stage", "state", "latency_ms", "cost_usd"))
    tokens = model_calls.c.input_tokens + model_calls.c.output_tokens
    query = select(*columns, tokens.label("tokens")).where(model_calls.c.started_at >= since)
    for row in connection.execute(query):
        stage = stages[row.stage]
        stage.calls += 1
        stage.tokens += row.tokens
        stage.usd += row.cost_usd
        stage.failed += row.state == "FAILED"
        if row.state == "SUCCEEDED" and row.latency_ms is not None:
            stage.latencies_s.append(row.latency_ms / 1000)


def _count_items(connection: Connection, stages: dict[str, _Stage], since: datetime) -> None:
    query = (
        select(items.c.stage, items.c.verdict, func.count())
        .where(items.c.judged_at >= since, items.c.verdict.in_(("passed", "failed")))
        .group_by(items.c.stage, items.c.verdict)
    )
    for name, verdict, count in connection.execute(query):
        if verdict == "passed":
            stages[name].passed += count
        else:
            stages[name].refused += count


def _count_dead(connection: Connection, stages: dict[str, _Stage], since: datetime) -> None:
    query = select(dead_letters.c.stage, func.count()).where(dead_letters.c.at >= since)
    for name, count in connection.execute(query.group_by(dead_letters.c.stage)):
        stages[name].dead += count


def _measured(name: str, counted: _Stage, window: timedelta) -> StageMeasures:
    latencies, passed = sorted(counted.latencies_s), counted.passed
    return StageMeasures(
        stage=name,
        calls_a_minute=counted.calls / (window / timedelta(minutes=1)),
        p50_s=nearest_rank(latencies, 0.50),
        p95_s=nearest_rank(latencies, 0.95),
        p99_s=nearest_rank(latencies, 0.99),
        answered=len(latencies),
        failed=counted.failed,
        passed=passed,
        refused=counted.refused,
        dead=counted.dead,
        tokens=counted.tokens / passed if passed else None,
        usd=float(counted.usd) / passed if passed else None,
    )


def nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of all are not above; None of nothing (Hyndman and Fan, type 1)."""
    return ordered[max(1, ceil(share * len(ordered))) - 1] if ordered else None


def _queue(connection: Connection, level: Priority, now: datetime) -> Queue:
    query = (
        select(batches.c.state, func.count()).where(batches.c.level == level.value).group_by(batches.c.state)
    )
    counts = dict(connection.execute(query).tuples().all())
    ready = ready_since()
    oldest = connection.execute(select(func.min(ready.c.at)).where(ready.c.level == level.value)).scalar()
    return Queue(
        level=level,
        ready=counts.get(BatchState.READY.value, 0),
        running=counts.get(BatchState.RUNNING.value, 0),
        waiting=sum(counts.get(state.value, 0) for state in WAITING),
        longest_s=0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()),
    )
