"""What only tests ask a ledger."""

from collections.abc import Iterable

from sqlalchemy import select

from contracts.events import Event
from ledger.batch_reads import to_event
from ledger.engine import Ledger
from ledger.sql import among, reading
from ledger.tables import events


def read_events(ledger: Ledger, seqs: Iterable[int]) -> tuple[Event, ...]:
    """The events with these ledger numbers, in ledger order; numbers nobody has are left out."""
    with reading(ledger) as connection:
        named = among(connection, events.c.seq, seqs)
        query = select(events.c.schema_version, events.c.payload).where(named).order_by(events.c.seq)
        return tuple(map(to_event, connection.execute(query)))
