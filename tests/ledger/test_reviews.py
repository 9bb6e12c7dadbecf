"""Reviews and samples: each person once, none twice, chance and disagreement apart."""

import pytest

from contracts.reviews import Review, ReviewVerdict, SampleKind
from ledger.batches import create_batches
from ledger.review_pairs import OVERALL, judged_items
from ledger.reviews import ReviewedBeforeError, UnknownItemError, draw_sample, record_review, to_review
from ledger.work import store_draft, store_verdict

CRITERIA = ("clarity", "tone")


@pytest.fixture
def judged(ledger, make):
    """Forty judged items of two tenants, every fourth of them failed; their batches."""
    batches = []
    for number in range(40):
        tenant = f"t{number % 2}"
        seqs = make.take_in(ledger, [make.event(number, tenant=tenant)])
        plan = make.plan(seqs, tenant=tenant)
        assert create_batches(ledger, [plan], make.now) == 1
        batches.append(plan.id)
        store_draft(ledger, batches[-1], make.draft(content={"summary": f"words {number}"}), make.now)
        failed = number % 4 == 0
        scores = [make.score(name, 0.4 if failed else 0.9) for name in CRITERIA]
        store_verdict(ledger, batches[-1], "insights", "failed" if failed else "passed", scores, make.now)
    return batches


def said(batch, reviewer="ann", verdict=ReviewVerdict.ACCEPT, **fields):
    """A review of a batch's only item."""
    return Review(batch=batch, item="insights", reviewer=reviewer, verdict=verdict, **fields)


def test_a_sample_is_drawn_by_chance_none_twice_and_the_same_seed_draws_the_same(ledger, judged, make):
    """Of all that was judged, passed or failed."""
    assert draw_sample(ledger, SampleKind.RANDOM, 25, 7, make.now) == 25
    first = {one.batch for one in to_review(ledger, "ann", 100)}
    assert len(first) == 25
    assert draw_sample(ledger, SampleKind.RANDOM, 25, 7, make.now) == 15
    assert {one.batch for one in to_review(ledger, "ann", 100)} == set(judged)
    assert draw_sample(ledger, SampleKind.RANDOM, 5, 7, make.now) == 0


def test_a_person_is_shown_what_they_have_not_reviewed(ledger, judged, make):
    """And what it says, without what the judge says of it."""
    draw_sample(ledger, SampleKind.RANDOM, 40, 1, make.now)
    record_review(ledger, said(judged[0]), make.now)
    left = to_review(ledger, "ann", 100)
    assert judged[0] not in {one.batch for one in left}
    assert len(to_review(ledger, "bob", 100)) == 40
    assert left[0].content["summary"].startswith("words")
    assert not any("0.9" in str(one) or "passed" in str(one) for one in left)


def test_a_person_reviews_an_item_once(ledger, judged, make):
    """The first review stands; another person's is another review."""
    record_review(ledger, said(judged[0]), make.now)
    with pytest.raises(ReviewedBeforeError, match="the first review stands"):
        record_review(ledger, said(judged[0], verdict=ReviewVerdict.REJECT), make.now)
    record_review(ledger, said(judged[0], "bob", ReviewVerdict.REJECT), make.now)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"batch": "b-none"}, "no judged item 'insights' is in the batch 'b-none'"),
        ({"item": "nothing"}, "no judged item 'nothing'"),
        ({"scores": {"charm": 0.5}}, "was not judged by charm; there are clarity, tone"),
    ],
)
def test_a_review_of_what_is_not_there_is_refused(ledger, judged, make, fields, why):
    """By name."""
    with pytest.raises(UnknownItemError, match=why):
        record_review(ledger, said(judged[0]).model_copy(update=fields), make.now)


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_score_out_of_range_is_no_review(score):
    """Whatever it came by."""
    with pytest.raises(ValueError, match="score"):
        said("b", scores={"tone": score})


def test_what_judge_and_people_disagree_about_is_a_sample_of_its_own(ledger, judged, make):
    """It is drawn from what was reviewed, and never counts as chance."""
    draw_sample(ledger, SampleKind.RANDOM, 10, 3, make.now)
    drawn = [one.batch for one in to_review(ledger, "ann", 100)]
    for batch in drawn:
        record_review(ledger, said(batch), make.now)
    failed = [one for one in drawn if judged.index(one) % 4 == 0]
    assert draw_sample(ledger, SampleKind.DISAGREEMENT, 100, 3, make.now) == len(failed) > 0
    outside = next(one for one in judged if one not in drawn)
    record_review(ledger, said(outside), make.now)
    labelled = [one for one in judged_items(ledger) if one.people]
    assert len(labelled) == 10
    assert len([one for one in judged_items(ledger, SampleKind.DISAGREEMENT) if one.people]) == len(failed)


def test_pairs_hold_the_judges_scores_and_the_means_of_peoples(ledger, judged, make):
    """A tie is a fail, and is told as contested."""
    draw_sample(ledger, SampleKind.RANDOM, 40, 1, make.now)
    record_review(ledger, said(judged[1], "ann", scores={"tone": 1.0}), make.now)
    record_review(ledger, said(judged[1], "bob", ReviewVerdict.EDIT, scores={"tone": 0.5}), make.now)
    record_review(ledger, said(judged[0], "ann", ReviewVerdict.REJECT), make.now)
    items = judged_items(ledger)
    assert len(items) == 40
    failed, passed = items[0], items[1]
    by_people = {len(one.people) for one in items}
    assert by_people == {0, 1, 2}
    contested = next(one for one in items if one.is_contested)
    assert contested.people == {OVERALL: 0.0, "tone": 0.75}
    assert contested.judge == {OVERALL: 1.0, "clarity": 0.9, "tone": 0.9}
    assert {failed.tenant, passed.tenant} <= {"t0", "t1"}
