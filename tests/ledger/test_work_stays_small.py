"""What a batch asks of the ledger does not grow with what the ledger has seen."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest
from sqlalchemy import event

from ledger.batch_reads import batch_origins
from ledger.claims import claim_next
from ledger.deliveries import commit_batch, list_deliverables
from ledger.items import read_items
from ledger.outbox import mark_published, take_messages
from ledger.stages import finish_stage, read_stages, start_stage
from ledger.work import begin_call, settle_call, store_draft, store_verdict

FEW, MANY = 20, 400


@contextmanager
def counted(ledger) -> Iterator[list[int]]:
    """How many instructions SQLite's machine takes in the block, by statement; not how long they last."""
    steps: dict[str, int] = {}
    running = [""]

    def tick() -> int:
        steps[running[0]] = steps.get(running[0], 0) + 1
        return 0

    def begins(connection, _cursor, statement, *_rest) -> None:
        running[0] = statement
        connection.connection.driver_connection.set_progress_handler(tick, 1)

    event.listen(ledger, "before_cursor_execute", begins)
    try:
        yield steps
    finally:
        event.remove(ledger, "before_cursor_execute", begins)
        with ledger.connect() as connection:
            connection.connection.driver_connection.set_progress_handler(None, 0)


@pytest.fixture
def work_off(sqlite_ledger, make):
    """Work one batch off, from its events to its published deliverable."""
    numbers = count(1)

    def worked() -> None:
        number = next(numbers)
        make.ready(sqlite_ledger, number, tenant="acme")
        lease = f"lease-{number}"
        work = claim_next(
            sqlite_ledger, lease_id=lease, owner="worker", now=make.now, lease_for=10 * make.minute
        )
        batch = work.batch.id
        call = make.call(batch, number)
        start_stage(sqlite_ledger, batch, "insights", make.now)
        assert begin_call(sqlite_ledger, call, lease=lease) is None
        settle_call(sqlite_ledger, call.id, make.reply(), make.now)
        store_draft(sqlite_ledger, batch, make.draft(), make.now)
        store_verdict(sqlite_ledger, batch, "insights", "passed", [make.score()], make.now)
        finish_stage(sqlite_ledger, batch, "insights", "DONE", None, make.now)
        assert read_items(sqlite_ledger, batch)
        assert read_stages(sqlite_ledger, batch)
        commit_batch(sqlite_ledger, batch, lease, [make.deliverable(batch, number)], ["file"], make.now)
        assert len(batch_origins(sqlite_ledger, batch)) == 2
        assert list_deliverables(sqlite_ledger, batch)
        mark_published(
            sqlite_ledger,
            [one.id for one in take_messages(sqlite_ledger, make.now, 10, make.minute)],
            make.now,
        )

    return worked


def test_a_batch_costs_the_same_after_many_others(sqlite_ledger, work_off):
    """No statement of a batch's work goes through what earlier batches left behind."""
    for _ in range(FEW):
        work_off()
    with counted(sqlite_ledger) as early:
        work_off()
    for _ in range(MANY - FEW):
        work_off()
    with counted(sqlite_ledger) as late:
        work_off()
    grown = {
        statement: (early[statement], steps)
        for statement, steps in late.items()
        if steps > 1.5 * early[statement] + 50
    }
    assert grown == {}
    assert sum(late.values()) < 1.1 * sum(early.values())
