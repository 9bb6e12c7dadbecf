"""Facts: the lake's own schema, each row on the day it was made."""

from datetime import UTC, date, datetime

import pytest

from contracts.batches import BatchState
from contracts.calls import Purpose
from contracts.events import Priority, Rejection
from flywheel.tables import TABLES
from ledger.deliveries import commit_batch
from ledger.facts import fact_days, fact_tables, read_facts
from ledger.intake import record_intake
from ledger.promotions import promote_events
from ledger.stages import finish_stage, start_stage
from ledger.throttle import reserve_solutions
from ledger.transitions import Settlement, settle_batch
from ledger.work import begin_call, settle_call, store_draft, store_verdict

DAY = date(2024, 5, 1)


@pytest.fixture
def worked(ledger, make):
    """A DONE batch with a judged item, two calls and a deliverable; a DEAD one; what was refused and raised."""
    work = make.claimed(ledger)
    batch = work.batch.id
    start_stage(ledger, batch, "insights", make.now)
    begin_call(ledger, make.call(batch, 1))
    begin_call(ledger, make.call(batch, 2, purpose=Purpose.JUDGE, rubric_version="r1"))
    store_draft(ledger, batch, make.draft(), make.now, settle=("call-1", make.reply("0.25")))
    store_verdict(ledger, batch, "insights", "passed", [make.score(), make.score("tone", 0.8)], make.now)
    settle_call(ledger, "call-2", make.failure(), make.now)
    finish_stage(ledger, batch, "insights", "DONE", None, make.now)
    commit_batch(ledger, batch, work.lease, [make.deliverable(batch)], ["files"], make.now)
    rejection = Rejection(origin="f", line=2, reason="no tenant", raw="{}")
    record_intake(ledger, "f", [], [rejection], make.now)
    seqs = make.take_in(ledger, [make.event(9, priority=Priority.LOW)])
    promote_events(ledger, "acme", "phones", seqs, {"rate": 3.5}, make.now)
    dead = make.claimed(ledger, 2, lease="lease-2")
    reserve_solutions(
        ledger, tenant="acme", batch_id=dead.batch.id, count=3, limit=5, window=make.minute, now=make.now
    )
    letter = make.letter(dead.batch.id)
    end = Settlement(BatchState.DEAD, letter.message, letter=letter)
    settle_batch(ledger, dead.batch.id, dead.lease, end, make.now)
    return ledger


def test_the_tables_are_those_of_the_lake():
    """The ledger supplies every fact table the lake describes, and no other."""
    assert sorted(fact_tables()) == sorted(TABLES)


@pytest.mark.parametrize("table", fact_tables())
def test_facts_have_the_lakes_columns_with_rows_and_without(worked, table):
    """Names, order and types are the lake's own."""
    frame = read_facts(worked, table, DAY)
    assert frame.height > 0
    assert frame.schema == TABLES[table].polars_schema
    assert frame[TABLES[table].filed_by].dt.date().unique().to_list() == [DAY]
    assert read_facts(worked, table, date(2024, 5, 2)).schema == TABLES[table].polars_schema
    assert read_facts(worked, table, date(2024, 5, 2)).is_empty()
    assert fact_days(worked, table) == [DAY]


def test_facts_say_what_the_ledger_says(worked, make):
    """Money in USD, verdicts in capitals, truths as truths, missing values null."""
    (generation,) = read_facts(worked, "generations", DAY).to_dicts()
    assert (generation["verdict"], generation["judged_at"]) == ("PASSED", make.now)
    calls = {row["call_id"]: row for row in read_facts(worked, "model_calls", DAY).to_dicts()}
    assert (calls["call-1"]["cost_usd"], calls["call-1"]["input_tokens"], calls["call-1"]["error"]) == (
        0.25,
        100,
        None,
    )
    assert (calls["call-2"]["state"], calls["call-2"]["error"]) == ("FAILED", "Overloaded")
    judged = read_facts(worked, "judgements", DAY)
    assert judged.select("criterion", "score", "is_passed").rows() == [
        ("clarity", 0.9, True),
        ("tone", 0.8, True),
    ]
    (delivered,) = read_facts(worked, "deliverables", DAY).to_dicts()
    assert (delivered["deliverable_id"], delivered["cost_usd"]) == ("d-0001", 0.0025)


def test_facts_tell_the_road_of_events_and_batches(worked):
    """What came, was refused, raised, granted, moved, left and died is all there, and no content."""

    def rows(table, *names):
        return read_facts(worked, table, DAY).select(names).rows()

    assert rows("intakes", "origin", "n_read", "n_rejected") == [
        ("test", 2, 0),
        ("f", 1, 1),
        ("test", 1, 0),
        ("test", 2, 0),
    ]
    assert rows("events", "event_seq", "priority") == [(number, "HIGH") for number in range(1, 6)]
    assert rows("rejections", "origin", "line", "reason") == [("f", 2, "no tenant")]
    assert rows("promotions", "tenant", "topic", "n_events") == [("acme", "phones", 1)]
    assert sorted(seq for (seq,) in rows("batch_events", "event_seq")) == [1, 2, 4, 5]
    assert rows("reservations", "tenant", "n_solutions") == [("acme", 3)]
    assert rows("stage_runs", "stage", "state") == [("insights", "DONE")]
    assert [state for (state,) in rows("batch_states", "to_state")] == [
        *("READY", "RUNNING", "DONE"),
        *("READY", "RUNNING", "DEAD"),
    ]
    assert rows("deliveries", "channel", "state", "n_attempts") == [("files", "PENDING", 0)]
    assert rows("dead_letters", "letter_id", "message", "cost_usd") == [("x-1", "no", 0.5)]


def test_a_row_belongs_to_the_utc_day_it_was_made(ledger, make):
    """The last microsecond of a day is in it, the next one is not."""
    last = datetime(2024, 5, 1, 23, 59, 59, 999_999, tzinfo=UTC)
    for number, at in ((1, last), (2, datetime(2024, 5, 2, tzinfo=UTC))):
        make.ready(ledger, number, now=at)
    assert fact_days(ledger, "batches") == [DAY, date(2024, 5, 2)]
    assert read_facts(ledger, "batches", DAY)["created_at"].to_list() == [last]
