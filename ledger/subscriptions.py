"""Subscriptions: who else gets deliverables, and where. One is added or ended without the pipeline knowing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Row, insert, or_, select, update

from ledger.access_tables import subscriptions
from ledger.engine import Ledger
from ledger.errors import LedgerError
from ledger.sql import reading, writing

SubscriptionKind = Literal["webhook", "sns", "sqs", "s3"]


class UnknownSubscriptionError(LedgerError):
    """There is no such subscription, or it has ended already."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where deliverables of a tenant, or of all (None), go besides. `secret` signs what a webhook sends."""

    id: str
    tenant: str | None
    kind: SubscriptionKind
    target: str
    secret: str | None
    made_at: datetime
    ended_at: datetime | None


def make_subscription(ledger: Ledger, made: Subscription) -> None:
    """Keep a new one: what is committed from now on goes there, too."""
    values = {name: getattr(made, name) for name in Subscription.__slots__}
    with writing(ledger) as connection:
        connection.execute(insert(subscriptions).values(values))


def end_subscription(ledger: Ledger, subscription_id: str, now: datetime) -> Subscription:
    """Send nothing there any more, not what waits either; UnknownSubscriptionError where nothing was sent."""
    mine = (subscriptions.c.id == subscription_id) & subscriptions.c.ended_at.is_(None)
    with writing(ledger) as connection:
        ended = update(subscriptions).where(mine).values(ended_at=now).returning(subscriptions)
        row = connection.execute(ended).first()
    if row is None:
        raise UnknownSubscriptionError(
            f"no subscription {subscription_id!r} is in force; `penstock targets list` shows them"
        )
    return _subscription(row)


def list_subscriptions(ledger: Ledger) -> tuple[Subscription, ...]:
    """All there have been, oldest first."""
    query = select(subscriptions).order_by(subscriptions.c.made_at, subscriptions.c.id)
    with reading(ledger) as connection:
        return tuple(map(_subscription, connection.execute(query)))


def read_subscription(ledger: Ledger, subscription_id: str) -> Subscription | None:
    """The one with this id, in force or ended."""
    with reading(ledger) as connection:
        row = connection.execute(select(subscriptions).where(subscriptions.c.id == subscription_id)).first()
    return None if row is None else _subscription(row)


def channels_for(ledger: Ledger, tenant: str) -> tuple[str, ...]:
    """The channels of the subscriptions in force for a tenant, in a fixed order."""
    theirs = or_(subscriptions.c.tenant.is_(None), subscriptions.c.tenant == tenant)
    query = select(subscriptions.c.kind, subscriptions.c.id).where(theirs, subscriptions.c.ended_at.is_(None))
    with reading(ledger) as connection:
        return tuple(
            f"{kind}:{number}" for kind, number in connection.execute(query.order_by(subscriptions.c.id))
        )


def _subscription(row: Row[tuple[object, ...]]) -> Subscription:
    return Subscription(*(getattr(row, name) for name in Subscription.__slots__))
