"""Intake: every event once, everything else on record."""

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.events import Rejection
from ledger import intake
from ledger.intake import IntakeCounts, read_rejections, record_intake
from ledger.pending import pending_events
from ledger.pools import newest_event
from ledger.status import collecting, status
from tests.ledger.reads import read_events


def test_redelivered_event_never_counts_twice(ledger, make):
    """The same event again, in the chunk or later, is a duplicate."""
    one = make.prepared(make.event())
    assert record_intake(ledger, "a", [one, one], [], make.now) == IntakeCounts(2, 1, 1, 0)
    assert record_intake(ledger, "b", [one], [], make.now + make.minute) == IntakeCounts(1, 0, 1, 0)
    assert pending_events(ledger).height == 1
    assert status(ledger)["events"] == {"accepted": 1, "duplicates": 2, "rejected": 0}


def test_an_id_used_for_other_content_is_a_rejection_on_record(ledger, make):
    """A conflict, in the chunk or with the past, keeps the first event and records the second."""
    first = make.prepared(make.event(7))
    other = make.prepared(make.event(7, data={"text": "something else"}), line=3)
    assert record_intake(ledger, "a", [first, other], [], make.now) == IntakeCounts(2, 1, 0, 1)
    assert record_intake(ledger, "b", [other], [], make.now) == IntakeCounts(1, 0, 0, 1)
    latest, earlier = read_rejections(ledger, 10)
    assert (latest.origin, earlier.origin) == ("b", "a")
    assert latest.reason == "the id '7' from 'test' already exists with other content"
    assert (latest.line, latest.tenant, latest.raw) == (3, "acme", "7 as it came")


def test_a_rejection_keeps_the_raw_text_whatever_it_holds(ledger, make):
    """NUL and every other character of the raw message survive both databases."""
    refused = Rejection(origin="f\x00", line=2, reason="no \x00 tenant", raw='{"a":\x00\ufffe\U0001f600}')
    assert record_intake(ledger, "f", [], [refused], make.now) == IntakeCounts(1, 0, 0, 1)
    assert read_rejections(ledger, 1) == (refused,)


def test_an_event_comes_back_as_it_went_in(ledger, make):
    """The payload, a missing user and missing time make the round trip."""
    events = [make.event(1, user="ann"), make.event(2, time=None, data={"text": "\x00 \U0001f600"})]
    prepared = [make.prepared(event) for event in events]
    record_intake(ledger, "a", prepared, [], make.now)
    assert read_events(ledger, [2, 1]) == tuple(events)
    assert newest_event(ledger) == 2


def test_an_empty_chunk_is_recorded_as_nothing(ledger, make):
    """An origin without messages changes no count."""
    assert record_intake(ledger, "a", [], [], make.now) == IntakeCounts()
    assert (collecting(ledger), newest_event(ledger), read_rejections(ledger, 1)) == (0, 0, ())


def test_a_chunk_larger_than_one_lookup_is_checked_whole(ledger, make, monkeypatch):
    """Duplicates are found in every part of a chunk that is looked up in parts."""
    monkeypatch.setattr(intake, "_LOOKUP", 3)
    chunk = [make.prepared(make.event(number)) for number in range(8)]
    assert record_intake(ledger, "a", chunk, [], make.now).accepted == 8
    assert record_intake(ledger, "a", chunk, [], make.now).duplicates == 8


def test_a_chunk_larger_than_one_insert_keeps_every_event_in_its_order(ledger, make):
    """Blocks of rows and what is left over after them arrive whole."""
    brought = [make.event(number) for number in range(1_203)]
    counts = record_intake(ledger, "a", [make.prepared(event) for event in brought], [], make.now)
    assert counts.accepted == collecting(ledger) == 1_203
    assert read_events(ledger, range(1, 1_204)) == tuple(brought)


def test_processes_that_bring_the_same_events_keep_each_once(ledger, ledger_url, workers):
    """Three processes with the same 300 events: 300 accepted in all, the rest duplicates."""
    results = workers("take_in", ledger_url)
    assert sum(one["accepted"] for one in results) == 300
    assert sum(one["duplicates"] for one in results) == 600
    assert collecting(ledger) == 300


def test_counts_are_summed_by_name_and_with_nothing_else():
    """Counts add up to counts, and refuse other things."""
    assert IntakeCounts(3, 1, 1, 1) + IntakeCounts(1, 1, 0, 0) == IntakeCounts(4, 2, 1, 1)
    with pytest.raises(TypeError):
        IntakeCounts() + 1


_runs = count()
_messages = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), max_size=12)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=_messages, size=st.integers(1, 12))
def test_any_chunking_of_any_redelivery_keeps_the_first_of_each(ledger, make, messages, size):
    """Whatever repeats, conflicts and however it is cut, the first content of each id is kept, and all adds up."""
    run = f"tenant-{next(_runs)}"
    prepared = [
        make.prepared(make.event(number, tenant=run, data={"text": str(text)})) for number, text in messages
    ]
    chunks = [prepared[start : start + size] for start in range(0, len(prepared), size)]
    total = sum((record_intake(ledger, "h", chunk, [], make.now) for chunk in chunks), IntakeCounts())
    firsts = dict(reversed(messages))
    assert total.read == len(messages) == total.accepted + total.duplicates + total.rejected
    assert total.accepted == len(firsts)
    kept = [event for event in read_events(ledger, range(1, newest_event(ledger) + 1)) if event.tenant == run]
    assert {(int(event.id), int(event.data["text"])) for event in kept} == set(firsts.items())
