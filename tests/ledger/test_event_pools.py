"""Pools: who is pending for which batches, and what trend analysis sees of them."""

from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import Priority
from ledger.batches import create_batches
from ledger.columns import from_micros, to_micros
from ledger.pending import low_events, pending_events, topic_counts
from ledger.pools import needed_bits
from ledger.promotions import promote_events
from ledger.status import collecting
from tests.ledger.reads import read_events


def test_pending_has_the_columns_the_policy_reads(ledger, make):
    """Names, types and values of the pool are the documented ones, with rows and without."""
    empty = pending_events(ledger)
    make.take_in(ledger, [make.event(1, user="ann", priority=Priority.LOW), make.event(2)])
    pool = pending_events(ledger)
    assert pool.schema == empty.schema
    assert pool.schema == {
        "seq": pl.Int64,
        "key": pl.Binary,
        "tenant": pl.String,
        "user": pl.String,
        "priority": pl.Int8,
        "accepted_at": pl.Datetime("us", "UTC"),
        "tokens": pl.Int64,
        "pipeline": pl.String,
        "batched": pl.Int16,
    }
    assert pool.drop("key").rows() == [
        (1, "acme", "ann", 1, make.now, 40, "insights", 0),
        (2, "acme", None, 3, make.now, 40, "insights", 0),
    ]


@pytest.mark.parametrize(
    ("rank", "has_user", "bits"), [(1, False, 1), (2, False, 3), (3, False, 7), (1, True, 9), (3, True, 63)]
)
def test_the_cascade_decides_which_bits_an_event_needs(rank, has_user, bits):
    """An event joins batches of its own level and every lower one, of its user only where it has one."""
    assert needed_bits(rank, has_user=has_user) == bits


def test_an_event_is_pending_until_its_last_batch(ledger, make):
    """A MEDIUM event with a user leaves the pool only after four batches."""
    seqs = make.take_in(ledger, [make.event(1, user="ann", priority=Priority.MEDIUM)])
    levels = [(None, Priority.MEDIUM), (None, Priority.LOW), ("ann", Priority.MEDIUM), ("ann", Priority.LOW)]
    for user, level in levels:
        assert pending_events(ledger)["seq"].to_list() == seqs
        assert create_batches(ledger, [make.plan(seqs, user=user, level=level)], make.now) == 1
        assert collecting(ledger) == 0
    assert pending_events(ledger).is_empty()


def test_events_are_read_in_ledger_order_and_only_those_asked_for(ledger, make):
    """The order asked in does not matter, and unknown numbers bring nothing."""
    make.take_in(ledger, [make.event(number) for number in range(4)])
    assert [event.id for event in read_events(ledger, [4, 2, 99])] == ["1", "3"]
    assert read_events(ledger, []) == ()


def test_topics_are_counted_per_day_of_happening_or_else_of_intake(ledger, make):
    """Days are those of UTC, before 1970 too, and LOW events are counted apart."""
    early = datetime(1969, 12, 31, 23, 59, tzinfo=UTC)
    late = datetime(2024, 4, 30, 23, 59, 59, 999_999, tzinfo=UTC)
    make.take_in(
        ledger,
        [
            make.event(1, time=early),
            make.event(2, time=late, priority=Priority.LOW),
            make.event(3, time=None, priority=Priority.LOW),
            make.event(4, time=make.now),
            make.event(5, tenant="bolt", topic="bills"),
        ],
    )
    assert topic_counts(ledger).rows() == [
        ("acme", "phones", date(1969, 12, 31), 1, 0),
        ("acme", "phones", date(2024, 4, 30), 1, 1),
        ("acme", "phones", date(2024, 5, 1), 2, 1),
        ("bolt", "bills", date(2024, 5, 1), 1, 0),
    ]


def test_low_events_are_those_in_no_batch(ledger, make):
    """Batched and more urgent events are not offered to trend analysis."""
    low = [make.event(number, priority=Priority.LOW, time=None) for number in (1, 2)]
    seqs = make.take_in(ledger, [*low, make.event(3)])
    create_batches(ledger, [make.plan(seqs[:1], level=Priority.LOW)], make.now)
    assert low_events(ledger).rows() == [(seqs[1], "acme", "phones", None, make.now)]


def test_promotion_raises_low_events_once(ledger, make):
    """Promoted events are HIGH everywhere they are seen; a repeat, other topics and other tenants change nothing."""
    events = [make.event(number, priority=Priority.LOW, user="ann") for number in (1, 2)]
    seqs = make.take_in(ledger, [*events, make.event(3), make.event(4, tenant="bolt", priority=Priority.LOW)])
    assert promote_events(ledger, "acme", "bills", seqs, {"rate": 3.5}, make.now) == 0
    assert promote_events(ledger, "acme", "phones", seqs, {"rate": 3.5}, make.now) == 2
    assert promote_events(ledger, "acme", "phones", seqs, {"rate": 3.5}, make.now) == 0
    assert [event.priority for event in read_events(ledger, seqs)] == ["HIGH", "HIGH", "HIGH", "LOW"]
    assert pending_events(ledger)["priority"].to_list() == [3, 3, 3, 1]
    assert low_events(ledger)["seq"].to_list() == seqs[3:]
    with ledger.connect() as connection:
        kept = connection.exec_driver_sql("SELECT tenant, topic, events, evidence FROM promotions").all()
    assert [tuple(row) for row in kept] == [("acme", "phones", 2, '{"rate":3.5}')]


def test_a_promoted_event_needs_the_batches_of_its_new_level(ledger, make):
    """An event already in its LOW batch is pending again for HIGH and MEDIUM."""
    seqs = make.take_in(ledger, [make.event(1, priority=Priority.LOW)])
    create_batches(ledger, [make.plan(seqs, level=Priority.LOW)], make.now)
    assert pending_events(ledger).is_empty()
    promote_events(ledger, "acme", "phones", seqs, {}, make.now)
    assert pending_events(ledger)["batched"].to_list() == [1]


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001, bounds are naive
def test_times_are_kept_to_the_microsecond(moment):
    """Every aware time makes the round trip through the integer it is stored as."""
    assert from_micros(to_micros(moment)) == moment


def test_a_time_without_a_zone_is_refused(ledger, make):
    """A naive time is an error where it is given, never a guess."""
    with pytest.raises(ValueError, match="has no zone"):
        make.take_in(ledger, [make.event()], now=datetime(2024, 5, 1))  # noqa: DTZ001, the mistake that is tested
