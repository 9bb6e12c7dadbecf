"""Replay: a dead letter's work goes back to where it was, and what was paid for is found there again."""

from datetime import datetime

from sqlalchemy import Connection, select, update

from contracts.batches import BatchState
from ledger.attachments import STAGE, rework_attachment
from ledger.dead_letters import DeadLetter
from ledger.deliveries import PENDING
from ledger.engine import Ledger
from ledger.outbox import GIVEN_UP
from ledger.outcome_tables import dead_letters, outbox
from ledger.pauses import DELIVERY
from ledger.sql import writing
from ledger.transitions import update_state


def replay_letter(ledger: Ledger, letter: DeadLetter, now: datetime) -> bool:
    """Make the letter's batch READY, its message or its attachment due, once; False if there is nothing to replay.

    That is so when the letter was replayed before, or what it is about has gone on by other means.
    """
    with writing(ledger) as connection:
        fresh = update(dead_letters).where(
            dead_letters.c.id == letter.id, dead_letters.c.replayed_at.is_(None)
        )
        if not connection.execute(fresh.values(replayed_at=now)).rowcount:
            return False
        if letter.stage == STAGE:
            return rework_attachment(connection, letter.payload["attachment"]["id"], now)
        return (_redeliver if letter.stage == DELIVERY else _rework)(connection, letter, now)


def _rework(connection: Connection, letter: DeadLetter, now: datetime) -> bool:
    why = f"replayed from the dead letter {letter.id}"
    freed = {"finished_at": None, "lease": None, "lease_owner": None}
    moved = update_state(
        connection, str(letter.batch), {BatchState.DEAD}, BatchState.READY, why, freed, now=now
    )
    return moved is not None


def _redeliver(connection: Connection, letter: DeadLetter, now: datetime) -> bool:
    given_up = select(outbox.c.id).where(outbox.c.id == letter.payload["message"], outbox.c.state == GIVEN_UP)
    again = {"state": PENDING, "next_at": now, "attempts": 0}
    return bool(connection.execute(update(outbox).where(outbox.c.id.in_(given_up)).values(again)).rowcount)
