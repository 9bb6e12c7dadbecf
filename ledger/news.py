"""News of batches for those who listen: written with the fact itself, read on from a cursor without a gap.

Numbers are given before a transaction commits, so that on PostgreSQL a row may appear behind one that was read
already. Therefore each row holds the number of its transaction, rows are ordered by that first, and only those are
read whose transactions were all over when the reading began (`pg_snapshot_xmin`). On SQLite writers take turns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    TextClause,
    and_,
    bindparam,
    delete,
    insert,
    literal,
    or_,
    select,
    text,
    true,
)

from ledger.access_tables import news
from ledger.columns import Json, Moment
from ledger.engine import Ledger
from ledger.sql import is_sqlite, reading, writing

_TX: Final = "CAST(CAST(pg_current_xact_id() AS text) AS bigint)"
_SETTLED: Final = "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)"


class Cursor(NamedTuple):
    """How far somebody has read; as text `tx-id`."""

    tx: int
    id: int

    def __str__(self) -> str:
        """For the reader to come back with."""
        return f"{self.tx}-{self.id}"

    @classmethod
    def read(cls, text: str) -> Self:
        """The cursor that was written so; ValueError for anything else."""
        tx, _, number = text.partition("-")
        return cls(int(tx), int(number))


BEGINNING: Final = Cursor(0, 0)


@dataclass(frozen=True, slots=True)
class News:
    """What happened (`stage.started`) to a batch of a tenant, and its particulars: nothing that people wrote."""

    cursor: Cursor
    at: datetime
    tenant: str
    batch: str
    name: str
    payload: dict[str, Any]


def tell_news(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Leave news, each of `at`, `tenant`, `batch_id`, `name` and `payload`, in the transaction of what they tell."""
    if rows:
        tx = literal(0) if is_sqlite(connection) else text(_TX)
        connection.execute(insert(news).values(tx=tx), list(rows))


def tell_of_batch(
    connection: Connection, batch_id: str, name: str, payload: dict[str, Any], now: datetime
) -> None:
    """Leave news of a batch whose tenant the ledger knows."""
    statement = _OF_BATCH_SQLITE if is_sqlite(connection) else _OF_BATCH_POSTGRESQL
    connection.execute(statement, {"at": now, "name": name, "payload": payload, "batch": batch_id})


def _of_batch(tx: str) -> TextClause:
    """As text: it is executed for every item, and compiled once."""
    return text(
        "INSERT INTO news (tx, at, tenant, batch_id, name, payload) "
        f"SELECT {tx}, CAST(:at AS bigint), tenant, id, :name, :payload FROM batches WHERE id = :batch"
    ).bindparams(
        bindparam("at", type_=Moment), bindparam("payload", type_=Json), bindparam("name", type_=String)
    )


_OF_BATCH_SQLITE: Final = _of_batch("0")
_OF_BATCH_POSTGRESQL: Final = _of_batch(_TX)


def read_news(
    ledger: Ledger,
    after: Cursor,
    *,
    tenant: str | None = None,
    batch: str | None = None,
    limit: int = 500,
) -> tuple[News, ...]:
    """What came after the cursor, in order, of a tenant or a batch, or of both."""
    later = or_(news.c.tx > after.tx, and_(news.c.tx == after.tx, news.c.id > after.id))
    with reading(ledger) as connection:
        query = select(news).where(later, _of(tenant, batch), _settled(connection))
        rows = connection.execute(query.order_by(news.c.tx, news.c.id).limit(limit)).all()
    return tuple(
        News(Cursor(row.tx, row.id), row.at, row.tenant, row.batch_id, row.name, row.payload) for row in rows
    )


def newest_news(ledger: Ledger) -> Cursor:
    """The cursor behind everything that can be read now."""
    with reading(ledger) as connection:
        query = select(news.c.tx, news.c.id).where(_settled(connection))
        row = connection.execute(query.order_by(news.c.tx.desc(), news.c.id.desc()).limit(1)).first()
    return BEGINNING if row is None else Cursor(row.tx, row.id)


def forget_news(ledger: Ledger, before: datetime, limit: int = 5_000) -> int:
    """Remove the oldest news from before then, so many at most; how many those were."""
    old = select(news.c.id).where(news.c.at < before).order_by(news.c.at).limit(limit)
    with writing(ledger) as connection:
        return int(connection.execute(delete(news).where(news.c.id.in_(old))).rowcount)


def _of(tenant: str | None, batch: str | None) -> ColumnElement[bool]:
    wanted = [news.c.tenant == tenant] if tenant is not None else []
    return and_(true(), *wanted, *([news.c.batch_id == batch] if batch is not None else []))


def _settled(connection: Connection) -> ColumnElement[bool]:
    return true() if is_sqlite(connection) else news.c.tx < text(_SETTLED)
