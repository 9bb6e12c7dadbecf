"""The state machine: only the declared moves, only by whom they belong to, all of them in the history."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contracts.batches import FINISHED, RESUMABLE, BatchState
from ledger.batches import batch_diagnosis, batch_history, read_batch
from ledger.claims import claim, claim_next, release_leases, renew_lease
from ledger.due import count_ready, next_due, release_due
from ledger.errors import IllegalTransitionError, LeaseLostError, UnknownBatchError
from ledger.transitions import ALLOWED, Settlement, settle_batch, transition

SETTLED = sorted(ALLOWED[BatchState.RUNNING] - {BatchState.READY})
PARKED = sorted(set(SETTLED) - FINISHED)


@pytest.mark.parametrize("state", SETTLED)
def test_a_settled_batch_says_where_it_stands_and_why(ledger, make, state):
    """Every end of a run is one move with its time and reason, and it can be repeated without harm."""
    work = make.claimed(ledger)
    for _ in range(2):
        settle_batch(
            ledger,
            work.batch.id,
            work.lease,
            Settlement(state, "so it is", diagnosis={"summary": "s"}),
            make.now,
        )
    batch = read_batch(ledger, work.batch.id)
    assert (batch.state, batch.reason) == (state, "so it is")
    assert [step.to_state for step in batch_history(ledger, batch.id)] == ["READY", "RUNNING", state]
    assert batch_diagnosis(ledger, batch.id) == {"summary": "s"}


@pytest.mark.parametrize("state", sorted(BatchState))
def test_a_finished_batch_never_moves_again(ledger, make, state):
    """From DONE no state can be reached, with the lease or without."""
    work = make.claimed(ledger)
    settle_batch(ledger, work.batch.id, work.lease, Settlement(BatchState.DONE, "done"), make.now)
    with pytest.raises(IllegalTransitionError, match="it is finished"):
        transition(ledger, work.batch.id, state, reason="again", now=make.now)
    if state is not BatchState.DONE:
        with pytest.raises(IllegalTransitionError, match="is DONE"):
            settle_batch(ledger, work.batch.id, work.lease, Settlement(state, "again"), make.now)


@pytest.mark.parametrize("state", PARKED)
def test_a_parked_batch_can_be_made_ready(ledger, make, state):
    """What waits for something outside goes on when someone says so, and can be claimed again."""
    work = make.claimed(ledger)
    settle_batch(ledger, work.batch.id, work.lease, Settlement(state, "waiting"), make.now)
    transition(ledger, work.batch.id, BatchState.READY, reason="the answers came", now=make.now)
    assert (
        claim(ledger, work.batch.id, lease_id="l2", owner="w", now=make.now, lease_for=make.minute)
        is not None
    )


def test_only_a_claim_makes_a_batch_running(ledger, make):
    """RUNNING without a lease is refused."""
    identity = make.ready(ledger)
    with pytest.raises(IllegalTransitionError, match="READY and cannot become RUNNING"):
        transition(ledger, identity, BatchState.RUNNING, reason="hurry", now=make.now)


def test_a_running_batch_is_moved_only_by_its_lease(ledger, make):
    """Neither nobody nor another lease ends a run."""
    work = make.claimed(ledger)
    with pytest.raises(IllegalTransitionError, match="is RUNNING"):
        transition(ledger, work.batch.id, BatchState.READY, reason="mine", now=make.now)
    with pytest.raises(LeaseLostError, match="with worker"):
        settle_batch(ledger, work.batch.id, "other", Settlement(BatchState.DONE, "mine"), make.now)


def test_an_unknown_batch_cannot_be_moved(ledger, make):
    """A wrong id is named, not ignored."""
    with pytest.raises(UnknownBatchError, match="'b-none'"):
        settle_batch(ledger, "b-none", "l", Settlement(BatchState.DONE, "done"), make.now)


class Machine(RuleBasedStateMachine):
    """One batch under random claims, settlements, releases and passing time, against a plain model of it."""

    ledger = None
    make = None
    number = 0

    def __init__(self):
        super().__init__()
        Machine.number += 1
        self.now = self.make.now
        self.id = self.make.ready(self.ledger, f"machine-{Machine.number}", now=self.now, events=1)
        self.state, self.lease, self.until, self.resume_at = BatchState.READY, None, None, None
        self.leases, self.moves = 0, 1

    def moved(self, state, resume_at=None):
        """Note a move in the model."""
        self.state, self.resume_at = state, resume_at
        self.moves += 1

    @rule(minutes=st.integers(1, 5))
    def claims(self, minutes):
        """A claim succeeds exactly when the batch is READY."""
        self.leases += 1
        lease, term = f"{self.id}-{self.leases}", timedelta(minutes=minutes)
        work = claim(self.ledger, self.id, lease_id=lease, owner="w", now=self.now, lease_for=term)
        assert (work is not None) == (self.state is BatchState.READY)
        if work is not None:
            self.moved(BatchState.RUNNING)
            self.lease, self.until = lease, self.now + term

    @rule(
        state=st.sampled_from(sorted(BatchState)), minutes=st.none() | st.integers(0, 4), is_own=st.booleans()
    )
    def settles(self, state, minutes, is_own):
        """A settlement succeeds exactly for the holder of a RUNNING batch, or as a repetition."""
        lease = self.lease if is_own and self.lease else "stolen"
        resume_at = None if minutes is None else self.now + timedelta(minutes=minutes)
        holds = lease == self.lease
        try:
            settle_batch(
                self.ledger, self.id, lease, Settlement(state, "settled", resume_at=resume_at), self.now
            )
        except LeaseLostError:
            assert not holds
        except IllegalTransitionError:
            assert holds
            assert self.state is not BatchState.RUNNING or state not in ALLOWED[BatchState.RUNNING]
        else:
            assert holds
            if self.state is BatchState.RUNNING and state is not BatchState.RUNNING:
                self.moved(state, resume_at)
            assert self.state is state

    @rule(state=st.sampled_from(sorted(BatchState)))
    def is_moved(self, state):
        """A move without lease follows the table, never out of or into RUNNING."""
        allowed = self.state is not BatchState.RUNNING and state in ALLOWED[self.state] - {BatchState.RUNNING}
        try:
            transition(self.ledger, self.id, state, reason="moved", now=self.now)
        except IllegalTransitionError:
            assert not allowed
        else:
            assert allowed
            self.moved(state, self.resume_at)

    @precondition(lambda self: self.lease is not None)
    @rule(minutes=st.integers(1, 5))
    def renews(self, minutes):
        """A lease is renewed exactly while it holds the batch."""
        until = self.now + timedelta(minutes=minutes)
        held = renew_lease(self.ledger, [self.lease], until)
        assert bool(held) == (self.state is BatchState.RUNNING)
        if held:
            self.until = until

    @rule(minutes=st.integers(0, 6))
    def time_passes(self, minutes):
        """What is due becomes READY, and nothing else."""
        self.now += timedelta(minutes=minutes)
        due = (self.state is BatchState.RUNNING and self.until <= self.now) or (
            self.state in RESUMABLE and self.resume_at is not None and self.resume_at <= self.now
        )
        assert release_due(self.ledger, self.now) == due
        if due:
            self.moved(BatchState.READY)
            self.lease = None

    @invariant()
    def ledger_agrees(self):
        """The ledger's state is the model's, and its history an unbroken chain of allowed moves."""
        history = batch_history(self.ledger, self.id)
        assert read_batch(self.ledger, self.id).state is self.state
        assert len(history) == self.moves
        assert all(step.to_state in ALLOWED[step.from_state] for step in history)
        assert all(a.to_state is b.from_state for a, b in pairwise(history))

    def teardown(self):
        """Leave nothing that a later machine's release could find."""
        if self.state is BatchState.RUNNING:
            settle_batch(self.ledger, self.id, self.lease, Settlement(BatchState.DONE, "over"), self.now)
        elif self.state in RESUMABLE:
            transition(self.ledger, self.id, BatchState.READY, reason="over", now=self.now)


def test_no_sequence_of_operations_leaves_the_state_machine(ledger, make):
    """Whatever is tried in whatever order, the batch moves as declared and its history is unbroken."""
    bound = type("Bound", (Machine,), {"ledger": ledger, "make": make})
    run_state_machine_as_test(
        bound,
        settings=settings(max_examples=20, stateful_step_count=15, suppress_health_check=list(HealthCheck)),
    )


def test_due_batches_become_ready_with_their_reasons(ledger, make):
    """A HELD and a PENDING batch whose time came, and a RUNNING one whose lease ran out, are READY again."""
    held, pending, later, lost = (make.claimed(ledger, number, lease=f"l{number}") for number in range(4))
    for work, state, minutes in ((held, "HELD", 1), (pending, "PENDING", 2), (later, "HELD", 30)):
        at = make.now + minutes * make.minute
        settle_batch(
            ledger, work.batch.id, work.lease, Settlement(BatchState(state), "stop", resume_at=at), make.now
        )
    assert next_due(ledger) == make.now + make.minute
    assert release_due(ledger, make.now) == 0
    assert release_due(ledger, make.now + 10 * make.minute) == 3
    assert count_ready(ledger) == 3
    assert [batch_history(ledger, work.batch.id)[-1].reason for work in (held, pending, lost)] == [
        "the time to leave HELD came",
        "the time to leave PENDING came",
        "the lease of worker ran out",
    ]
    assert next_due(ledger) == make.now + 30 * make.minute
    assert read_batch(ledger, later.batch.id).resume_at == make.now + 30 * make.minute


def test_nothing_is_due_in_an_empty_ledger(ledger, make):
    """No batch, no time to wait for."""
    assert (next_due(ledger), release_due(ledger, make.now), count_ready(ledger)) == (None, 0, 0)


def test_a_dead_workers_batch_is_continued_by_another(ledger, make):
    """Once the lease ran out the next worker has the batch, and the first one's results are refused."""
    work = make.claimed(ledger)
    late = make.now + 10 * make.minute
    release_due(ledger, late)
    again = claim_next(ledger, lease_id="lease-2", owner="second", now=late, lease_for=make.minute)
    assert again.batch.id == work.batch.id
    assert renew_lease(ledger, [work.lease, again.lease], late + make.minute) == {again.lease}
    with pytest.raises(LeaseLostError, match="with second"):
        settle_batch(ledger, work.batch.id, work.lease, Settlement(BatchState.DONE, "done"), late)


def test_a_lease_given_back_frees_the_batch_at_once(ledger, make):
    """A worker that stops returns what it holds, for anyone; what has ended or is another's stays as it is."""
    work, done = make.claimed(ledger), make.claimed(ledger, 2, lease="lease-2")
    settle_batch(ledger, done.batch.id, done.lease, Settlement(BatchState.DONE, "all is made"), make.now)
    leases = {work.batch.id: work.lease, done.batch.id: done.lease, "b-none": "lease-3"}
    assert release_leases(ledger, leases, reason="the worker stops", now=make.now) == {work.batch.id}
    assert release_leases(ledger, leases, reason="the worker stops", now=make.now) == frozenset()
    assert read_batch(ledger, work.batch.id).state is BatchState.READY
    assert read_batch(ledger, done.batch.id).state is BatchState.DONE
    assert renew_lease(ledger, [work.lease], make.now) == frozenset()
