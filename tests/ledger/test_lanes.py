"""Lanes: of a burst one batch asks for a lane, and none that is ready waits for a lane that nobody asked for."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.batches import BatchState
from contracts.events import Priority
from ledger.claims import claim_next
from ledger.lanes import (
    COMES_WITHIN,
    ask_for_another,
    ask_for_lanes,
    enter_lane,
    leave_lane,
    unattended_levels,
)
from ledger.signals import forget_signals, take_signals
from ledger.transitions import Settlement, settle_batch

HIGH, LOW = Priority.HIGH, Priority.LOW


@pytest.fixture
def told(ledger, make):
    """What has been told since the last time: each signal's name, and what it says of the lane."""

    def since():
        taken = take_signals(ledger, make.now, 1_000)
        forget_signals(ledger, taken)
        return [(one.name, one.payload.get("lane")) for one in taken]

    return since


def test_every_move_of_a_batch_is_told_without_a_word_of_its_content(ledger, make, fill):
    """From its first state to its last, with what automations are made of; no user, no reason."""
    batch = fill.ready(ledger, ["My name is Ada and I am furious."], user="ada", now=make.now)
    work = claim_next(ledger, lease_id="l", owner="w", now=make.now, lease_for=make.minute)
    settle_batch(ledger, batch, work.lease, Settlement(BatchState.DONE, "all is well"), make.now)
    signals = take_signals(ledger, make.now)
    assert [one.name for one in signals] == ["batch.ready", "batch.running", "batch.done"]
    assert {one.about for one in signals} == {batch}
    assert signals[1].payload == {
        "tenant": work.batch.tenant,
        "level": "HIGH",
        "scope": work.batch.scope.value,
        "pipeline": "insights",
        "from": "READY",
        "to": "RUNNING",
    }
    assert "ada" not in str(signals).lower()


def test_of_a_burst_one_batch_asks_for_a_lane(ledger, make, told):
    """The others find that it is on its way; each level has its own."""
    for number in range(5):
        make.ready(ledger, tenant=f"t-{number}")
    assert told() == [("batch.ready", "wanted"), *[("batch.ready", "at work")] * 4]
    make.ready(ledger, tenant="low", level=LOW)
    assert told() == [("batch.ready", "wanted")]


def test_a_lane_that_never_came_is_asked_for_again(ledger, make, told):
    """By the next batch, or by whoever looks, once its time is over."""
    make.ready(ledger)
    assert told() == [("batch.ready", "wanted")]
    assert ask_for_lanes(ledger, make.now) == ()
    assert ask_for_lanes(ledger, make.now + COMES_WITHIN) == (HIGH,)
    ask_for_another(ledger, HIGH, make.now)
    assert told() == [("lane.wanted", "wanted")]


def test_a_level_that_is_only_ever_asked_for_is_unattended(ledger, make):
    """Whoever asks every few seconds where events start nothing hides nothing from the sweep."""
    make.ready(ledger)
    assert unattended_levels(ledger, make.now) == ()
    later = make.now + COMES_WITHIN
    assert ask_for_lanes(ledger, later) == (HIGH,)
    assert unattended_levels(ledger, later) == (HIGH,)
    assert ask_for_lanes(ledger, later) == ()
    enter_lane(ledger, HIGH, "me", later + make.minute)
    assert unattended_levels(ledger, later) == ()
    assert unattended_levels(ledger, later + make.minute) == (HIGH,)


def test_nobody_leaves_a_lane_while_batches_of_its_level_are_ready(ledger, make, told):
    """Unless the process ends; of other levels there may be as many as there will."""
    enter_lane(ledger, HIGH, "me", make.now + make.minute)
    make.ready(ledger, tenant="low", level=LOW)
    make.ready(ledger)
    assert told() == [("batch.ready", "wanted"), ("batch.ready", "at work")]
    assert not leave_lane(ledger, HIGH, "me")
    assert leave_lane(ledger, HIGH, "me", whatever_waits=True)
    assert ask_for_lanes(ledger, make.now) == (HIGH,)
    claim_next(ledger, lease_id="l", owner="me", now=make.now, lease_for=make.minute)
    enter_lane(ledger, HIGH, "me", make.now + make.minute)
    assert leave_lane(ledger, HIGH, "me")


def test_a_batch_that_comes_as_the_lane_is_left_is_found_or_asks_for_another(ledger, make, told):
    """Whichever is first: a lane that was left without it has its successor asked for."""
    enter_lane(ledger, HIGH, "me", make.now + make.minute)
    with ThreadPoolExecutor(2) as threads:
        comes = threads.submit(make.ready, ledger)
        leaves = threads.submit(leave_lane, ledger, HIGH, "me")
        comes.result()
        has_left = leaves.result()
    assert told() == [("batch.ready", "wanted" if has_left else "at work")]
