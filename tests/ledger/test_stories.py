"""The ends of batches: each taken once, in order, when its deliverables have left or for a while have not."""

from datetime import timedelta

from contracts.batches import BatchState
from ledger.claims import claim
from ledger.dead_letters import list_letters
from ledger.deliveries import commit_batch
from ledger.outbox import mark_published, take_messages
from ledger.replays import replay_letter
from ledger.stories import OVER, give_back_ends, read_story, take_ends
from ledger.transitions import Settlement, settle_batch
from ledger.work import begin_call, settle_call
from tasks.telemetry.spans import UNANSWERED, spans_of

PATIENCE = timedelta(minutes=2)
MINUTE = timedelta(minutes=1)


def ended(ledger, make, batch, state=BatchState.FAILED, at=None, letter=None):
    """Claim a ready batch and settle it."""
    at = at or make.now
    lease = f"lease-{batch}-{at}"
    claim(ledger, batch, lease_id=lease, owner="w", now=at, lease_for=MINUTE)
    settle_batch(ledger, batch, lease, Settlement(state, "the judge refused", letter=letter), at)


def test_an_end_is_taken_once_and_again_only_when_it_was_given_back(ledger, make):
    """Whichever process asks."""
    batches = [make.ready(ledger, 1, tenant=tenant) for tenant in ("acme", "bolt")]
    for batch in batches:
        ended(ledger, make, batch)
    first = take_ends(ledger, make.now, PATIENCE, limit=1)
    second = take_ends(ledger, make.now, PATIENCE)
    assert [read_story(ledger, end).batch for end in (*first, *second)] == batches
    assert take_ends(ledger, make.now, PATIENCE) == ()
    give_back_ends(ledger, first)
    assert take_ends(ledger, make.now, PATIENCE) == first


def test_an_end_that_nobody_took_for_an_hour_is_told_no_more(ledger, make):
    """Who sets a collector late does not get all that ever was."""
    ended(ledger, make, make.ready(ledger, 1))
    assert take_ends(ledger, make.now + OVER, PATIENCE) == ()
    assert take_ends(ledger, make.now + OVER - MINUTE, PATIENCE) != ()


def test_an_end_waits_for_its_deliverables_and_not_for_ever(ledger, make):
    """Told once they have arrived, or after a while without them."""
    work = make.claimed(ledger)
    commit_batch(ledger, work.batch.id, work.lease, [make.deliverable(work.batch.id)], ["files"], make.now)
    assert take_ends(ledger, make.now + MINUTE, PATIENCE) == ()
    late = take_ends(ledger, make.now + PATIENCE, PATIENCE)
    assert [one.until for one in read_story(ledger, *late).deliveries] == [None]
    give_back_ends(ledger, late)
    (message,) = take_messages(ledger, make.now, 10, MINUTE)
    mark_published(ledger, [message.id], make.now + MINUTE)
    (end,) = take_ends(ledger, make.now + MINUTE, PATIENCE)
    assert [one.until for one in read_story(ledger, end).deliveries] == [make.now + MINUTE]


def test_a_batch_that_died_and_was_replayed_has_two_stories_end_to_end(ledger, make):
    """The second begins where the first ended; both are of one trace, with spans of their own."""
    batch = make.ready(ledger, 1)
    ended(ledger, make, batch, BatchState.DEAD, letter=make.letter(batch))
    (first,) = take_ends(ledger, make.now, PATIENCE)
    replay_letter(ledger, *list_letters(ledger), make.now + MINUTE)
    ended(ledger, make, batch, at=make.now + 2 * MINUTE)
    (second,) = take_ends(ledger, make.now + 2 * MINUTE, PATIENCE)
    died, failed = read_story(ledger, first), read_story(ledger, second)
    assert (died.state, failed.state) == (BatchState.DEAD, BatchState.FAILED)
    assert failed.since == died.at
    assert len(died.events) == 2
    assert failed.events == ()
    before, after = spans_of(died, "anthropic"), spans_of(failed, "anthropic")
    assert {span.trace_id for span in before} == {span.trace_id for span in after}
    assert not {span.id for span in before} & {span.id for span in after}


def test_a_call_whose_end_nobody_knows_is_told_as_such(ledger, make):
    """And a failed one with its error; the spans tell the same however often they are told."""
    work = make.claimed(ledger)
    for number in (1, 2, 3):
        begin_call(ledger, make.call(work.batch.id, number))
    settle_call(ledger, "call-1", make.reply(), make.now + MINUTE)
    settle_call(ledger, "call-2", make.failure(), make.now + MINUTE)
    settle_batch(ledger, work.batch.id, work.lease, Settlement(BatchState.FAILED, "no"), make.now + MINUTE)
    (end,) = take_ends(ledger, make.now + MINUTE, PATIENCE)
    spans = spans_of(read_story(ledger, end), "anthropic")
    assert spans == spans_of(read_story(ledger, end), "anthropic")
    calls = {span.attributes["penstock.call"]: span for span in spans if span.name.startswith("chat ")}
    assert {name: span.error for name, span in calls.items()} == {
        "call-1": None,
        "call-2": "Overloaded",
        "call-3": UNANSWERED,
    }
    assert calls["call-1"].attributes["gen_ai.usage.input_tokens"] == 107
    assert calls["call-2"].attributes["error.type"] == "Overloaded"
