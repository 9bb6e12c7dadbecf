"""Status: counts that add up, over all time and since a moment."""

from ledger.deliveries import commit_batch
from ledger.status import collecting, gate_failures, status
from ledger.work import begin_call, settle_call, store_draft, store_verdict


def test_an_empty_ledger_has_zeroes_everywhere(ledger):
    """Every key is there before anything happened."""
    assert status(ledger) == {
        "events": {"accepted": 0, "duplicates": 0, "rejected": 0},
        "batches": {"total": 0, "by_state": {}, "by_level": {}, "by_scope": {}},
        "deliverables": {"total": 0, "by_kind": {}},
        "calls": 0,
        "cost_usd": 0.0,
    }


def test_status_counts_everything_or_what_happened_since(ledger, make):
    """Since a moment only what happened then or later counts; an old batch that moved counts too."""
    later = make.now + make.minute
    old, moved = make.ready(ledger, 1), make.claimed(ledger, 2)
    commit_batch(
        ledger, moved.batch.id, moved.lease, [make.deliverable(moved.batch.id, created_at=later)], [], later
    )
    make.take_in(ledger, [make.event(9)], later)
    for number, at in ((1, make.now), (2, later)):
        begin_call(ledger, make.call(old, number, started_at=at))
        settle_call(ledger, f"call-{number}", make.reply("0.25"), at)
    since = status(ledger, later)
    assert since == {
        "events": {"accepted": 1, "duplicates": 0, "rejected": 0},
        "batches": {"total": 1, "by_state": {"DONE": 1}, "by_level": {"HIGH": 1}, "by_scope": {"tenant": 1}},
        "deliverables": {"total": 1, "by_kind": {"insight": 1}},
        "calls": 1,
        "cost_usd": 0.25,
    }
    everything = status(ledger)
    assert everything["events"]["accepted"] == 5
    assert everything["batches"]["by_state"] == {"DONE": 1, "READY": 1}
    assert (everything["batches"]["total"], everything["calls"], everything["cost_usd"]) == (2, 2, 0.5)
    assert collecting(ledger) == 1
    assert status(ledger, later + make.minute) | {"calls": 0} == status(ledger, later + make.minute)


def test_gate_failures_name_each_criterion_that_fell_short(ledger, make):
    """A failed item has a row per failed criterion with its reason; passed and unscored items have none."""
    batch = make.ready(ledger)
    for item in ("good", "bad", "unjudged", "outage"):
        store_draft(ledger, batch, make.draft(item), make.now)
    store_verdict(ledger, batch, "good", "passed", [make.score()], make.now)
    store_verdict(ledger, batch, "outage", "unscored", [], make.now)
    scores = [make.score("tone", 0.5, reason="rude"), make.score("clarity", 0.9)]
    store_verdict(ledger, batch, "bad", "failed", scores, make.now)
    row = {"batch": batch, "tenant": "acme", "stage": "insights", "item": "bad", "kind": "insight"}
    row |= {"criterion": "tone", "score": 0.5, "threshold": 0.7, "reason": "rude"}
    assert gate_failures(ledger) == gate_failures(ledger, make.now) == [row]
    assert gate_failures(ledger, make.now + make.minute) == []
