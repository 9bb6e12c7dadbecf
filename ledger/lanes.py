"""Lanes: who is at work on a level's batches, and whether somebody has been asked to be.

Of the batches of a burst one asks for a lane and the others find that it is on its way, so that a thousand events
start one run. A lane that died, or that was asked for and never came, is asked for again when its time has run out.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, exists, select

from contracts.batches import BatchState
from contracts.events import Priority
from ledger.batch_reads import ready_since
from ledger.control_tables import lanes
from ledger.engine import Ledger
from ledger.signals import signal
from ledger.sql import upsert, writing
from ledger.tables import batches

COMES_WITHIN: Final = timedelta(seconds=10)
"""How long a lane that was asked for is waited for before the next batch asks again."""
WANTED: Final = "wanted"
AT_WORK: Final = "at work"


def ask_for_lane(connection: Connection, level: Priority, now: datetime) -> str:
    """WANTED where nobody works on the level's batches and nobody has been asked, AT_WORK else."""
    query = select(lanes.c.until).where(lanes.c.level == level.value).with_for_update()
    until = connection.execute(query).scalar()
    if until is not None and until > now:
        return AT_WORK
    _asked(connection, level, now)
    return WANTED


def _asked(connection: Connection, level: Priority, now: datetime) -> None:
    upsert(connection, lanes, {"level": level.value, "owner": None, "until": now + COMES_WITHIN})


def enter_lane(ledger: Ledger, level: Priority, owner: str, until: datetime) -> None:
    """Be at work on the level's batches until then; said again, for longer."""
    with writing(ledger, "lanes") as connection:
        upsert(connection, lanes, {"level": level.value, "owner": owner, "until": until})


def leave_lane(ledger: Ledger, level: Priority, owner: str, *, whatever_waits: bool = False) -> bool:
    """True when the lane is left. It is not while batches of its level are READY, unless it is left in any case."""
    ours = (lanes.c.level == level.value) & (lanes.c.owner == owner)
    with writing(ledger, "lanes") as connection:
        # Locked first: a batch that becomes READY now either finds the lane at work and is seen here, or waits.
        connection.execute(select(lanes.c.level).where(ours).with_for_update()).all()
        ready = exists().where(_IS_READY, batches.c.lane == level.rank)
        if not whatever_waits and connection.execute(select(ready)).scalar():
            return False
        connection.execute(delete(lanes).where(ours))
        return True


def ask_for_lanes(ledger: Ledger, now: datetime) -> tuple[Priority, ...]:
    """The levels whose batches are READY, that nobody is at work on and that nobody has been asked to: ask now."""
    with writing(ledger, "lanes") as connection:
        waiting = connection.execute(select(batches.c.level).where(_IS_READY).distinct()).scalars().all()
        return tuple(
            level for level in map(Priority, waiting) if ask_for_lane(connection, level, now) == WANTED
        )


def unattended_levels(ledger: Ledger, now: datetime) -> tuple[Priority, ...]:
    """The levels with a batch READY for longer than a lane takes to come, that nobody is at work on; asked for now.

    However often somebody has been asked meanwhile: where events start nothing, asking again starts nothing.
    """
    ready = ready_since()
    attended = select(lanes.c.level).where(lanes.c.owner.is_not(None), lanes.c.until > now)
    query = (
        select(ready.c.level)
        .where(ready.c.at <= now - COMES_WITHIN, ready.c.level.not_in(attended))
        .distinct()
        .order_by(ready.c.level)
    )
    with writing(ledger, "lanes") as connection:
        levels = tuple(map(Priority, connection.execute(query).scalars()))
        for level in levels:
            _asked(connection, level, now)
    return levels


def ask_for_another(ledger: Ledger, level: Priority, now: datetime) -> None:
    """Tell that one lane is not enough for the level."""
    with writing(ledger, "lanes") as connection:
        signal(connection, "lane.wanted", level.value, {"level": level.value, "lane": WANTED}, now)


_IS_READY = batches.c.state == BatchState.READY.value
