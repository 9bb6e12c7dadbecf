"""The state machine of a batch: which state follows which, and how a batch is moved.

Every move is one conditional update and one row of history in the same transaction. A RUNNING batch is moved
only by the lease that holds it, and only a claim (`ledger.claims`) makes a batch RUNNING.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from contracts.batches import FINISHED, BatchState
from contracts.events import Priority
from ledger.batch_news import Moved, tell_moves
from ledger.dead_letters import DeadLetter, bury_within
from ledger.engine import Ledger
from ledger.errors import IllegalTransitionError, LeaseLostError, UnknownBatchError
from ledger.sql import writing
from ledger.tables import batch_history, batches

ALLOWED: Final[dict[BatchState, frozenset[BatchState]]] = {
    BatchState.COLLECTING: frozenset({BatchState.READY}),
    BatchState.READY: frozenset({BatchState.RUNNING}),
    BatchState.RUNNING: frozenset(BatchState) - {BatchState.COLLECTING, BatchState.RUNNING},
    BatchState.PENDING: frozenset({BatchState.READY}),
    BatchState.WAITING: frozenset({BatchState.READY}),
    BatchState.SUBMITTED: frozenset({BatchState.READY}),
    BatchState.HELD: frozenset({BatchState.READY}),
    BatchState.DONE: frozenset(),
    BatchState.FAILED: frozenset(),
    BatchState.DEAD: frozenset(),
}
"""What may follow each state; a finished batch never moves again, but for a DEAD one that is replayed."""


def transition(ledger: Ledger, batch_id: str, to: BatchState, *, reason: str, now: datetime) -> None:
    """Move a batch that nobody runs, for instance a WAITING one whose answers have come, to READY.

    Raises:
        UnknownBatchError: there is no such batch.
        IllegalTransitionError: its state does not lead there, or a lease holds it.
    """
    with writing(ledger) as connection:
        move(connection, batch_id, to, reason=reason, now=now)


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a lease's turn with a batch ends: the state it is left in, and why.

    `resume_at` is when a PENDING or HELD batch becomes READY by itself, `hold` what a HELD one waits to see ended
    (`ledger.holds`); `diagnosis` is kept with the batch for as long as it is in this state; `letter` is written
    with the move or not at all.
    """

    state: BatchState
    reason: str
    resume_at: datetime | None = None
    hold: str | None = None
    diagnosis: dict[str, Any] | None = None
    letter: DeadLetter | None = None


def settle_batch(ledger: Ledger, batch_id: str, lease: str, end: Settlement, now: datetime) -> None:
    """End this lease's turn with the RUNNING batch. The same settlement repeated changes nothing.

    Raises:
        UnknownBatchError: there is no such batch.
        LeaseLostError: the lease no longer holds the batch.
        IllegalTransitionError: RUNNING does not lead to the state.
    """
    extra = {"resume_at": end.resume_at, "hold": end.hold, "diagnosis": end.diagnosis}
    with writing(ledger) as connection:
        moved = move(connection, batch_id, end.state, reason=end.reason, now=now, lease=lease, extra=extra)
        if end.letter is not None and moved:
            bury_within(connection, end.letter)


def move(
    connection: Connection,
    batch_id: str,
    to: BatchState,
    *,
    reason: str,
    now: datetime,
    lease: str | None = None,
    extra: dict[str, Any] | None = None,
) -> bool:
    """Move a batch inside the caller's transaction; False if this very move was made before.

    With a lease it moves from RUNNING, without one from any other state. Raises as `settle_batch`.
    """
    sources = _sources(to, by_lease=lease is not None)
    came_from = update_state(connection, batch_id, sources, to, reason, extra or {}, now=now, lease=lease)
    if came_from is not None:
        return True
    _refuse_unless_repeated(connection, batch_id, to, lease)
    return False


def update_state(
    connection: Connection,
    batch_id: str,
    sources: Collection[BatchState],
    to: BatchState,
    reason: str,
    values: dict[str, Any],
    *,
    now: datetime,
    lease: str | None = None,
) -> BatchState | None:
    """The conditional update itself, with its row of history; the state it came from, None if it did not apply."""
    where = [batches.c.id == batch_id]
    if lease is not None:
        where.append(batches.c.lease == lease)
    told = (batches.c.tenant, batches.c.level, batches.c.scope, batches.c.pipeline)
    row = connection.execute(select(batches.c.state, *told).where(*where)).first()
    if row is None or BatchState(row.state) not in sources:
        return None
    found, came_from = row.state, BatchState(row.state)
    moved = {"state": to.value, "reason": reason, "lease_until": None, "hold": None, "diagnosis": None}
    times = {"finished_at": now} if to in FINISHED else {}
    changed = connection.execute(
        update(batches).where(*where, batches.c.state == found).values(moved | times | values)
    )
    # On PostgreSQL another transaction may have moved it between the two statements.
    if changed.rowcount == 0:
        return None
    record_move(connection, batch_id, came_from, to, reason, now)
    batch = Moved(batch_id, row.tenant, Priority(row.level), row.scope, row.pipeline)
    tell_moves(connection, [batch], came_from, to, now)
    return came_from


def record_move(
    connection: Connection, batch_id: str, came_from: BatchState, to: BatchState, reason: str, now: datetime
) -> None:
    """One row of a batch's history."""
    connection.execute(
        insert(batch_history).values(
            batch_id=batch_id, from_state=came_from.value, to_state=to.value, at=now, reason=reason
        )
    )


def _sources(to: BatchState, *, by_lease: bool) -> frozenset[BatchState]:
    """The states that may become `to`: RUNNING by its lease, any other without; RUNNING itself only by a claim."""
    if to is BatchState.RUNNING:
        return frozenset()
    return frozenset(
        state for state, after in ALLOWED.items() if to in after and (state is BatchState.RUNNING) == by_lease
    )


def _refuse_unless_repeated(connection: Connection, batch_id: str, to: BatchState, lease: str | None) -> None:
    """Say why a move did not apply; say nothing if the same lease made it before."""
    row = connection.execute(
        select(batches.c.state, batches.c.lease, batches.c.lease_owner).where(batches.c.id == batch_id)
    ).first()
    if row is None:
        raise UnknownBatchError(f"no batch has the id {batch_id!r}; `penstock status` lists them")
    if lease is None:
        raise IllegalTransitionError(_illegal(batch_id, row.state, to))
    if row.lease != lease:
        raise LeaseLostError(
            f"the lease {lease!r} no longer holds the batch {batch_id}, which is {row.state}"
            f"{f' with {row.lease_owner}' if row.lease else ''}; drop this work, whoever holds the batch continues it"
        )
    if row.state != to.value:
        raise IllegalTransitionError(_illegal(batch_id, row.state, to))


def _illegal(batch_id: str, state: str, to: BatchState) -> str:
    after = ", ".join(sorted(ALLOWED[BatchState(state)])) or "nothing: it is finished"
    return f"the batch {batch_id} is {state} and cannot become {to.value} here; from {state} it may become {after}"
