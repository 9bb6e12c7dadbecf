"""Batches: made once, each event once per scope and level, and found again."""

import pytest

from contracts.batches import Batch, BatchState
from contracts.events import Priority
from ledger import batch_plans
from ledger.batch_reads import batch_origins
from ledger.batches import (
    Transition,
    batch_diagnosis,
    batch_event_ids,
    batch_history,
    create_batches,
    list_batches,
    read_batch,
)
from ledger.errors import AmbiguousIdError
from ledger.pending import pending_events
from ledger.sql import writing
from ledger.tables import batches


def test_a_batch_is_made_once_however_often_it_is_planned(ledger, make):
    """The same plan again, in the call or later, makes nothing new."""
    plan = make.plan(make.take_in(ledger, [make.event(1), make.event(2)]))
    assert create_batches(ledger, [plan, plan], make.now) == 1
    assert create_batches(ledger, [plan], make.now) == 0
    assert create_batches(ledger, [], make.now) == 0
    closed = "closed with 2 events"
    assert read_batch(ledger, plan.id) == Batch(
        id=plan.id,
        scope=plan.scope,
        tenant="acme",
        user=None,
        level=Priority.HIGH,
        pipeline="insights",
        state=BatchState.READY,
        size=2,
        tokens=80,
        created_at=make.now,
        reason=closed,
    )
    ready = Transition(BatchState.COLLECTING, BatchState.READY, make.now, closed)
    assert batch_history(ledger, plan.id) == (ready,)
    assert batch_event_ids(ledger, plan.id) == ("1", "2")


def test_a_stale_plan_never_takes_an_event_twice(ledger, make):
    """A plan with an event that has joined another batch of its scope and level is dropped whole."""
    seqs = make.take_in(ledger, [make.event(number) for number in range(3)])
    assert create_batches(ledger, [make.plan(seqs[:2]), make.plan(seqs[1:])], make.now) == 1
    assert create_batches(ledger, [make.plan(seqs)], make.now) == 0
    assert create_batches(ledger, [make.plan(seqs[2:])], make.now) == 1


def test_scopes_and_levels_do_not_stand_in_each_others_way(ledger, make):
    """One event joins a batch of its tenant and of its user at every level of the cascade."""
    seqs = make.take_in(ledger, [make.event(1, user="ann")])
    plans = [make.plan(seqs, user=user, level=level) for user in (None, "ann") for level in Priority]
    assert create_batches(ledger, plans, make.now) == 6
    assert pending_events(ledger).is_empty()


def test_a_plan_with_an_event_nobody_has_is_dropped(ledger, make):
    """A number that is in no ledger makes no batch."""
    assert create_batches(ledger, [make.plan([404])], make.now) == 0
    assert list_batches(ledger, 10) == ()


def test_more_plans_than_a_transaction_takes_are_all_made(ledger, make, monkeypatch):
    """Plans are created a chunk at a time, and none is forgotten."""
    monkeypatch.setattr(batch_plans, "CHUNK", 2)
    seqs = make.take_in(ledger, [make.event(number) for number in range(5)])
    assert create_batches(ledger, (make.plan([seq]) for seq in seqs), make.now) == 5


def test_batches_are_listed_newest_first_by_state(ledger, make):
    """The list is cut at its limit and holds one state if asked."""
    first, second = make.ready(ledger, 1), make.ready(ledger, 2, now=make.now + make.minute)
    running = make.claimed(ledger, 3, now=make.now + 2 * make.minute).batch.id
    assert [one.id for one in list_batches(ledger, 10)] == [running, second, first]
    assert [one.id for one in list_batches(ledger, 1, BatchState.READY)] == [second]


def test_a_batch_is_found_by_an_unambiguous_beginning_of_its_id(ledger, make):
    """A prefix is enough where it fits one batch; the whole id always is; no wildcard is understood."""
    identity = make.ready(ledger)
    with writing(ledger) as connection:
        row = dict(connection.execute(batches.select()).mappings().one())
        connection.execute(batches.insert(), [row | {"id": one} for one in ("x-1", "x-12", "x_3")])
    assert read_batch(ledger, identity[:6]).id == identity
    assert read_batch(ledger, "x-1").id == "x-1"
    assert read_batch(ledger, "x-12").id == "x-12"
    assert [read_batch(ledger, none) for none in ("y", "", "%", "x%")] == [None] * 4
    with pytest.raises(AmbiguousIdError, match="'x'"):
        read_batch(ledger, "x")


def test_a_batch_knows_its_events_and_where_else_they_are(ledger, make):
    """Ids, sources and the other batches of the cascade; nothing that people wrote."""
    seqs = make.take_in(ledger, [make.event(number, user="ada") for number in (1, 2)])
    plans = [make.plan(seqs), make.plan(seqs[:1], user="ada"), make.plan(seqs[1:], level=Priority.LOW)]
    assert create_batches(ledger, plans, make.now) == 3
    first, second = batch_origins(ledger, plans[0].id)
    assert (first.id, first.source, first.accepted_at) == ("1", make.event(1).source, make.now)
    assert (first.also_in, second.also_in) == ((plans[1].id,), (plans[2].id,))
    assert batch_origins(ledger, "none") == ()


def test_what_nobody_knows_has_no_history_events_or_diagnosis(ledger):
    """Reads of an unknown batch are empty, not errors."""
    assert batch_history(ledger, "none") == ()
    assert batch_event_ids(ledger, "none") == ()
    assert batch_diagnosis(ledger, "none") is None
