"""Kill switches: in force from the next call on, whoever asks; what was held goes on when they end."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.batches import BatchState
from ledger.batches import read_batch
from ledger.call_rules import CallHeldError
from ledger.due import release_due
from ledger.engine import close_ledger, open_ledger
from ledger.holds import held_by_pause
from ledger.mirrors import hold_mirror, leave_mirror, merge_switches, note_shown
from ledger.pauses import Switch, pause, read_pauses, resume
from ledger.signals import RETAKE, forget_signals, take_signals
from ledger.transitions import Settlement, settle_batch
from ledger.work import begin_call, settle_call

ALL = Switch("all")
INSIGHTS = Switch("insights")
OURS = Switch("insights", "acme")


def in_force(ledger):
    """What is paused, as operators write it."""
    return [str(one.switch) for one in read_pauses(ledger)]


@pytest.mark.parametrize("switch", ["all", "all@acme", "insights", "insights@acme"])
def test_no_call_begins_that_a_pause_covers(ledger, make, switch):
    """The stage, the tenant, or everything; the error says which pause and why."""
    pause(ledger, Switch.parse(switch), "bad prompt", make.now)
    with pytest.raises(CallHeldError, match=f"{switch} is paused: bad prompt") as held:
        begin_call(ledger, make.call("b-1"))
    assert held.value.hold == held_by_pause(Switch.parse(switch))


@pytest.mark.parametrize("switch", ["solutions", "insights@bolt", "all@bolt", "delivery"])
def test_what_a_pause_does_not_cover_goes_on(ledger, make, switch):
    """Other stages and other tenants are not touched."""
    pause(ledger, Switch.parse(switch), "why", make.now)
    assert begin_call(ledger, make.call("b-1")) is None


def test_a_call_under_way_is_kept_and_its_answer_is_there_while_paused(ledger, make):
    """What left before the pause is settled, and its answer needs no call."""
    begin_call(ledger, make.call("b-1"))
    pause(ledger, ALL, "stop", make.now)
    settle_call(ledger, "call-1", make.reply(), make.now)
    assert begin_call(ledger, make.call("b-1", 2, request_hash="hash-1")) == make.reply()


def test_a_pause_and_its_end_are_told_once(ledger, make):
    """Thrown twice, the first reason stands; resumed twice, the second says so."""
    assert pause(ledger, OURS, "first", make.now)
    assert not pause(ledger, OURS, "second", make.now)
    assert [(str(one.switch), one.reason) for one in read_pauses(ledger)] == [("insights@acme", "first")]
    assert resume(ledger, OURS, make.now)
    assert not resume(ledger, OURS, make.now)
    assert [one.name for one in take_signals(ledger, make.now)] == ["stage.paused", "stage.resumed"]


def test_a_held_batch_goes_on_when_its_pause_ends(ledger, make):
    """Also when it ended before the batch was written down as held."""
    work = make.claimed(ledger)
    pause(ledger, OURS, "why", make.now)
    end = Settlement(BatchState.HELD, "paused", hold=held_by_pause(OURS))
    settle_batch(ledger, work.batch.id, work.lease, end, make.now)
    assert release_due(ledger, make.now) == 0
    resume(ledger, OURS, make.now)
    assert release_due(ledger, make.now) == 1
    assert read_batch(ledger, work.batch.id).state is BatchState.READY


def test_signals_are_sent_again_only_when_their_sender_died(ledger, make):
    """Taken, they are nobody else's for a while; forgotten, they are gone."""
    pause(ledger, ALL, "why", make.now)
    (taken,) = take_signals(ledger, make.now)
    assert take_signals(ledger, make.now) == ()
    assert take_signals(ledger, make.now + RETAKE) == (taken,)
    forget_signals(ledger, (taken,))
    assert take_signals(ledger, make.now + 2 * RETAKE) == ()


def test_a_mirror_takes_over_what_operators_change_on_either_side(ledger, make):
    """Thrown in the mirror, it is in force; resumed there, it is not; what was paused elsewhere is shown."""
    hold_mirror(ledger, "ui", "w1", make.now, make.minute)
    assert merge_switches(ledger, "ui", frozenset({INSIGHTS}), make.now) == {INSIGHTS}
    pause(ledger, OURS, "command line", make.now)
    shown = merge_switches(ledger, "ui", frozenset({INSIGHTS}), make.now)
    assert shown == {INSIGHTS, OURS}
    note_shown(ledger, "ui", shown)
    assert merge_switches(ledger, "ui", frozenset({OURS}), make.now) == {OURS}
    resume(ledger, OURS, make.now)
    assert merge_switches(ledger, "ui", frozenset({OURS}), make.now) == frozenset()


def test_a_mirror_that_is_gone_resumes_nothing(ledger, make):
    """A server that was set up anew says nothing about what operators want."""
    hold_mirror(ledger, "ui", "w1", make.now, make.minute)
    merge_switches(ledger, "ui", frozenset({INSIGHTS}), make.now)
    assert merge_switches(ledger, "ui", None, make.now) == {INSIGHTS}


def test_a_pause_that_could_not_be_shown_stays_in_force(ledger, make):
    """The mirror was not written to: seeing it as it was is no operator's wish."""
    hold_mirror(ledger, "ui", "w1", make.now, make.minute)
    pause(ledger, ALL, "stop", make.now)
    for _ in range(2):
        assert merge_switches(ledger, "ui", frozenset(), make.now) == {ALL}


def test_one_process_at_a_time_looks_after_a_mirror(ledger, make):
    """Until it leaves, or its time is over."""
    assert hold_mirror(ledger, "ui", "w1", make.now, make.minute)
    assert hold_mirror(ledger, "ui", "w1", make.now, make.minute)
    assert not hold_mirror(ledger, "ui", "w2", make.now, make.minute)
    assert hold_mirror(ledger, "ui", "w2", make.now + make.minute, make.minute)
    leave_mirror(ledger, "ui", "w2")
    assert hold_mirror(ledger, "ui", "w1", make.now, make.minute)


switches = st.builds(
    Switch, st.sampled_from(["all", "insights", "solutions"]), st.sampled_from([None, "acme"])
)
steps = st.lists(
    st.tuples(st.sampled_from(["pause", "resume", "ui on", "ui off", "look"]), switches), max_size=12
)


@given(steps=steps)
def test_mirror_and_ledger_agree_after_every_look(tmp_path_factory, make, steps):
    """Whatever is done on both sides in whatever order, the last wish for each switch is in force."""
    ledger = open_ledger(f"sqlite:///{tmp_path_factory.mktemp('mirror')}/ledger.db")
    shown, wished, now = frozenset(), set(), make.now
    hold_mirror(ledger, "ui", "w1", now, timedelta(days=1))
    for what, switch in [*steps, ("look", ALL)]:
        if what == "pause":
            pause(ledger, switch, "why", now)
            wished.add(switch)
        elif what == "resume":
            # Seen first, so that both sides speak of the same state.
            shown = _look(ledger, shown, now)
            resume(ledger, switch, now)
            wished.discard(switch)
        elif what == "ui on":
            shown |= {switch}
            wished.add(switch)
        elif what == "ui off":
            shown = _look(ledger, shown, now) - {switch}
            wished.discard(switch)
        shown = _look(ledger, shown, now)
    assert {one.switch for one in read_pauses(ledger)} == wished == shown
    close_ledger(ledger)


def _look(ledger, shown, now):
    """What the mirror shows after a look."""
    after = merge_switches(ledger, "ui", shown, now)
    note_shown(ledger, "ui", after)
    return after
