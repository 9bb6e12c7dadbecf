"""What is told of batches: every move as a signal and as news, written with the move itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from contracts.batches import BatchState
from contracts.events import Priority
from ledger.control_tables import signals
from ledger.lanes import ask_for_lane
from ledger.news import tell_news


@dataclass(frozen=True, slots=True)
class Moved:
    """A batch as far as others are told of it: nothing here that somebody may want erased."""

    id: str
    tenant: str
    level: Priority
    scope: str
    pipeline: str


def tell_moves(
    connection: Connection, moved: Iterable[Moved], came_from: BatchState, to: BatchState, now: datetime
) -> None:
    """Leave `batch.<state>` for each, inside the transaction that moves them; one that is ready asks for a lane."""
    told, news = [], []
    for one in moved:
        payload: dict[str, Any] = {
            "tenant": one.tenant,
            "level": one.level.value,
            "scope": one.scope,
            "pipeline": one.pipeline,
            "from": came_from.value,
            "to": to.value,
        }
        if to is BatchState.READY:
            payload["lane"] = ask_for_lane(connection, one.level, now)
        name = f"batch.{to.value.lower()}"
        told.append({"name": name, "about": one.id, "payload": payload, "at": now})
        row = {"at": now, "tenant": one.tenant, "batch_id": one.id, "name": name}
        news.append(
            row | {"payload": {"level": one.level.value, "scope": one.scope, "from": came_from.value}}
        )
    if told:
        connection.execute(insert(signals), told)
        tell_news(connection, news)
