"""How things stand: counts of everything, over all time or since a moment."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, func, select, true

from ledger.engine import Ledger
from ledger.outcome_tables import deliverables
from ledger.sql import reading
from ledger.tables import batch_history, batches, intakes, items, judgements, model_calls, pool


def status(ledger: Ledger, since: datetime | None = None) -> dict[str, Any]:
    """Counts of what happened, at or after `since` if it is given.

    Returns:
        `{events: {accepted, duplicates, rejected}, batches: {total, by_state, by_level, by_scope},
        deliverables: {total, by_kind}, calls, cost_usd}`. With `since`, the batches are those that moved since,
        in the state they are in now. `cost_usd` is a float.
    """
    with reading(ledger) as connection:
        calls, cost_usd = _calls(connection, since)
        return {
            "events": _events(connection, since),
            "batches": _batches(connection, since),
            "deliverables": _deliverables(connection, since),
            "calls": calls,
            "cost_usd": cost_usd,
        }


def collecting(ledger: Ledger) -> int:
    """How many events are in no batch yet."""
    query = select(func.count()).select_from(pool).where(pool.c.batched == 0)
    with reading(ledger) as connection:
        return connection.execute(query).scalar_one()


def gate_failures(ledger: Ledger, since: datetime | None = None) -> list[dict[str, Any]]:
    """What the judge refused, at or after `since` if it is given, earliest first: a row an item and criterion.

    Each row: batch, tenant, stage, item, kind, criterion, score, threshold, reason.
    """
    query = (
        select(
            items.c.batch_id.label("batch"),
            batches.c.tenant,
            *(items.c[name] for name in ("stage", "item", "kind")),
            *(judgements.c[name] for name in ("criterion", "score", "threshold", "reason")),
        )
        .join_from(items, batches, items.c.batch_id == batches.c.id)
        .join(judgements, (judgements.c.batch_id == items.c.batch_id) & (judgements.c.item == items.c.item))
        .where(items.c.verdict == "failed", judgements.c.passed.is_(False), _since(items.c.judged_at, since))
        .order_by(items.c.judged_at, items.c.batch_id, items.c.item, judgements.c.criterion)
    )
    with reading(ledger) as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def _since(column: Column[datetime], since: datetime | None) -> ColumnElement[bool]:
    return true() if since is None else column >= since


def _events(connection: Connection, since: datetime | None) -> dict[str, int]:
    names = ("accepted", "duplicates", "rejected")
    sums = [func.coalesce(func.sum(intakes.c[name]), 0) for name in names]
    row = connection.execute(select(*sums).where(_since(intakes.c.at, since))).one()
    return {name: int(count) for name, count in zip(names, row, strict=True)}


def _batches(connection: Connection, since: datetime | None) -> dict[str, Any]:
    query = select(batches.c.state, batches.c.level, batches.c.scope, func.count()).group_by(
        batches.c.state, batches.c.level, batches.c.scope
    )
    if since is not None:
        moved = select(batch_history.c.batch_id).where(batch_history.c.at >= since)
        query = query.where(batches.c.id.in_(moved))
    counts: dict[str, dict[str, int]] = {"by_state": {}, "by_level": {}, "by_scope": {}}
    total = 0
    for *values, count in connection.execute(
        query.order_by(batches.c.state, batches.c.level, batches.c.scope)
    ):
        total += count
        for group, value in zip(counts.values(), values, strict=True):
            group[value] = group.get(value, 0) + count
    return {"total": total, **counts}


def _deliverables(connection: Connection, since: datetime | None) -> dict[str, Any]:
    query = (
        select(deliverables.c.kind, func.count())
        .where(_since(deliverables.c.created_at, since))
        .group_by(deliverables.c.kind)
        .order_by(deliverables.c.kind)
    )
    by_kind: dict[str, int] = dict(connection.execute(query).tuples().all())
    return {"total": sum(by_kind.values()), "by_kind": by_kind}


def _calls(connection: Connection, since: datetime | None) -> tuple[int, float]:
    query = select(func.count(), func.sum(model_calls.c.cost_usd)).where(
        _since(model_calls.c.started_at, since)
    )
    count, cost = connection.execute(query).one()
    return count, float(cost or 0)
