"""Circuit breakers: shared by all processes, one probe at a time, and what is HELD behind one goes on by itself."""

from datetime import timedelta

import pytest

from contracts.batches import BatchState
from ledger.batches import read_batch
from ledger.breakers import BreakerRules, BreakerState, read_breakers
from ledger.call_rules import CallHeldError, CallRules, RetryBudget
from ledger.claims import claim
from ledger.due import is_release_due, release_due
from ledger.holds import held_by_model
from ledger.signals import take_signals
from ledger.transitions import Settlement, settle_batch
from ledger.work import begin_call, settle_call, store_draft

COOL = timedelta(seconds=30)
RULES = CallRules(
    BreakerRules(failures=3, cool_down=COOL, longest=3 * COOL), RetryBudget(0.2, 2, timedelta(minutes=1))
)


@pytest.fixture
def calls(ledger, make):
    """Calls by number: begun, failed and answered under `RULES`."""

    class Calls:
        def begin(self, number, now=make.now, **fields):
            return begin_call(ledger, make.call("b-1", number, started_at=now, **fields), RULES)

        def settle(self, number, outcome, now=make.now):
            settle_call(ledger, f"call-{number}", outcome, now, RULES)

        def fail(self, number, now=make.now, **fields):
            self.begin(number, now, **fields)
            self.settle(number, make.failure(), now)

        def state(self):
            return [(one.model, one.state, one.failures) for one in read_breakers(ledger)]

    return Calls()


@pytest.fixture
def opened(calls):
    """The breaker of model-1, opened by three failures; its calls."""
    for number in range(3):
        calls.fail(number)
    return calls


def test_failures_one_after_another_open_the_breaker(ledger, make, opened):
    """No call begins, nothing is recorded, and the error names model, cause and hold."""
    assert opened.state() == [("model-1", BreakerState.OPEN, 3)]
    with pytest.raises(
        CallHeldError, match=r"model-1 does not answer \(Overloaded.*; its breaker is OPEN"
    ) as held:
        opened.begin(9)
    assert held.value.hold == held_by_model("model-1")
    assert opened.begin(9, model="model-2") is None
    assert [one.name for one in take_signals(ledger, make.now)] == ["breaker.opened"]


def test_an_answer_between_failures_keeps_it_closed(make, calls):
    """Only what fails in a row counts; a request to slow down and a refusal are answers."""
    for number, kind in enumerate(("throttled", "rejected", "refused", "invalid")):
        calls.fail(10 * number)
        calls.fail(10 * number + 1)
        calls.begin(10 * number + 2)
        calls.settle(10 * number + 2, make.failure().model_copy(update={"kind": kind}))
    assert calls.state() == [("model-1", BreakerState.CLOSED, 0)]


def test_an_answer_stored_with_its_draft_counts_as_one(ledger, make, calls):
    """However an answer is settled, it ends the row of failures."""
    batch = make.ready(ledger)
    calls.fail(1)
    calls.fail(2)
    begin_call(ledger, make.call(batch, 3), RULES)
    store_draft(ledger, batch, make.draft(), make.now, settle=("call-3", make.reply()))
    assert calls.state() == [("model-1", BreakerState.CLOSED, 0)]


def test_one_probe_goes_when_the_time_has_come(ledger, make, opened):
    """The others wait for what becomes of it; it closes the breaker for all."""
    later = make.now + COOL
    assert opened.begin(10, later) is None
    with pytest.raises(CallHeldError, match="HALF_OPEN"):
        opened.begin(11, later)
    opened.settle(10, make.reply(), later)
    assert opened.state() == [("model-1", BreakerState.CLOSED, 0)]
    assert opened.begin(11, later) is None
    names = [one.name for one in take_signals(ledger, later)]
    assert names == ["breaker.opened", "breaker.half_open", "breaker.closed"]


def test_a_failed_probe_opens_it_for_twice_as_long(make, opened):
    """Up to the longest: 30, 60, 90 and 90 seconds here."""
    now = make.now
    for number, cool in enumerate((1, 2, 3, 3), start=10):
        with pytest.raises(CallHeldError):
            opened.begin(number, now + cool * COOL - timedelta(microseconds=1))
        now += cool * COOL
        opened.fail(number, now)
    assert opened.state()[0][1] is BreakerState.OPEN


def test_a_probe_that_never_comes_back_is_replaced(make, opened):
    """Its process died: after the probe's time another call is elected, and the late answer changes nothing."""
    later = make.now + COOL
    opened.begin(10, later)
    opened.begin(11, later + RULES.breaker.probe_time)
    opened.settle(10, make.reply(), later)
    assert opened.state()[0][1] is BreakerState.HALF_OPEN
    opened.settle(11, make.reply(), later)
    assert opened.state()[0][1] is BreakerState.CLOSED


def test_calls_that_were_out_when_it_opened_do_not_open_it_longer(make, calls):
    """Their failures come late; the first opening stands."""
    for number in range(6):
        calls.begin(number)
    for number in range(6):
        calls.settle(number, make.failure(), make.now)
    assert calls.begin(10, make.now + COOL) is None


def test_only_one_process_gets_the_probe(ledger_url, workers, opened):
    """Elected by a conditional write: of many processes at once one goes."""
    assert opened.state()[0][1] is BreakerState.OPEN
    assert sum(answer["began"] for answer in workers("probe", ledger_url)) == 1


def held(ledger, make, number, name="model-1"):
    """A batch HELD behind the breaker of the model."""
    work = make.claimed(ledger, number, lease=f"l{number}")
    end = Settlement(BatchState.HELD, "waits", hold=held_by_model(name))
    settle_batch(ledger, work.batch.id, work.lease, end, make.now)
    return work.batch.id


def test_batches_behind_a_breaker_go_on_by_themselves(ledger, make, opened):
    """One when the probe's time comes, all of them when it has closed; those of another model at once."""
    batches = [held(ledger, make, number) for number in (1, 2, 3)]
    other = held(ledger, make, 4, "model-2")
    assert is_release_due(ledger, make.now)
    assert release_due(ledger, make.now) == 1
    assert read_batch(ledger, other).state is BatchState.READY
    assert not is_release_due(ledger, make.now)
    later = make.now + COOL
    assert release_due(ledger, later) == 1
    assert read_batch(ledger, batches[0]).state is BatchState.READY
    opened.begin(10, later)
    assert release_due(ledger, later) == 0
    opened.settle(10, make.reply(), later)
    assert release_due(ledger, later) == 2
    assert claim(ledger, batches[2], lease_id="l", owner="w", now=later, lease_for=make.minute) is not None


def test_a_spent_retry_budget_makes_retries_wait_and_nothing_else(make, calls):
    """A model's retries of the window are counted over everything; first attempts go."""
    for number in range(2):
        calls.begin(number, attempt=2)
    with pytest.raises(CallHeldError, match="too many calls of model-1 had to be repeated") as spent:
        calls.begin(5, attempt=3)
    assert spent.value.resume_at == make.now + RULES.retries.window
    assert spent.value.hold is None
    assert calls.begin(5) is None
    assert calls.begin(6, attempt=2, model="model-2") is None
    assert calls.begin(7, make.now + RULES.retries.window, attempt=2) is None


def test_the_retry_budget_grows_with_the_calls(calls):
    """A fifth of the calls may be retries, however many there are."""
    for number in range(20):
        calls.begin(number)
    for number in range(20, 25):
        assert calls.begin(number, attempt=2) is None
    with pytest.raises(CallHeldError):
        calls.begin(25, attempt=2)
