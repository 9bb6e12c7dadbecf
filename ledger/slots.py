"""Slots of the cost throttle among processes: what each wants, and the leases that each holds.

Prefect's server counts the slots and nobody but it gives them; here is only what it does not know: how many a
process could use, by which all come to the same fair shares, and which process a lease belongs to, so that the
slots of one that has died need not wait for the end of its lease.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, select

from ledger.control_tables import slot_leases, slot_wishes
from ledger.engine import Ledger
from ledger.sql import reading, upsert, writing


@dataclass(frozen=True, slots=True)
class SlotLease:
    """A block of slots of a limit: the server's lease, whose it is (`process` is `host:pid`), and until when.

    `request_s` is how long its process's requests take at most: so long after its death they may be in flight.
    """

    id: str
    limit_name: str
    owner: str
    process: str
    slots: int
    request_s: float
    until: datetime


def wish_for_slots(
    ledger: Ledger, limit: str, owner: str, wanted: int, *, until: datetime, now: datetime
) -> dict[str, int]:
    """Say how many slots `owner` could use until then; returns what everybody wants at this moment, by owner."""
    with writing(ledger, "slots") as connection:
        connection.execute(delete(slot_wishes).where(slot_wishes.c.until <= now))
        values = {"limit_name": limit, "owner": owner, "wanted": wanted, "until": until}
        upsert(connection, slot_wishes, values)
        query = select(slot_wishes.c.owner, slot_wishes.c.wanted).where(slot_wishes.c.limit_name == limit)
        return {row.owner: row.wanted for row in connection.execute(query)}


def forget_wish(ledger: Ledger, limit: str, owner: str) -> None:
    """The owner wants nothing of this limit any more."""
    ours = (slot_wishes.c.limit_name == limit) & (slot_wishes.c.owner == owner)
    with writing(ledger, "slots") as connection:
        connection.execute(delete(slot_wishes).where(ours))


def note_slot_lease(ledger: Ledger, lease: SlotLease) -> None:
    """Keep a lease, or its later end."""
    with writing(ledger, "slots") as connection:
        upsert(connection, slot_leases, asdict(lease))


def forget_slot_lease(ledger: Ledger, lease_id: str) -> bool:
    """The lease is over; True for the one who has ended it, of any number that try."""
    with writing(ledger, "slots") as connection:
        return bool(connection.execute(delete(slot_leases).where(slot_leases.c.id == lease_id)).rowcount)


def slot_leases_of(ledger: Ledger, limit: str) -> tuple[SlotLease, ...]:
    """Everybody's leases of a limit, the oldest end first."""
    query = select(slot_leases).where(slot_leases.c.limit_name == limit).order_by(slot_leases.c.until)
    with reading(ledger) as connection:
        return tuple(SlotLease(**row._mapping) for row in connection.execute(query))  # noqa: SLF001 - its public name
