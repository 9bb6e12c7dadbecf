"""The pools of events still to be batched: who is pending for what.

An event joins a batch of its tenant, and one of its user where it has one, at its own level and at every lower
one (the cascade). Each of these (scope, level) pairs is a bit: `needed` holds the bits an event must get,
`batched` those it has. An event stands in the pool until it has them all.
"""

from functools import cache
from typing import Final

from sqlalchemy import Connection, func, select

from contracts.batches import Scope
from contracts.events import Priority
from ledger.engine import Ledger
from ledger.sql import reading
from ledger.tables import events

BITS: Final[dict[tuple[Scope, Priority], int]] = {
    (Scope.TENANT, Priority.LOW): 1,
    (Scope.TENANT, Priority.MEDIUM): 2,
    (Scope.TENANT, Priority.HIGH): 4,
    (Scope.USER, Priority.LOW): 8,
    (Scope.USER, Priority.MEDIUM): 16,
    (Scope.USER, Priority.HIGH): 32,
}
"""The bit of `batched` that says an event is in a batch of that scope and level."""


@cache
def needed_bits(rank: int, *, has_user: bool) -> int:
    """The bits that an event of this priority rank (1 to 3) must get."""
    return sum(
        bit
        for (scope, level), bit in BITS.items()
        if level.rank <= rank and (has_user or scope is Scope.TENANT)
    )


def newest_event(ledger: Ledger) -> int:
    """The sequence number of the event that came last; 0 while there is none."""
    with reading(ledger) as connection:
        return newest_seq(connection)


def newest_seq(connection: Connection) -> int:
    """As `newest_event`, inside the caller's transaction."""
    return connection.execute(select(func.max(events.c.seq))).scalar() or 0
