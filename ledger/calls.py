"""Model calls: on record before they leave, settled when they return, and never paid twice."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, select, type_coerce, update

from contracts.batches import BatchState
from contracts.calls import CallFailure, CallIdentity, CallState, Purpose, Reply, Usage
from ledger.breakers import count_failure, count_success
from ledger.call_rules import DEFAULT_RULES, CallRules, check_call
from ledger.engine import Ledger
from ledger.errors import LeaseLostError, UnknownCallError
from ledger.sql import Writable, insert_once, reading, writing
from ledger.tables import SERIAL, batch_history, batches, model_calls

# Every paid call runs these. Built once, SQLAlchemy takes 0.05 ms for each; built each time, 0.5.
_ANSWERED: Final = (
    select(
        *(
            model_calls.c[name]
            for name in ("reply_text", "reply_model", "stop_reason", "cost_usd", "latency_ms")
        ),
        *(model_calls.c[name] for name in Usage.model_fields),
    )
    .where(
        model_calls.c.batch_id == bindparam("batch"),
        model_calls.c.item == bindparam("of_item"),
        model_calls.c.purpose == bindparam("why"),
        model_calls.c.request_hash == bindparam("body"),
        model_calls.c.state == CallState.SUCCEEDED.value,
    )
    # Not by `started_at`: SQLite would then go through all that has ever succeeded in that index's order.
    .order_by(model_calls.c.finished_at)
    .limit(1)
)
_HELD: Final = select(batches.c.id).where(
    batches.c.id == bindparam("batch"),
    batches.c.lease == bindparam("holder"),
    batches.c.state == BatchState.RUNNING.value,
)
# Which columns it sets goes by the values it is executed with.
_SETTLE: Final = (
    update(model_calls)
    .where(model_calls.c.id == bindparam("call"), model_calls.c.state == CallState.STARTED.value)
    .returning(model_calls.c.model)
)


def begin_call(
    ledger: Writable, identity: CallIdentity, rules: CallRules = DEFAULT_RULES, lease: str | None = None
) -> Reply | None:
    """Record that a call is about to leave, STARTED; or the answer that this very request has brought before.

    It is the same request when batch, item, purpose and the hash of its body are the same; answered before,
    nothing is recorded and nothing is to be sent. A call recorded before is left as it is. With a `lease` it may
    only leave while that holds the batch: who has lost it would ask what its next holder asks, too.

    Raises:
        LeaseLostError: the lease does not hold the batch; nothing is recorded.
        CallHeldError: a pause, an open breaker or a spent retry budget stands in its way; nothing is recorded.
    """
    values = identity.model_dump(mode="python") | {
        "batch_id": identity.batch,
        "purpose": identity.purpose.value,
        "state": CallState.STARTED.value,
    }
    del values["batch"]
    # Retries of a model take turns: counting them and adding one is one step.
    lock = f"retries of {identity.model}" if identity.attempt > 1 else None
    with writing(ledger, lock) as connection:
        earlier = connection.execute(_ANSWERED, _which(identity)).first()
        if earlier is not None:
            return _reply(earlier)
        if lease is not None:
            _check_lease(connection, identity.batch, lease)
        check_call(connection, identity, rules)
        insert_once(connection, model_calls, values)
    return None


def _check_lease(connection: Connection, batch: str, lease: str) -> None:
    if connection.execute(_HELD, {"batch": batch, "holder": lease}).first() is None:
        raise LeaseLostError(
            f"the lease {lease!r} no longer holds the batch {batch}: nothing is asked for it"
        )


def _which(identity: CallIdentity) -> dict[str, str]:
    return {
        "batch": identity.batch,
        "of_item": identity.item,
        "why": identity.purpose.value,
        "body": identity.request_hash,
    }


def settle_call(
    ledger: Writable,
    call_id: str,
    outcome: Reply | CallFailure,
    now: datetime,
    rules: CallRules = DEFAULT_RULES,
) -> None:
    """Record what a STARTED call brought, and its cost; a call settled before is left as it is.

    Whether the model answered is counted by its breaker.

    Raises:
        UnknownCallError: no such call was begun.
    """
    with writing(ledger) as connection:
        settle(connection, call_id, outcome, now, rules)


def settle(
    connection: Connection,
    call_id: str,
    outcome: Reply | CallFailure,
    now: datetime,
    rules: CallRules = DEFAULT_RULES,
) -> None:
    """Settle a call inside the caller's transaction. Raises as `settle_call`."""
    usage = outcome.usage
    values: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cost_usd": outcome.cost_usd,
        "latency_ms": outcome.latency_ms,
        "finished_at": now,
    }
    settled = connection.execute(_SETTLE, values | _told(outcome) | {"call": call_id}).scalar()
    if settled is not None:
        _count(connection, settled, call_id, outcome, now, rules)
    else:
        known = connection.execute(select(model_calls.c.id).where(model_calls.c.id == call_id)).first()
        if known is None:
            raise UnknownCallError(
                f"no call has the id {call_id!r}: record it with begin_call before it leaves"
            )


def _count(
    connection: Connection,
    model: str,
    call_id: str,
    outcome: Reply | CallFailure,
    now: datetime,
    rules: CallRules,
) -> None:
    """An answer of any kind shows that the model is there; so does a request to slow down."""
    if isinstance(outcome, CallFailure) and outcome.kind == "transient":
        why = f"{outcome.error}: {outcome.message}"
        count_failure(connection, model, call_id, why, rules.breaker, now)
    else:
        count_success(connection, model, call_id, now)


def count_attempts(ledger: Ledger, batch_id: str, item: str) -> int:
    """How many requests for the generation of an item have begun since its batch was last replayed, if it was."""
    return _count_calls(ledger, batch_id, item, model_calls.c.purpose == Purpose.GENERATE)


def count_unusable_verdicts(ledger: Ledger, batch_id: str, item: str) -> int:
    """How many verdicts on an item were paid for and could not be used, since its batch was last replayed."""
    is_unusable = and_(model_calls.c.purpose == Purpose.JUDGE, model_calls.c.failure_kind == "invalid")
    return _count_calls(ledger, batch_id, item, is_unusable)


def _count_calls(ledger: Ledger, batch_id: str, item: str, kind: ColumnElement[bool]) -> int:
    # By the batch's own history: its letter may have been purged.
    replayed = select(func.coalesce(func.max(type_coerce(batch_history.c.at, SERIAL)), 0)).where(
        batch_history.c.batch_id == batch_id, batch_history.c.from_state == BatchState.DEAD.value
    )
    made = (
        select(func.count())
        .select_from(model_calls)
        .where(
            model_calls.c.batch_id == batch_id,
            model_calls.c.item == item,
            kind,
            type_coerce(model_calls.c.started_at, SERIAL) >= replayed.scalar_subquery(),
        )
    )
    with reading(ledger) as connection:
        return connection.execute(made).scalar_one()


def calls_in_doubt(ledger: Ledger) -> tuple[CallIdentity, ...]:
    """The calls that left and whose answer nobody recorded, oldest first: they may have been paid for."""
    query = (
        select(model_calls)
        .where(model_calls.c.state == CallState.STARTED.value)
        .order_by(model_calls.c.started_at, model_calls.c.id)
    )
    with reading(ledger) as connection:
        return tuple(_identity(row) for row in connection.execute(query))


def _told(outcome: Reply | CallFailure) -> dict[str, Any]:
    if isinstance(outcome, Reply):
        return {
            "state": CallState.SUCCEEDED.value,
            "reply_text": outcome.text,
            "reply_model": outcome.model,
            "stop_reason": outcome.stop_reason,
        }
    return {
        "state": CallState.FAILED.value,
        "error": outcome.error,
        "message": outcome.message,
        "failure_kind": outcome.kind,
    }


def _reply(row: Row[Any]) -> Reply:
    return Reply(
        text=row.reply_text,
        model=row.reply_model,
        stop_reason=row.stop_reason,
        usage=Usage(**{name: getattr(row, name) for name in Usage.model_fields}),
        cost_usd=row.cost_usd,
        latency_ms=row.latency_ms,
    )


def _identity(row: Row[Any]) -> CallIdentity:
    values = {name: getattr(row, name) for name in CallIdentity.model_fields if name != "batch"}
    return CallIdentity(**values | {"batch": row.batch_id, "purpose": Purpose(row.purpose)})
