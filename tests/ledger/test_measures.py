"""What is measured of the last minutes: queues by level, stages by what their calls and items came to."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.calls import CallFailure, CallIdentity, Purpose, Reply, Usage
from contracts.events import Priority
from ledger.claims import claim_next
from ledger.measures import measures, nearest_rank
from ledger.work import Draft, ScoreRow, begin_call, settle_call, store_draft, store_verdict

WINDOW = timedelta(minutes=5)


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1))
def test_percentiles_are_values_that_were_measured(values, share):
    """As numpy's inverted empirical distribution has them."""
    ordered = sorted(values)
    assert nearest_rank(ordered, share) == np.quantile(ordered, share, method="inverted_cdf")


def test_of_nothing_there_is_no_percentile():
    """And not a zero, which would be a very quick call."""
    assert nearest_rank([], 0.5) is None


@pytest.fixture
def call(ledger, make):
    """Makes one call of a batch: answered after so many seconds, or failed."""
    number = iter(range(1_000))

    def made(batch, *, seconds=None, ago=timedelta(), stage="insights"):
        name = f"call-{next(number)}"
        identity = CallIdentity(
            id=name,
            batch=batch,
            tenant="acme",
            user=None,
            feature="app",
            pipeline="insights",
            stage=stage,
            item="report",
            purpose=Purpose.GENERATE,
            model="m",
            prompt_version="v",
            rubric_version=None,
            request_hash=name,
            attempt=1,
            started_at=make.now - ago,
        )
        begin_call(ledger, identity)
        if seconds is None:
            outcome = CallFailure(error="Overloaded", message="busy", kind="transient", latency_ms=5.0)
        else:
            outcome = Reply(
                text="{}",
                model="m",
                stop_reason="end_turn",
                usage=Usage(input_tokens=300, output_tokens=100),
                cost_usd=Decimal("0.02"),
                latency_ms=seconds * 1000,
            )
        settle_call(ledger, name, outcome, make.now - ago)

    return made


def item(ledger, make, batch, name, verdict):
    """A judged item of the stage `insights`."""
    draft = Draft(
        item=name,
        stage="insights",
        kind="insight",
        form="report",
        output_type="InsightReport",
        content={},
        prompt="insights",
        prompt_version="v",
        model="m",
    )
    store_draft(ledger, batch, draft, make.now)
    row = ScoreRow("tone", 0.9, 0.7, True, "fine", "j", "r")
    store_verdict(ledger, batch, name, verdict, [row], make.now)


def test_a_stage_is_measured_by_its_calls_and_items_of_the_window(ledger, make, call):
    """Latencies of answered calls; tokens and USD for each item that passed, failures among their cost."""
    batch = make.ready(ledger)
    for seconds in (1.0, 2.0, 3.0, 4.0):
        call(batch, seconds=seconds)
    call(batch)
    call(batch, seconds=99.0, ago=2 * WINDOW)
    for number in range(2):
        item(ledger, make, batch, f"good-{number}", "passed")
    item(ledger, make, batch, "bad", "failed")
    (stage,) = measures(ledger, make.now, WINDOW).stages
    assert (stage.stage, stage.calls_a_minute) == ("insights", 1.0)
    assert (stage.p50_s, stage.p95_s, stage.p99_s) == (2.0, 4.0, 4.0)
    assert (stage.answered, stage.failed, stage.passed, stage.refused, stage.dead) == (4, 1, 2, 1, 0)
    assert stage.tokens == 800
    assert stage.usd == pytest.approx(0.04)


def test_a_level_is_measured_by_what_waits_and_for_how_long(ledger, make):
    """Ready, in work, and how long the one has waited that waits longest."""
    for _ in range(3):
        make.ready(ledger, tenant=f"t-{_}")
    make.ready(ledger, tenant="low", level=Priority.LOW)
    claim_next(ledger, lease_id="l", owner="w", now=make.now, lease_for=make.minute)
    found = {queue.level: queue for queue in measures(ledger, make.now + make.minute, WINDOW).queues}
    high, medium, low = found[Priority.HIGH], found[Priority.MEDIUM], found[Priority.LOW]
    assert (high.ready, high.running, high.longest_s) == (2, 1, 60.0)
    assert (low.ready, low.longest_s) == (1, 60.0)
    assert (medium.ready, medium.running, medium.waiting, medium.longest_s) == (0, 0, 0, 0.0)


def test_an_empty_ledger_has_queues_and_no_stages(ledger, make):
    """Nothing is measured of what did not happen."""
    found = measures(ledger, make.now, WINDOW)
    assert found.stages == ()
    assert [queue.ready for queue in found.queues] == [0, 0, 0]
