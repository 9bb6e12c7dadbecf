"""Work: what was paid for and committed is there after any interruption, once."""

from dataclasses import replace
from decimal import Decimal

import pytest

from contracts.batches import BatchState
from contracts.calls import Purpose
from ledger.claims import claim, release_leases
from ledger.costs import costs, item_costs
from ledger.dead_letters import LetterFilter, purge_letters
from ledger.errors import LeaseLostError, UnknownCallError
from ledger.replays import replay_letter
from ledger.transitions import Settlement, settle_batch
from ledger.work import (
    StageRun,
    begin_call,
    calls_in_doubt,
    count_attempts,
    count_unusable_verdicts,
    finish_stage,
    read_items,
    read_stages,
    settle_call,
    start_stage,
    store_draft,
    store_verdict,
)


def test_a_call_is_in_doubt_until_its_answer_is_recorded(ledger, make):
    """A call that left is known before its answer; recorded twice it is one call."""
    first, second = make.call("b-1", 1, user="ann"), make.call("b-1", 2, rubric_version="r1")
    for call in (first, first, second):
        begin_call(ledger, call)
    assert calls_in_doubt(ledger) == (first, second)
    settle_call(ledger, first.id, make.reply(), make.now)
    settle_call(ledger, second.id, make.failure(), make.now)
    assert calls_in_doubt(ledger) == ()


def test_a_paid_request_is_never_paid_again(ledger, make):
    """The same request for the same item brings the first answer, to the last token and cent, and is no call."""
    call = make.call("b-1")
    assert begin_call(ledger, call) is None
    again = make.call("b-1", 2, request_hash="hash-1")
    settle_call(ledger, call.id, make.reply("0.000000123"), make.now)
    assert begin_call(ledger, again) == make.reply("0.000000123")
    assert calls_in_doubt(ledger) == ()


def test_no_call_leaves_under_a_lease_that_is_lost(ledger, make):
    """Who has lost the batch asks nothing more for it, whoever has it now; what was answered is still read."""
    work = make.claimed(ledger)
    call = make.call(work.batch.id)
    assert begin_call(ledger, call, lease=work.lease) is None
    settle_call(ledger, call.id, make.reply(), make.now)
    release_leases(ledger, {work.batch.id: work.lease}, reason="it stood still", now=make.now)
    another = call.model_copy(update={"id": "c-2", "request_hash": "another"})
    with pytest.raises(LeaseLostError, match="nothing is asked for it"):
        begin_call(ledger, another, lease=work.lease)
    held = {"owner": "w", "now": make.now, "lease_for": 10 * make.minute}
    assert claim(ledger, work.batch.id, lease_id="lease-2", **held).lease == "lease-2"
    with pytest.raises(LeaseLostError):
        begin_call(ledger, another, lease=work.lease)
    assert begin_call(ledger, call.model_copy(update={"id": "c-3"}), lease=work.lease) == make.reply()
    assert begin_call(ledger, another, lease="lease-2") is None
    assert calls_in_doubt(ledger) == (another,)


@pytest.mark.parametrize(
    "other", [{"batch": "b-2"}, {"item": "notice"}, {"purpose": Purpose.JUDGE}, {"request_hash": "hash-2"}]
)
def test_another_request_is_a_call_of_its_own(ledger, make, other):
    """An answer stands for its own batch, item, purpose and words alone."""
    begin_call(ledger, make.call("b-1"))
    settle_call(ledger, "call-1", make.reply(), make.now)
    asked = make.call(**{"batch": "b-1", "number": 2, "request_hash": "hash-1"} | other)
    assert begin_call(ledger, asked) is None
    assert calls_in_doubt(ledger) == (asked,)


def test_a_failed_call_is_asked_again_and_its_cost_is_kept(ledger, make):
    """A failure is no answer, but what it cost is on the books."""
    begin_call(ledger, make.call("b-1"))
    settle_call(ledger, "call-1", make.failure(), make.now)
    assert begin_call(ledger, make.call("b-1", 2, request_hash="hash-1")) is None
    assert item_costs(ledger, "b-1") == {"insights": Decimal("0.0001")}


def test_a_settled_call_stays_as_it_was_settled(ledger, make):
    """The first outcome stands; an unknown call is an error."""
    begin_call(ledger, make.call("b-1"))
    settle_call(ledger, "call-1", make.reply("1"), make.now)
    settle_call(ledger, "call-1", make.failure(), make.now)
    settle_call(ledger, "call-1", make.reply("2"), make.now)
    assert item_costs(ledger, "b-1") == {"insights": Decimal(1)}
    with pytest.raises(UnknownCallError, match="'call-9'"):
        settle_call(ledger, "call-9", make.reply(), make.now)


def test_an_answer_with_any_character_is_kept(ledger, make):
    """NUL and half surrogate pairs in an answer become replacement characters, not errors."""
    begin_call(ledger, make.call("b-1"))
    settle_call(ledger, "call-1", make.reply(text="a\x00b\ud800c"), make.now)
    assert begin_call(ledger, make.call("b-1", 2, request_hash="hash-1")).text == "a\ufffdb?c"


def test_draft_and_call_are_stored_together_or_not_at_all(ledger, make):
    """A draft whose call is unknown is not stored; with its call both are."""
    batch = make.ready(ledger)
    with pytest.raises(UnknownCallError):
        store_draft(ledger, batch, make.draft(), make.now, settle=("call-1", make.reply()))
    assert read_items(ledger, batch) == ()
    begin_call(ledger, make.call(batch))
    for _ in range(2):
        store_draft(ledger, batch, make.draft(), make.now, settle=("call-1", make.reply()))
    (item,) = read_items(ledger, batch)
    assert (item.item, item.content, item.verdict, item.judgements) == (
        "insights",
        {"summary": "fine"},
        None,
        (),
    )
    assert (item.created_at, item.content_json) == (make.now, b'{"summary":"fine"}')
    assert calls_in_doubt(ledger) == ()


def test_a_draft_stored_again_is_left_as_it_is(ledger, make):
    """A repetition by the same prompt version changes neither words nor verdict."""
    batch = make.ready(ledger)
    store_draft(ledger, batch, make.draft(), make.now)
    store_verdict(ledger, batch, "insights", "passed", [make.score()], make.now)
    store_draft(ledger, batch, make.draft(content={"summary": "other"}), make.now)
    (item,) = read_items(ledger, batch)
    assert (item.content, item.verdict) == ({"summary": "fine"}, "passed")


def test_a_draft_of_another_prompt_version_must_be_judged_anew(ledger, make):
    """New words take the place of the old ones and lose the old verdict."""
    batch = make.ready(ledger)
    store_draft(ledger, batch, make.draft(), make.now)
    store_verdict(ledger, batch, "insights", "passed", [make.score()], make.now)
    store_draft(ledger, batch, make.draft(content={"summary": "new"}, prompt_version="p2"), make.now)
    (item,) = read_items(ledger, batch)
    assert (item.content, item.verdict, item.judgements) == ({"summary": "new"}, None, ())


def test_a_verdict_stands_with_its_scores(ledger, make):
    """The first scored verdict is the last; its judge and rubric are known."""
    batch = make.ready(ledger)
    begin_call(ledger, make.call(batch, purpose=Purpose.JUDGE))
    store_draft(ledger, batch, make.draft(), make.now)
    scores = [make.score("clarity", 0.9), make.score("tone", 0.4)]
    store_verdict(ledger, batch, "insights", "failed", scores, make.now, settle=("call-1", make.reply()))
    store_verdict(ledger, batch, "insights", "passed", [make.score("clarity", 1.0)], make.now + make.minute)
    (item,) = read_items(ledger, batch)
    assert (item.verdict, item.judged_at, item.judgements) == ("failed", make.now, tuple(scores))
    assert item.scores == {"clarity": 0.9, "tone": 0.4}
    assert (item.judge_model, item.rubric_version) == ("judge-1", "r1")
    assert calls_in_doubt(ledger) == ()


def test_an_unscored_item_can_be_judged_again(ledger, make):
    """A judge that failed leaves no score, and a later verdict takes its place."""
    batch = make.ready(ledger)
    store_draft(ledger, batch, make.draft(), make.now)
    unscored = replace(make.score(), score=None, passed=None)
    store_verdict(ledger, batch, "insights", "unscored", [unscored], make.now)
    assert read_items(ledger, batch)[0].scores == {}
    store_verdict(ledger, batch, "insights", "unscored", [], make.now)
    with pytest.raises(LookupError, match="no judgement"):
        _ = read_items(ledger, batch)[0].judge_model
    store_verdict(ledger, batch, "insights", "passed", [make.score()], make.now)
    assert read_items(ledger, batch)[0].judgements == (make.score(),)


def test_items_are_read_in_the_order_they_were_made(ledger, make):
    """Each item comes with its own scores, earliest first."""
    batch = make.ready(ledger)
    for index, name in enumerate(("zeta", "alpha")):
        store_draft(ledger, batch, make.draft(name), make.now + index * make.minute)
        store_verdict(ledger, batch, name, "passed", [make.score(score=(7 + index) / 10)], make.now)
    assert [(item.item, item.scores["clarity"]) for item in read_items(ledger, batch)] == [
        ("zeta", 0.7),
        ("alpha", 0.8),
    ]


def test_a_stage_begun_again_is_running_again(ledger, make):
    """The latest run of each stage is kept, in the order they began."""
    batch, later = make.ready(ledger), make.now + make.minute
    start_stage(ledger, batch, "insights", make.now)
    finish_stage(ledger, batch, "insights", "FAILED", "no \x00 answer", later)
    assert read_stages(ledger, batch) == (
        StageRun("insights", "FAILED", make.now, later, "no \ufffd answer"),
    )
    start_stage(ledger, batch, "insights", later)
    start_stage(ledger, batch, "solutions", later + make.minute)
    assert read_stages(ledger, batch) == (
        StageRun("insights", "RUNNING", later, None, None),
        StageRun("solutions", "RUNNING", later + make.minute, None, None),
    )


def test_costs_are_summed_per_origin_stage_purpose_and_model(ledger, make):
    """Every call is in one row, failed ones too, to the billionth of a USD."""
    for number in (1, 2):
        begin_call(ledger, make.call("b-1", number))
        settle_call(ledger, f"call-{number}", make.reply("0.000000001"), make.now)
    begin_call(ledger, make.call("b-1", 3, purpose=Purpose.JUDGE))
    key = {"tenant": "acme", "feature": "app", "stage": "insights", "model": "model-1"}
    zero = {"input_tokens": 0, "output_tokens": 0, "cache_write_tokens": 0, "cache_read_tokens": 0}
    paid = {"input_tokens": 200, "output_tokens": 40, "cache_write_tokens": 6, "cache_read_tokens": 8}
    assert costs(ledger) == [
        key | {"purpose": "generate", "calls": 2, "cost_usd": 2e-9} | paid,
        key | {"purpose": "judge", "calls": 1, "cost_usd": 0.0} | zero,
    ]
    assert item_costs(ledger, "b-1") == {"insights": Decimal("0.000000002")}
    assert item_costs(ledger, "none") == {}


def test_verdicts_that_were_paid_for_and_unusable_are_counted_by_item(ledger, make):
    """Those of other items, those that cost nothing, and what generates do not count."""
    batch = make.claimed(ledger).batch.id
    unusable = make.failure().model_copy(update={"kind": "invalid"})
    ends = [(Purpose.JUDGE, "insights", unusable), (Purpose.JUDGE, "insights", make.failure())]
    ends += [(Purpose.JUDGE, "other", unusable), (Purpose.GENERATE, "insights", unusable)]
    for number, (purpose, item, end) in enumerate(ends):
        begin_call(ledger, make.call(batch, number, purpose=purpose, item=item))
        settle_call(ledger, f"call-{number}", end, make.now)
    assert count_unusable_verdicts(ledger, batch, "insights") == 1


def test_a_replayed_batch_has_all_its_attempts_again_also_when_its_letter_is_purged(ledger, make):
    """Attempts are counted from the replay on, and what tells of it is the batch's own history."""
    work = make.claimed(ledger)
    batch = work.batch.id
    for number in range(1, 4):
        begin_call(ledger, make.call(batch, number))
        settle_call(ledger, f"call-{number}", make.failure(), make.now)
    assert count_attempts(ledger, batch, "insights") == 3
    letter = make.letter(batch)
    settle_batch(ledger, batch, work.lease, Settlement(BatchState.DEAD, "no", letter=letter), make.now)
    assert replay_letter(ledger, letter, make.now + make.minute)
    assert purge_letters(ledger, LetterFilter(replayed=True)) == 1
    assert count_attempts(ledger, batch, "insights") == 0
