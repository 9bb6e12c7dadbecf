"""The clock is set back or forward by an hour: no batch is two workers', and nothing waits longer than the step."""

from datetime import timedelta
from decimal import Decimal

import pytest

from contracts.batches import BatchState
from contracts.calls import CallFailure, CallIdentity, Purpose, Reply, Usage
from ledger.batches import batch_history
from ledger.breakers import BreakerRules
from ledger.call_rules import CallHeldError, CallRules, RetryBudget
from ledger.claims import claim_next, renew_lease
from ledger.due import next_due, release_due
from ledger.errors import LeaseLostError
from ledger.throttle import Exhausted, Reserved, reserve_solutions
from ledger.transitions import Settlement, settle_batch
from ledger.work import begin_call, calls_in_doubt, settle_call

HOUR = timedelta(hours=1)
LEASE = timedelta(minutes=10)
STEPS = pytest.mark.parametrize("step", [-HOUR, HOUR], ids=["back", "forward"])
DONE = Settlement(BatchState.DONE, "done")
TEXTS = ["The phone is dead."]


def claimed(ledger, lease, now):
    """The next batch, under this lease."""
    return claim_next(ledger, lease_id=lease, owner=f"owner of {lease}", now=now, lease_for=LEASE)


def test_a_claim_stands_when_the_clock_is_set_back(ledger, fill, clock):
    """Nobody else gets the batch, its holder renews and ends it, and the history is in the order of the moves."""
    fill.ready(ledger, TEXTS)
    mine = claimed(ledger, "mine", clock.now)
    clock.advance(hours=-1)
    assert release_due(ledger, clock.now) == 0
    assert claimed(ledger, "theirs", clock.now) is None
    assert renew_lease(ledger, ["mine"], clock.now + LEASE) == {"mine"}
    settle_batch(ledger, mine.batch.id, "mine", DONE, clock.now)
    assert [move.to_state for move in batch_history(ledger, mine.batch.id)][-2:] == ["RUNNING", "DONE"]


def test_a_dead_workers_batch_is_free_after_its_lease_and_the_step_at_the_latest(ledger, fill, clock):
    """Claimed before the clock was set back an hour: an hour and ten minutes later anybody may have it."""
    fill.ready(ledger, TEXTS)
    claimed(ledger, "dead", clock.now)
    clock.advance(hours=-1)
    assert next_due(ledger) - clock.now == HOUR + LEASE
    clock.advance(hours=1, minutes=10)
    assert release_due(ledger, clock.now) == 1
    assert claimed(ledger, "theirs", clock.now) is not None


def test_a_lease_that_a_step_forward_ends_is_lost_to_its_holder_by_name(ledger, fill, clock):
    """The second worker goes on alone: the first can neither renew nor end the batch any more."""
    fill.ready(ledger, TEXTS)
    mine = claimed(ledger, "mine", clock.now)
    clock.advance(hours=1)
    assert release_due(ledger, clock.now) == 1
    theirs = claimed(ledger, "theirs", clock.now)
    assert theirs.batch.id == mine.batch.id
    assert renew_lease(ledger, ["mine"], clock.now + LEASE) == frozenset()
    with pytest.raises(LeaseLostError, match="drop this work"):
        settle_batch(ledger, mine.batch.id, "mine", DONE, clock.now)
    settle_batch(ledger, mine.batch.id, "theirs", DONE, clock.now)


def call(number, clock, **fields) -> CallIdentity:
    """A call that begins now."""
    given = {"batch": "b-1", "tenant": "acme", "user": None, "feature": "app", "pipeline": "insights"}
    given |= {"stage": "insights", "item": "insights", "purpose": Purpose.GENERATE, "model": "model-1"}
    given |= {"prompt_version": "p1", "rubric_version": None, "request_hash": f"hash-{number}"}
    return CallIdentity(**given | {"id": f"call-{number}", "started_at": clock.now} | fields)


@STEPS
def test_an_answer_that_was_kept_is_found_whatever_the_clock_says(ledger, clock, reply, step):
    """Asked, answered and asked again after the step: the answer is there, and no call begins."""
    assert begin_call(ledger, call(1, clock)) is None
    clock.now += step
    settle_call(ledger, "call-1", reply, clock.now)
    clock.now -= 2 * step
    assert begin_call(ledger, call(2, clock, request_hash="hash-1")) == reply
    assert calls_in_doubt(ledger) == ()


RULES = CallRules(BreakerRules(failures=1, cool_down=timedelta(seconds=30)), RetryBudget(least=1, share=0))
FAILED = CallFailure(error="Overloaded", message="busy", kind="transient")


def test_an_open_breaker_lets_its_probe_go_after_cool_down_and_step_at_the_latest(ledger, clock):
    """Set back, it stays shut for an hour and its half minute, and not a moment longer; set forward, one call goes."""
    begin_call(ledger, call(1, clock), RULES)
    settle_call(ledger, "call-1", FAILED, clock.now, RULES)
    clock.advance(hours=-1)
    with pytest.raises(CallHeldError, match="does not answer"):
        begin_call(ledger, call(2, clock), RULES)
    clock.advance(hours=1, seconds=30)
    assert begin_call(ledger, call(3, clock), RULES) is None
    with pytest.raises(CallHeldError, match="its breaker is"):
        begin_call(ledger, call(4, clock), RULES)


def test_retries_that_the_clock_puts_into_the_future_hold_no_others_back(ledger, clock):
    """A budget spent before the clock was set back is not spent for the hour after it."""
    begin_call(ledger, call(1, clock, attempt=2), RULES)
    with pytest.raises(CallHeldError, match="had to be repeated"):
        begin_call(ledger, call(2, clock, attempt=2), RULES)
    clock.advance(hours=-1)
    assert begin_call(ledger, call(3, clock, attempt=2), RULES) is None


def test_a_spent_throttle_stays_spent_and_frees_after_window_and_step_at_the_latest(ledger, fill, clock):
    """Setting the clock back buys nobody a solution, and costs no tenant more than the step."""
    window = {"tenant": "acme", "count": 1, "limit": 1, "window": HOUR}
    first, second = (fill.ready(ledger, TEXTS) for _ in range(2))
    assert reserve_solutions(ledger, batch_id=first, now=clock.now, **window) == Reserved(1)
    clock.advance(hours=-1)
    held = reserve_solutions(ledger, batch_id=second, now=clock.now, **window)
    assert held == Exhausted(clock.now + 2 * HOUR)
    assert reserve_solutions(ledger, batch_id=second, now=held.resume_at, **window) == Reserved(1)


def test_a_held_batch_goes_on_after_its_hold_and_the_step_at_the_latest(ledger, fill, clock):
    """HELD for five minutes, then the clock goes back an hour: an hour and five minutes later it is READY."""
    fill.ready(ledger, TEXTS)
    work = claimed(ledger, "mine", clock.now)
    hold = Settlement(BatchState.HELD, "the judge is out", resume_at=clock.now + timedelta(minutes=5))
    settle_batch(ledger, work.batch.id, "mine", hold, clock.now)
    clock.advance(hours=-1)
    assert release_due(ledger, clock.now) == 0
    clock.advance(hours=1, minutes=5)
    assert release_due(ledger, clock.now) == 1


@pytest.fixture(scope="module")
def reply() -> Reply:
    """A paid answer."""
    return Reply(
        text="{}",
        model="model-1x",
        stop_reason="end_turn",
        usage=Usage(),
        cost_usd=Decimal(0),
        latency_ms=1.0,
    )
