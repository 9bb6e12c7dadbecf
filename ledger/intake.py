"""Taking events in: each exactly once, whatever is delivered twice, and what cannot be taken in on record."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import count
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, insert, select

from contracts.events import (
    EVENT_SCHEMA_VERSION,
    Event,
    Kind,
    Priority,
    Rejection,
    content_hash,
    event_key,
)
from contracts.versions import upgraded_json
from ledger.columns import storable, to_micros
from ledger.engine import Ledger
from ledger.news import tell_news
from ledger.pools import needed_bits, newest_seq
from ledger.sql import insert_rows, is_sqlite, reading, writing
from ledger.tables import events, intakes, pool, rejections

# Keys asked for in one statement; SQLite allows 32,766 parameters.
_LOOKUP = 10_000


ERASED_CONTENT: Final = bytes(16)
"""The content hash of an event that was erased (`ledger.erasure`): whatever comes under its key is a duplicate."""


class PreparedEvent(NamedTuple):
    """A valid event as its row in the ledger, and what a rejection of it would say; `prepare_event` makes it.

    Flat, so that the event's own data, many times the size of its JSON, need not live until the chunk is full.
    """

    key: bytes
    content_hash: bytes
    tenant: str
    user: str | None
    kind: str
    priority: int
    pipeline: str
    topic: str
    tokens: int
    occurred_at: int | None
    payload: str
    id: str
    source: str
    line: int
    raw: bytes
    plain_hash: bytes | None = None
    """Where `content_hash` is keyed, the one that is not; never kept, it knows events from before the key."""


def prepare_event(
    event: Event,
    payload: str,
    *,
    tokens: int,
    pipeline: str,
    line: int,
    raw: bytes,
    stated: tuple[object, ...] = (),
) -> PreparedEvent:
    """What the ledger keeps of an event: all that is known before it is asked.

    `payload` is the event's JSON, `tokens` its estimated size in a prompt, `pipeline` the one it goes to,
    `line` its 1-based position in its origin, `raw` the message as it came, `stated` as for `content_hash`.
    TypeError for data that JSON cannot hold.
    """
    tenant, source, time = event.tenant, event.source, event.time
    return PreparedEvent(
        event_key(tenant, source, event.id),
        content_hash(event, stated),
        tenant,
        event.user,
        _KINDS[event.type],
        _RANKS[event.priority],
        pipeline,
        event.topic,
        tokens,
        None if time is None else to_micros(time),
        payload,
        event.id,
        source,
        line,
        raw,
    )


class IntakeCounts(NamedTuple):
    """What became of the messages read: `read` is the sum of the other three."""

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0

    def __add__(self, other: object) -> "IntakeCounts":
        """The counts of both."""
        if not isinstance(other, IntakeCounts):
            return NotImplemented
        return IntakeCounts(*map(sum, zip(self, other, strict=True)))


class Taken(StrEnum):
    """What became of a prepared event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


def record_intake(
    ledger: Ledger,
    origin: str,
    prepared: Sequence[PreparedEvent],
    refused: Sequence[Rejection],
    now: datetime,
) -> IntakeCounts:
    """Record a chunk of messages as `record_each` does; how many came to what."""
    return _counts(record_each(ledger, origin, prepared, refused, now), refused)


Also = Callable[[Connection], None]
"""What is written in the same transaction as events."""


def record_each(
    ledger: Ledger,
    origin: str,
    prepared: Sequence[PreparedEvent],
    refused: Sequence[Rejection],
    now: datetime,
    also: Sequence[Also] = (),
) -> list[Taken]:
    """Record a chunk of messages from one origin in one transaction, and `also` what else belongs to it.

    Returns what became of each prepared event. The same key with the same content is a duplicate, within the chunk
    too; with other content it is a rejection on record, as are the `refused`. SQLite takes 10,000 events a chunk
    nearly twice as fast as 2,000.
    """
    at = to_micros(now)
    with writing(ledger, "intake") as connection:
        known = _known_hashes(connection, [one.key for one in prepared])
        # Nobody else takes numbers while we hold the lock.
        numbers = count(newest_seq(connection) + 1)
        rows, bits, conflicts = [], [], []
        taken: list[Taken] = []
        for one in prepared:
            seen = known.get(one.key)
            if seen is None:
                known[one.key] = one.content_hash
                seq = next(numbers)
                rows.append((seq, at, EVENT_SCHEMA_VERSION, *one[:_KEPT]))
                bits.append((seq, _BITS[one.priority, one.user is not None], 0))
                taken.append(Taken.ACCEPTED)
            elif seen in {one.content_hash, one.plain_hash, ERASED_CONTENT}:
                taken.append(Taken.DUPLICATE)
            else:
                conflicts.append(_conflict(origin, one))
                taken.append(Taken.CONFLICT)
        insert_rows(connection, events, _COLUMNS, rows)
        insert_rows(connection, pool, ("seq", "needed", "batched"), bits)
        _record_rejections(connection, [*refused, *conflicts], now)
        counts = _counts(taken, refused)
        connection.execute(insert(intakes).values(origin=origin, at=now, **counts._asdict()))
        tell_news(connection, _accepted(rows, now))
        for write in also:
            write(connection)
    return taken


def _accepted(rows: Sequence[tuple[Any, ...]], now: datetime) -> list[dict[str, Any]]:
    """News for each tenant: how many of its events are in. Of no batch yet."""
    tenants = Counter(row[_TENANT_AT] for row in rows)
    told = {"at": now, "batch_id": "", "name": "events.accepted"}
    return [told | {"tenant": tenant, "payload": {"events": events}} for tenant, events in tenants.items()]


def _counts(taken: Sequence[Taken], refused: Sequence[Rejection]) -> IntakeCounts:
    accepted, duplicates = taken.count(Taken.ACCEPTED), taken.count(Taken.DUPLICATE)
    read = len(taken) + len(refused)
    return IntakeCounts(read, accepted, duplicates, read - accepted - duplicates)


def read_rejections(ledger: Ledger, limit: int) -> tuple[Rejection, ...]:
    """The latest rejections, newest first."""
    columns = (rejections.c.schema_version, rejections.c.payload)
    with reading(ledger) as connection:
        rows = connection.execute(select(*columns).order_by(rejections.c.id.desc()).limit(limit)).all()
    current = (upgraded_json("rejection", row.schema_version, row.payload) for row in rows)
    return tuple(map(Rejection.model_validate_json, current))


def _known_hashes(connection: Connection, keys: list[bytes]) -> dict[bytes, bytes]:
    """The content hashes of those keys that are in the ledger already."""
    known: dict[bytes, bytes] = {}
    for start in range(0, len(keys), _LOOKUP):
        some = keys[start : start + _LOOKUP]
        where = f"IN ({','.join('?' * len(some))})" if is_sqlite(connection) else "= ANY(%s)"
        values = tuple(some) if is_sqlite(connection) else (some,)
        found = connection.exec_driver_sql(f"SELECT key, content_hash FROM events WHERE key {where}", values)
        known.update(found.tuples().all())
    return known


# Looked up instead of asked of the enumerations, whose `value` costs more than all the rest of a row.
_KINDS = {kind: kind.value for kind in Kind}
_RANKS = {priority: priority.rank for priority in Priority}
_BITS = {
    (rank, has_user): needed_bits(rank, has_user=has_user)
    for rank in _RANKS.values()
    for has_user in (True, False)
}
_KEPT = PreparedEvent._fields.index("payload") + 1
_TENANT_AT = 3 + PreparedEvent._fields.index("tenant")
"""Behind what `record_each` puts before an event's own fields."""
_COLUMNS = ("seq", "accepted_at", "schema_version", *PreparedEvent._fields[:_KEPT])


def _conflict(origin: str, one: PreparedEvent) -> Rejection:
    """The rejection of an event whose id was used before for something else."""
    reason = f"the id {one.id!r} from {one.source!r} already exists with other content"
    raw = one.raw.decode(errors="backslashreplace")
    return Rejection(origin=origin, line=one.line, reason=reason, raw=raw, tenant=one.tenant)


def _record_rejections(connection: Connection, refused: list[Rejection], now: datetime) -> None:
    at = to_micros(now)
    columns = ("origin", "line", "reason", "at", "schema_version", "payload")
    insert_rows(connection, rejections, columns, list(_rejection_rows(refused, at)))


def _rejection_rows(refused: list[Rejection], at: int) -> Iterator[tuple[object, ...]]:
    for one in refused:
        words = storable(one.origin), one.line, storable(one.reason)
        yield (*words, at, one.schema_version, one.model_dump_json())
