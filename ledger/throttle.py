"""The solution throttle: at most so many solutions per tenant in a rolling window, reserved before they are made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select

from ledger.engine import Ledger
from ledger.outcome_tables import solution_reservations as reservations
from ledger.sql import writing


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

    Exact under any number of processes. A batch that has its reservation keeps it, and is told so again.

    Raises:
        ValueError: `count` is negative, or more than `limit`, which no wait could free.
    """
    if not 0 <= count <= limit:
        raise ValueError(
            f"the batch {batch_id} wants {count} solutions, and {tenant} may make {limit} per {window}: "
            "no wait can free that many; raise the limit or make smaller batches"
        )
    with writing(ledger, f"solutions of {tenant}") as connection:
        own = connection.execute(
            select(reservations.c.count).where(reservations.c.batch_id == batch_id)
        ).scalar()
        if own is not None:
            return Reserved(own)
        query = (
            select(reservations.c.at, reservations.c.count)
            .where(reservations.c.tenant == tenant, reservations.c.at > now - window)
            .order_by(reservations.c.at)
        )
        resume_at = free_at(connection.execute(query).all(), count, limit, window)
        if resume_at is not None:
            return Exhausted(resume_at)
        connection.execute(insert(reservations).values(batch_id=batch_id, tenant=tenant, count=count, at=now))
    return Reserved(count)


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
