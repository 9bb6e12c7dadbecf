"""The watchdog: batches in work that get nowhere, and levels whose batches are ready and that nobody begins.

A worker that died is no matter of its: a lease that runs out brings the batch back. Stuck is what is renewed, or
waited for, without an end.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import CTE, Connection, delete, func, insert, select, union_all

from contracts.batches import BatchState
from ledger.batch_reads import ready_since
from ledger.control_tables import stuck
from ledger.engine import Ledger
from ledger.signals import signal
from ledger.sql import reading, writing
from ledger.tables import batch_history, batches, items, model_calls, stage_runs

CONFIRMED_BY: Final = timedelta(seconds=45)
"""Less than lies between two looks of the sweep."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """What gets nowhere: a batch that has shown no sign of life since then, or a level none of whose batches began."""

    kind: Literal["batch", "lane"]
    about: str
    level: str
    since: datetime
    tenant: str | None = None
    owner: str | None = None


def what_is_stuck(ledger: Ledger, now: datetime, after: timedelta) -> tuple[Stuck, ...]:
    """All that has got nowhere for longer than `after`, the longest first."""
    with reading(ledger) as connection:
        return _stuck(connection, now - after)


def tell_what_is_stuck(ledger: Ledger, now: datetime, after: timedelta) -> tuple[Stuck, ...]:
    """Leave a signal, `batch.stuck` or `lane.stuck`, for each that was not told of yet; returns these.

    Told is what was stuck when somebody looked `CONFIRMED_BY` ago too: after a night in which nothing ran, lanes need
    a moment. What moves again is forgotten, so that it is told of anew should it stop once more.
    """
    with writing(ledger, "stuck") as connection:
        known = {(row.kind, row.about, row.since): row for row in connection.execute(select(stuck))}
        found = _stuck(connection, now - after)
        fresh, rows = [], []
        for one in found:
            row = known.get((one.kind, one.about, one.since))
            seen_at, told = (now, False) if row is None else (row.seen_at, row.told)
            if not told and now - seen_at >= CONFIRMED_BY:
                fresh.append(one)
                told = True
            rows.append(
                {"kind": one.kind, "about": one.about, "since": one.since, "seen_at": seen_at, "told": told}
            )
        connection.execute(delete(stuck))
        if rows:
            connection.execute(insert(stuck), rows)
        for one in fresh:
            signal(connection, f"{one.kind}.stuck", one.about, _told(one, now), now)
    return tuple(fresh)


def _told(one: Stuck, now: datetime) -> dict[str, Any]:
    told = {"level": one.level, "for_s": round((now - one.since).total_seconds()), "worker": one.owner}
    return told if one.tenant is None else {**told, "tenant": one.tenant}


def _stuck(connection: Connection, before: datetime) -> tuple[Stuck, ...]:
    found = [*_stuck_batches(connection, before), *_stuck_lanes(connection, before)]
    return tuple(sorted(found, key=lambda one: (one.since, one.about)))


def _stuck_batches(connection: Connection, before: datetime) -> list[Stuck]:
    running = (
        select(batches.c.id, batches.c.level, batches.c.tenant, batches.c.lease_owner)
        .where(batches.c.state == BatchState.RUNNING.value)
        .cte("running")
    )
    signs = _signs_of_life(running)
    latest = select(signs.c.id, func.max(signs.c.at).label("at")).group_by(signs.c.id).subquery()
    query = select(running, latest.c.at).join(latest, latest.c.id == running.c.id).where(latest.c.at < before)
    return [
        Stuck("batch", row.id, row.level, row.at, row.tenant, row.lease_owner)
        for row in connection.execute(query)
    ]


def _signs_of_life(running: CTE) -> CTE:
    """Each time at which something was written down for a batch in work."""
    moments = (
        (batch_history.c.batch_id, batch_history.c.at),
        (stage_runs.c.batch_id, stage_runs.c.started_at),
        (stage_runs.c.batch_id, stage_runs.c.finished_at),
        (model_calls.c.batch_id, model_calls.c.started_at),
        (model_calls.c.batch_id, model_calls.c.finished_at),
        (items.c.batch_id, items.c.created_at),
        (items.c.batch_id, items.c.judged_at),
    )
    return union_all(
        *(
            select(running.c.id, at.label("at")).join_from(running, batch.table, batch == running.c.id)
            for batch, at in moments
        )
    ).cte("signs")


def _stuck_lanes(connection: Connection, before: datetime) -> list[Stuck]:
    """Levels with a batch that is ready since before, and of which none has begun since."""
    began = (
        select(batches.c.level, func.max(batch_history.c.at).label("at"))
        .join_from(batch_history, batches, batches.c.id == batch_history.c.batch_id)
        .where(batch_history.c.to_state == BatchState.RUNNING.value, batch_history.c.at >= before)
        .group_by(batches.c.level)
        .subquery()
    )
    each = ready_since()
    ready = select(each.c.level, func.min(each.c.at).label("at")).group_by(each.c.level).subquery()
    query = (
        select(ready.c.level, ready.c.at)
        .outerjoin(began, began.c.level == ready.c.level)
        .where(ready.c.at < before, began.c.at.is_(None))
    )
    return [Stuck("lane", row.level, row.level, row.at) for row in connection.execute(query)]
