"""Nothing unjudged leaves, whichever single write of a batch's road the database refuses."""

import asyncio
from contextlib import contextmanager, suppress

import pytest
from pydantic import SecretStr
from sqlalchemy import event

from contracts.errors import OperatorError
from flows.pipelines import PIPELINES
from ledger.batches import read_batch
from ledger.work import read_items
from tasks.broadcast import broadcast
from tasks.produce import GenerationError, JudgeOutageError, caller_for, produce
from tasks.publisher import publish
from tasks.runtime import runtime
from tasks.settings import Settings
from tasks.stages.context import validated_context

TEXTS = ["The phone rings out after five and nobody calls back, so we wait until Monday."]
WRITES = ("INSERT", "UPDATE", "DELETE")
REFUSE = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY"}
UNJUDGED = """
SELECT count(*) FROM deliverables d WHERE NOT EXISTS (
    SELECT 1 FROM items i WHERE i.batch_id = d.batch_id AND i.kind = d.kind AND i.form = d.form AND i.verdict = 'passed'
)"""
PAID_TWICE = """
SELECT count(*) FROM (
    SELECT 1 FROM model_calls WHERE state = 'SUCCEEDED'
    GROUP BY batch_id, item, purpose, request_hash HAVING count(*) > 1
) doubled"""


class Refusal:
    """Makes the database itself refuse the n-th write, by taking the right to write from its connection."""

    def __init__(self, ledger, nth) -> None:
        self.ledger, self.left, self.has_refused = ledger, nth, False

    @contextmanager
    def in_force(self):
        """For the time of the block."""
        listeners = (("before_cursor_execute", self.before), ("rollback", self.after))
        for name, listener in listeners:
            event.listen(self.ledger, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners:
                event.remove(self.ledger, name, listener)

    def before(self, _connection, cursor, statement, *_):
        """Before every statement."""
        if statement.lstrip().upper().startswith(WRITES):
            self.left -= 1
            if self.left == 0:
                self.has_refused = True
                cursor.execute(REFUSE[self.ledger.dialect.name])

    def after(self, connection):
        """After the transaction that failed everything is as it was."""
        if self.has_refused and self.ledger.dialect.name == "sqlite":
            connection.connection.cursor().execute("PRAGMA query_only = OFF")


async def travel(run, work) -> None:
    """Every item of every stage made and judged, committed and published, as a worker does."""
    context = validated_context(work)
    stored = {item.item: item for item in read_items(run.ledger, work.batch.id)}
    for stage in PIPELINES["insights"].stages:
        made = [
            await produce(
                spec,
                caller_for(work, stage.name, spec.name),
                stored.get(spec.name),
                run.producer,
            )
            for spec in stage.plan(context, run.stage_options)
        ]
        context = context.with_items(tuple(made))
    await broadcast(context, work.lease, run)


async def refused_at(run, work, nth) -> bool:
    """One road with a refused write, and the road again; whether there was an n-th write at all."""
    refusal = Refusal(run.ledger, nth)
    with refusal.in_force(), suppress(OperatorError, GenerationError, JudgeOutageError):
        await travel(run, work)
    expect_nothing_unjudged(run)
    if read_batch(run.ledger, work.batch.id).state != "DONE":
        await travel(run, work)
    await publish(run)
    expect_nothing_unjudged(run)
    assert read_batch(run.ledger, work.batch.id).state == "DONE"
    assert one(run, PAID_TWICE) == 0
    return refusal.has_refused


def one(run, query) -> int:
    """The number that a query gives."""
    with run.ledger.connect() as connection:
        return connection.exec_driver_sql(query).scalar_one()


def expect_nothing_unjudged(run) -> None:
    """In the ledger and among what has arrived."""
    assert one(run, UNJUDGED) == 0
    with run.ledger.connect() as connection:
        committed = {row.id for row in connection.exec_driver_sql("SELECT id FROM deliverables")}
    arrived = {path.stem.rpartition("-d-")[2] for path in run.settings.deliverables.rglob("*.md")}
    assert {f"d-{name}" for name in arrived} <= committed


@pytest.fixture
def settings(tmp_path, ledger_url, offline) -> Settings:
    """An installation that waits for nothing."""
    return Settings(
        home=tmp_path / "home",
        database_url=SecretStr(ledger_url),
        offline_url=offline.url,
        retry_delays_s=(),
        delivery_hold_s=1,
        solution_forms=("action_plan",),
        audiences=("admin",),
    )


def test_nothing_unjudged_leaves_whichever_write_fails(settings, fill, clock):
    """Each write of the road in turn: the road is gone again, nothing kept is paid for twice."""

    async def every_write():
        async with runtime(settings, clock=clock) as run:
            nth = 1
            while True:
                work = fill.claimed(run.ledger, TEXTS, lease=f"lease-{nth}")
                if not await refused_at(run, work, nth):
                    return nth
                clock.advance(minutes=1)
                nth += 1

    assert asyncio.run(every_write()) > 20
