"""The throttle: never more than the limit in any window, for anyone, however many ask at once."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.items import store_draft
from ledger.throttle import Exhausted, Reserved, free_at, reserve_solutions

DAY = timedelta(hours=24)


@pytest.fixture
def ask(ledger, make):
    """Reserve for a new or known batch of a tenant, `minutes` after the start, under a limit of 5."""
    batches = {}

    def reserve(number, count, minutes=0, tenant="acme"):
        batch = batches.setdefault(
            number, make.ready(ledger, number, events=1) if number not in batches else ""
        )
        now = make.now + minutes * make.minute
        return reserve_solutions(
            ledger, tenant=tenant, batch_id=batch, count=count, limit=5, window=DAY, now=now
        )

    reserve.batches = batches
    return reserve


def test_the_window_is_full_at_its_limit_until_it_frees(ask, make):
    """What is over the limit waits exactly until enough of the window is free, then is granted."""
    assert ask(1, 3) == Reserved(3)
    assert ask(2, 2, minutes=10) == Reserved(2)
    assert ask(3, 3, minutes=20) == Exhausted(make.now + DAY)
    assert ask(4, 4, minutes=20) == Exhausted(make.now + DAY + 10 * make.minute)
    day = 24 * 60
    assert ask(3, 3, minutes=day - 1) == Exhausted(make.now + DAY)
    assert ask(3, 3, minutes=day) == Reserved(3)


def test_a_batch_keeps_its_reservation(ask, make):
    """Asked again, by a batch that was interrupted, the same slots are not taken twice."""
    assert ask(1, 5) == Reserved(5)
    assert ask(1, 5, minutes=10) == Reserved(5)
    assert ask(2, 1, minutes=20) == Exhausted(make.now + DAY)


def test_a_reservation_older_than_the_window_is_counted_anew(ask, make):
    """Interrupted before it made anything and resumed days later, a batch takes room of the window it works in."""
    day = 24 * 60
    assert ask(1, 5) == Reserved(5)
    assert ask(1, 5, minutes=2 * day) == Reserved(5)
    assert ask(2, 1, minutes=2 * day + 1) == Exhausted(make.now + 3 * DAY)


def test_a_reservation_is_not_larger_than_what_was_reserved(ask, make):
    """A batch that wants more than it reserved is asked to fit again; what it has keeps counting until then."""
    assert ask(1, 2) == Reserved(2)
    assert ask(2, 2) == Reserved(2)
    assert ask(1, 4, minutes=10) == Exhausted(make.now + DAY)
    assert ask(1, 3, minutes=10) == Reserved(3)
    assert ask(3, 1, minutes=20) == Exhausted(make.now + DAY)


def test_what_a_batch_has_made_counts_beside_what_it_still_wants(ask, ledger, make):
    """Two of three made: one more is its own, two more are not."""
    assert ask(1, 3) == Reserved(3)
    for number in range(2):
        draft = make.draft(f"solution.{number}", stage="solutions", kind="solution", form="document")
        store_draft(ledger, ask.batches[1], draft, make.now)
    assert ask(1, 1, minutes=1) == Reserved(1)
    assert ask(2, 2, minutes=1) == Reserved(2)
    assert ask(1, 2, minutes=1) == Exhausted(make.now + DAY)


def test_tenants_have_windows_of_their_own(ask):
    """One tenant's spending leaves another's limit whole."""
    assert ask(1, 5) == Reserved(5)
    assert ask(2, 5, tenant="bolt") == Reserved(5)


def test_nothing_wanted_is_always_granted(ask):
    """A batch without solutions is not held up by a full window."""
    assert ask(1, 5) == Reserved(5)
    assert ask(2, 0) == Reserved(0)


@pytest.mark.parametrize("count", [6, -1])
def test_what_no_wait_could_free_is_refused(ask, count):
    """More than the limit, or less than nothing, is an error that says what to do."""
    with pytest.raises(ValueError, match="raise the limit or make smaller batches"):
        ask(1, count)


def test_exactly_the_limit_is_granted_to_any_number_of_processes(ledger, ledger_url, make, workers):
    """Three processes asking for 30 batches under a limit of 10 are granted 10 in all."""
    for number in range(30):
        make.ready(ledger, number, events=1)
    assert sum(one["granted"] for one in workers("reserve", ledger_url)) == 10


_active = st.lists(st.tuples(st.datetimes(), st.integers(0, 5)), max_size=10).map(sorted)


@given(active=_active, count=st.integers(0, 30), extra=st.integers(0, 20))
def test_the_time_given_is_the_earliest_at_which_the_slots_are_free(active, count, extra):
    """At the answer enough has left the window; just before it, not."""
    limit = count + extra
    at = free_at(active, count, limit, DAY)
    taken = sum(number for _, number in active)
    if at is None:
        assert taken + count <= limit
        return
    assert sum(number for moment, number in active if moment + DAY > at) + count <= limit
    before = at - timedelta.resolution
    assert sum(number for moment, number in active if moment + DAY > before) + count > limit


def test_slots_that_are_never_free_are_an_error():
    """Asking the arithmetic for more than the limit is refused."""
    with pytest.raises(ValueError, match="never free"):
        free_at([], 2, 1, DAY)
