"""What processes tell each other of the throttle's slots: wishes that end, leases that one alone takes away."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ledger.slots import (
    SlotLease,
    forget_slot_lease,
    forget_wish,
    note_slot_lease,
    slot_leases_of,
    wish_for_slots,
)

LIMIT = "requests"


@pytest.fixture
def wish(ledger, make):
    """Wishes for slots, by default for a minute."""

    def wished(owner, wanted, *, limit=LIMIT, minutes=1, after=0):
        now = make.now + after * make.minute
        return wish_for_slots(ledger, limit, owner, wanted, until=now + minutes * make.minute, now=now)

    return wished


def lease(make, name="one", **fields):
    """A lease of eight slots."""
    given = {"limit_name": LIMIT, "owner": "a", "process": "host:1", "slots": 8}
    given |= {"request_s": 2.5, "until": make.now}
    return SlotLease(name, **given | fields)


def test_everybody_learns_what_all_want_of_the_same_limit(wish):
    """A later wish replaces an earlier one; those for another limit are another matter."""
    assert wish("a", 4) == {"a": 4}
    wish("c", 9, limit="tokens")
    assert wish("b", 2) == {"a": 4, "b": 2}
    assert wish("a", 7) == {"a": 7, "b": 2}


def test_a_wish_ends_with_its_time_or_with_its_owner(ledger, wish):
    """Who has died wants nothing any more, a minute later; who leaves says so."""
    wish("dead", 4)
    wish("gone", 5, minutes=9)
    assert wish("b", 2, after=1) == {"gone": 5, "b": 2}
    forget_wish(ledger, LIMIT, "gone")
    assert wish("b", 2, after=1) == {"b": 2}


def test_leases_are_kept_and_extended_and_told_by_limit(ledger, make):
    """Noted again, a lease has its new end and is still one."""
    one, other = lease(make), lease(make, "other", limit_name="tokens")
    for each in (one, other, replace(one, until=make.now + make.minute)):
        note_slot_lease(ledger, each)
    assert slot_leases_of(ledger, LIMIT) == (replace(one, until=make.now + make.minute),)
    assert slot_leases_of(ledger, "tokens") == (other,)


def test_of_many_who_take_a_dead_process_lease_away_one_does(ledger, make):
    """Its slots are given back to the server once: twice would take them from whoever has them then."""
    note_slot_lease(ledger, lease(make))
    with ThreadPoolExecutor(8) as threads:
        ended = list(threads.map(lambda _: forget_slot_lease(ledger, "one"), range(8)))
    assert sorted(ended) == [False] * 7 + [True]
    assert slot_leases_of(ledger, LIMIT) == ()
