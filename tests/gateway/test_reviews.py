"""Reviews over HTTP: each tenant's own items, each person once."""

import pytest

from contracts.reviews import SampleKind
from ledger.batches import create_batches
from ledger.reviews import draw_sample
from ledger.work import store_draft, store_verdict
from tests.ledger.conftest import Make


@pytest.fixture
def drawn(door):
    """A judged item of acme and one of beta, both drawn for review; their batches."""
    make, batches = Make(), {}
    for tenant in ("acme", "beta"):
        plan = make.plan(make.take_in(door.book, [make.event(tenant=tenant)]), tenant=tenant)
        create_batches(door.book, [plan], make.now)
        store_draft(door.book, plan.id, make.draft(), make.now)
        store_verdict(door.book, plan.id, "insights", "passed", [make.score("tone")], make.now)
        batches[tenant] = plan.id
    assert draw_sample(door.book, SampleKind.RANDOM, 10, 1, make.now) == 2
    return batches


def test_a_tenants_reviewers_are_shown_and_review_its_own_items(acme, drawn):
    """Without the judge's scores; then nothing is left to review."""
    (shown,) = acme.get("/v1/reviews/next", params={"reviewer": "ann", "count": 10}).json()
    assert (shown["batch"], shown["item"]) == (drawn["acme"], "insights")
    assert "0.9" not in str(shown)
    review = {"batch": shown["batch"], "item": "insights", "reviewer": "ann", "verdict": "edit"}
    answer = acme.post("/v1/reviews", json=review | {"scores": {"tone": 0.5}, "edited": "Better."})
    assert (answer.status_code, answer.json()["scores"]) == (201, {"tone": 0.5})
    assert acme.get("/v1/reviews/next", params={"reviewer": "ann"}).json() == []
    assert acme.post("/v1/reviews", json=review).status_code == 409


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"batch": "b-none"}, 404),
        ({"item": "nothing"}, 404),
        ({"scores": {"charm": 0.5}}, 404),
        ({"scores": {"tone": 1.5}}, 422),
        ({"verdict": "perhaps"}, 422),
        ({"reviewer": " "}, 422),
    ],
)
def test_what_is_no_review_is_refused(acme, drawn, change, status):
    """With words that say why."""
    review = {"batch": drawn["acme"], "item": "insights", "reviewer": "ann", "verdict": "accept"}
    answer = acme.post("/v1/reviews", json=review | change)
    assert (answer.status_code, bool(answer.json()["detail"])) == (status, True)


def test_nobody_reviews_what_belongs_to_others(acme, drawn):
    """It is as if it were not there, by its whole id or the beginning of it."""
    for batch in (drawn["beta"], drawn["acme"][:12]):
        review = {"batch": batch, "item": "insights", "reviewer": "ann", "verdict": "accept"}
        assert acme.post("/v1/reviews", json=review).status_code == 404
