"""Holds: what keeps HELD batches, and which of them may go on.

A batch is HELD by name: `pause:solutions@acme`, `model:claude-x`. It goes on when what the name says is over,
found out by looking: nobody has to remember whom to wake. Of the batches behind an open breaker one goes when its
time comes, to be the probe; the rest when it has closed.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from contracts.batches import BatchState
from ledger.breakers import BreakerState
from ledger.control_tables import breakers
from ledger.pauses import Switch, is_thrown
from ledger.tables import batches

_PAUSE: Final = "pause:"
_MODEL: Final = "model:"


def held_by_pause(switch: Switch) -> str:
    """The name of the hold that a pause is."""
    return f"{_PAUSE}{switch}"


def held_by_model(model: str) -> str:
    """The name of the hold that a model's open breaker is."""
    return f"{_MODEL}{model}"


def released_by_holds(connection: Connection, now: datetime) -> list[tuple[str, str]]:
    """The HELD batches that may go on now, each with why."""
    names = select(batches.c.hold).where(_HELD, batches.c.hold.is_not(None)).distinct()
    found = []
    for name in connection.execute(names).scalars().all():
        over, probe = _is_over(connection, name), _probe_due(connection, name, now)
        if over or probe:
            why = "what held it is over" if over else "it may try whether the model answers"
            ids = select(batches.c.id).where(_HELD, batches.c.hold == name).order_by(batches.c.created_at)
            chosen = connection.execute(ids if over else ids.limit(1)).scalars()
            found += [(batch_id, why) for batch_id in chosen]
    return found


_HELD: Final = batches.c.state == BatchState.HELD.value


def _is_over(connection: Connection, name: str) -> bool:
    """True when the pause is no more, or the breaker closed; a hold nobody knows holds nothing."""
    if name.startswith(_PAUSE):
        return not is_thrown(connection, Switch.parse(name.removeprefix(_PAUSE)))
    return _breaker(connection, name) is None


def _probe_due(connection: Connection, name: str, now: datetime) -> bool:
    retry_at = _breaker(connection, name)
    return retry_at is not None and retry_at <= now


def _breaker(connection: Connection, name: str) -> datetime | None:
    """When the breaker of the hold lets a probe through; None where none is open."""
    retry_at: datetime | None = connection.execute(
        select(breakers.c.retry_at).where(
            breakers.c.model == name.removeprefix(_MODEL), breakers.c.state != BreakerState.CLOSED
        )
    ).scalar()
    return retry_at
