"""A mirror of the kill switches: another place that shows them, in which operators may throw and resume them too.

Both sides change, so each look compares three sets: what the mirror was last seen to show, what it shows now, and
what is in force. One process at a time looks; two would each take the other's writing for an operator's.
"""

from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from ledger.control_tables import mirrors
from ledger.engine import Ledger
from ledger.pauses import Switch, pause_within, pauses_within, resume_within
from ledger.sql import insert_once, writing


def hold_mirror(ledger: Ledger, mirror: str, holder: str, now: datetime, hold_for: timedelta) -> bool:
    """True when `holder` is the one to look after the mirror until `now + hold_for`; asked again, it stays so."""
    with writing(ledger) as connection:
        insert_once(connection, mirrors, {"name": mirror, "seen": []})
        mine = or_(mirrors.c.holder.is_(None), mirrors.c.holder == holder, mirrors.c.held_until <= now)
        taken = update(mirrors).where(mirrors.c.name == mirror, mine)
        return bool(connection.execute(taken.values(holder=holder, held_until=now + hold_for)).rowcount)


def leave_mirror(ledger: Ledger, mirror: str, holder: str) -> None:
    """Let another process look after the mirror at once."""
    with writing(ledger) as connection:
        held = update(mirrors).where(mirrors.c.name == mirror, mirrors.c.holder == holder)
        connection.execute(held.values(holder=None, held_until=None))


def merge_switches(
    ledger: Ledger, mirror: str, shown: frozenset[Switch] | None, now: datetime
) -> frozenset[Switch]:
    """Take over what operators changed in the mirror since it was last seen; returns all that is in force.

    `shown` is None where the mirror is gone, which says nothing about what operators want.
    """
    with writing(ledger, "pauses") as connection:
        if shown is not None:
            row = connection.execute(select(mirrors.c.seen).where(mirrors.c.name == mirror)).first()
            seen = frozenset(map(Switch.parse, row.seen)) if row else frozenset()
            for switch in sorted(shown - seen, key=str):
                pause_within(connection, switch, f"switched in {mirror}", now)
            for switch in sorted(seen - shown, key=str):
                resume_within(connection, switch, now)
            note = update(mirrors).where(mirrors.c.name == mirror)
            connection.execute(note.values(seen=sorted(map(str, shown))))
        return frozenset(one.switch for one in pauses_within(connection))


def note_shown(ledger: Ledger, mirror: str, shown: frozenset[Switch]) -> None:
    """Remember what has been written to the mirror: seen there again, it is nobody's wish."""
    with writing(ledger, "pauses") as connection:
        connection.execute(
            update(mirrors).where(mirrors.c.name == mirror).values(seen=sorted(map(str, shown)))
        )
