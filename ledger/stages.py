"""Stage runs: which stage of a batch is under way, which is over and how."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select, update

from ledger.engine import Ledger
from ledger.news import tell_of_batch
from ledger.sql import Writable, reading, upsert, writing
from ledger.tables import stage_runs

_ENDED: Final = update(stage_runs).where(
    stage_runs.c.batch_id == bindparam("of_batch"), stage_runs.c.stage == bindparam("at_stage")
)


@dataclass(frozen=True, slots=True)
class StageRun:
    """The latest run of a stage for a batch; `state` is RUNNING until the stage says how it ended."""

    stage: str
    state: str
    started_at: datetime
    finished_at: datetime | None
    error: str | None


def start_stage(ledger: Writable, batch_id: str, stage: str, now: datetime) -> None:
    """Record that a stage begins; begun again, it is RUNNING again."""
    values = {"batch_id": batch_id, "stage": stage, "state": "RUNNING", "started_at": now}
    with writing(ledger) as connection:
        upsert(connection, stage_runs, values | {"finished_at": None, "error": None})
        tell_of_batch(connection, batch_id, "stage.started", {"stage": stage}, now)


def finish_stage(
    ledger: Writable, batch_id: str, stage: str, state: str, error: str | None, now: datetime
) -> None:
    """Record how a begun stage ended, and its error if it had one."""
    with writing(ledger) as connection:
        ended = {"state": state, "error": error, "finished_at": now}
        connection.execute(_ENDED, ended | {"of_batch": batch_id, "at_stage": stage})
        tell_of_batch(connection, batch_id, "stage.ended", {"stage": stage, "state": state}, now)


def read_stages(ledger: Ledger, batch_id: str) -> tuple[StageRun, ...]:
    """The stages the batch has been through, in the order they began."""
    columns = [stage_runs.c[field.name] for field in fields(StageRun)]
    query = select(*columns).where(stage_runs.c.batch_id == batch_id).order_by(stage_runs.c.started_at)
    with reading(ledger) as connection:
        return tuple(StageRun(*row) for row in connection.execute(query))
