"""The solution throttle: at most so many solutions per tenant in a rolling window, reserved before they are made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from contracts.deliverables import DeliverableKind
from ledger.engine import Ledger
from ledger.outcome_tables import solution_reservations as reservations
from ledger.sql import upsert, writing
from ledger.tables import items


@dataclass(frozen=True, slots=True)
class Reserved:
    """The batch may make `count` solutions."""

    count: int


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The window is full until `resume_at`, when the number asked for will be free if nobody else takes it."""

    resume_at: datetime


def reserve_solutions(
    ledger: Ledger, *, tenant: str, batch_id: str, count: int, limit: int, window: timedelta, now: datetime
) -> Reserved | Exhausted:
    """Reserve `count` of the `limit` solutions a tenant may make in any `window`.

    `count` is what the batch has still to make. Exact under any number of processes. What a batch reserved and
    has not made yet stays its own while the window lasts; after that, or for more, it is counted anew.

    Raises:
        ValueError: `count` is negative, or more than `limit`, which no wait could free.
    """
    if not 0 <= count <= limit:
        raise ValueError(
            f"the batch {batch_id} wants {count} solutions, and {tenant} may make {limit} per {window}: "
            "no wait can free that many; raise the limit or make smaller batches"
        )
    with writing(ledger, f"solutions of {tenant}") as connection:
        active = connection.execute(
            select(reservations.c.at, reservations.c.count.label("taken"), reservations.c.batch_id)
            .where(reservations.c.tenant == tenant, reservations.c.at > now - window)
            .order_by(reservations.c.at)
        ).all()
        own = next((row for row in active if row.batch_id == batch_id), None)
        made = 0 if own is None else _made_since(connection, batch_id, own.at)
        if count == 0 or (own is not None and own.taken - made >= count):
            return Reserved(count)
        held = [(row.at, made if row.batch_id == batch_id else row.taken) for row in active]
        resume_at = free_at(held, count, limit, window)
        if resume_at is not None:
            return Exhausted(resume_at)
        values = {"batch_id": batch_id, "tenant": tenant, "count": made + count, "at": now}
        upsert(connection, reservations, values)
    return Reserved(count)


def _made_since(connection: Connection, batch_id: str, moment: datetime) -> int:
    """How many solutions the batch has made since."""
    solution = (items.c.batch_id == batch_id) & (items.c.kind == DeliverableKind.SOLUTION)
    made = select(func.count()).where(solution, items.c.created_at >= moment)
    return connection.execute(made).scalar_one()


def free_at(
    active: Sequence[tuple[datetime, int]], count: int, limit: int, window: timedelta
) -> datetime | None:
    """When `count` slots will be free, given the active reservations in order of time; None if they are now."""
    free = limit - sum(taken for _, taken in active)
    if free >= count:
        return None
    for at, taken in active:
        free += taken
        if free >= count:
            return at + window
    raise ValueError(f"{count} slots are never free under a limit of {limit}; ask for fewer")
