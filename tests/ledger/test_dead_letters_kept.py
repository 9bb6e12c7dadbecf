"""Dead letters: everything needed to understand a failure, kept whatever it says."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from sqlalchemy import update

from contracts.batches import BatchState
from contracts.versions import UnknownVersionError
from ledger.batches import read_batch
from ledger.claims import claim
from ledger.dead_letters import (
    OUTAGE_AN_HOUR,
    LetterFilter,
    bury,
    letter_ids,
    list_letters,
    purge_letter,
    purge_letters,
    read_letter,
)
from ledger.errors import LeaseLostError
from ledger.outcome_tables import dead_letters
from ledger.replays import replay_letter
from ledger.signals import take_signals
from ledger.sql import writing
from ledger.transitions import Settlement, settle_batch


@pytest.fixture
def letter(ledger, make):
    """A dead letter of a batch."""
    return make.letter(make.ready(ledger))


def test_a_letter_is_buried_once_and_read_as_it_was(ledger, letter):
    """Buried again it stays as it is; it is found by its id or the beginning of it."""
    bury(ledger, letter)
    bury(ledger, replace(letter, message="other"))
    assert list_letters(ledger) == (letter,)
    assert read_letter(ledger, "x-1") == read_letter(ledger, "x") == letter
    assert read_letter(ledger, "y") is None


def test_letters_are_listed_newest_first_by_tenant_and_stage(ledger, letter, make):
    """Filters and limit pick, time orders."""
    newer = replace(letter, id="x-2", tenant="bolt", stage="notices", at=make.now + make.minute)
    for one in (letter, newer):
        bury(ledger, one)
    assert list_letters(ledger) == (newer, letter)
    assert list_letters(ledger, 1) == (newer,)
    assert list_letters(ledger, only=LetterFilter(tenant="acme")) == (letter,)
    assert list_letters(ledger, only=LetterFilter(stage="notices")) == (newer,)
    assert list_letters(ledger, only=LetterFilter(error="ValueError", older_than=make.now)) == (letter,)
    assert list_letters(ledger, only=LetterFilter(newer_than=make.now)) == (newer,)
    assert list_letters(ledger, only=LetterFilter(error="KeyError")) == ()
    assert letter_ids(ledger) == ("x-1", "x-2")


def test_purged_letters_are_gone_and_their_batches_stay(ledger, letter):
    """By filter or one by one; a second purge finds nothing."""
    newer = replace(letter, id="x-2", stage="notices")
    for one in (letter, newer):
        bury(ledger, one)
    assert purge_letters(ledger, LetterFilter(stage="notices")) == 1
    assert purge_letter(ledger, "x-1")
    assert not purge_letter(ledger, "x-1")
    assert list_letters(ledger) == ()
    assert read_batch(ledger, letter.batch) is not None


def test_a_replayed_batch_is_ready_again_once(ledger, make):
    """DEAD becomes READY by its letter; the letter says when, and a second replay does nothing."""
    work = make.claimed(ledger)
    letter = make.letter(work.batch.id)
    settle_batch(
        ledger, work.batch.id, work.lease, Settlement(BatchState.DEAD, "no", letter=letter), make.now
    )
    later = make.now + make.minute
    assert replay_letter(ledger, letter, later)
    assert not replay_letter(ledger, letter, later)
    assert read_batch(ledger, work.batch.id).state is BatchState.READY
    assert read_letter(ledger, letter.id).replayed_at == later
    assert letter_ids(ledger, LetterFilter(replayed=False)) == ()
    assert letter_ids(ledger, LetterFilter(replayed=True)) == (letter.id,)


def test_a_batch_that_went_on_is_not_replayed(ledger, letter):
    """A letter whose batch is not DEAD moves nothing."""
    bury(ledger, letter)
    assert not replay_letter(ledger, letter, letter.at)
    assert read_batch(ledger, letter.batch).state is BatchState.READY


def test_every_letter_is_a_signal_and_five_hundred_in_an_hour_an_outage(ledger, letter, make):
    """Each tells its depth; the outage is told once, when the five hundredth comes."""
    for number in range(OUTAGE_AN_HOUR + 5):
        bury(ledger, replace(letter, id=f"x-{number}", at=make.now + number * make.minute / 100))
    told = take_signals(ledger, make.now, 1_000)
    buried = [one for one in told if one.name == "dead_letter.buried"]
    assert [one.payload["depth"] for one in buried] == list(range(1, OUTAGE_AN_HOUR + 6))
    assert [one.payload for one in told if one.name == "dead_letters.outage"] == [{"within_an_hour": 500}]


def test_an_outage_is_told_although_clocks_differ(ledger, letter, make):
    """A letter of a machine whose clock is behind makes the count jump over the limit: told, and told once."""
    seconds = [7.2 * number for number in range(OUTAGE_AN_HOUR - 1)]
    behind = 3599
    seconds += [3608, 3608.1, behind, *(3609 + number / 10 for number in range(40))]
    for number, second in enumerate(seconds):
        bury(ledger, replace(letter, id=f"x-{number}", at=make.now + second * make.minute / 60))
    told = [one.payload for one in take_signals(ledger, make.now, 1_000) if one.name == "dead_letters.outage"]
    assert len(told) == 1
    assert told[0]["within_an_hour"] > OUTAGE_AN_HOUR


def test_a_clock_a_day_ahead_silences_no_outage(ledger, letter, make):
    """Neither by a letter that it dates, nor by an outage that it tells."""
    bury(ledger, replace(letter, id="ahead", at=make.now + 24 * 60 * make.minute))
    for number in range(OUTAGE_AN_HOUR):
        bury(ledger, replace(letter, id=f"x-{number}", at=make.now + number * make.minute / 100))
    for number in range(OUTAGE_AN_HOUR):
        bury(ledger, replace(letter, id=f"y-{number}", at=make.now + 24 * 60 * make.minute))
    bury(ledger, replace(letter, id="back", at=make.now + 6 * make.minute))
    told = [one for one in take_signals(ledger, make.now, 2_000) if one.name == "dead_letters.outage"]
    assert [(one.at - make.now) // (60 * make.minute) for one in told] == [0, 24, 0]


def test_an_outage_is_told_once_also_when_many_die_at_the_same_time(ledger, letter, make):
    """Sixteen threads bury around the limit at once: each letter is counted by the next, and nobody misses it."""
    few, at_once = 8, 16
    for number in range(OUTAGE_AN_HOUR - few):
        bury(ledger, replace(letter, id=f"x-{number}"))
    together = Barrier(at_once)

    def buried(number):
        together.wait()
        bury(ledger, replace(letter, id=f"y-{number}"))

    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(buried, range(at_once)))
    told = take_signals(ledger, make.now, 1_000)
    assert [one.payload for one in told if one.name == "dead_letters.outage"] == [{"within_an_hour": 500}]


def test_a_letter_of_the_version_before_is_read_and_one_of_another_refused(ledger, letter):
    """Version 1 held ids alone; what this Penstock does not know it names and leaves."""
    bury(ledger, letter)
    with writing(ledger) as connection:
        connection.execute(update(dead_letters).values(schema_version="1", payload=["1-0"]))
    assert read_letter(ledger, "x-1").payload == {"events": [{"id": "1-0"}]}
    with writing(ledger) as connection:
        connection.execute(update(dead_letters).values(schema_version="7"))
    with pytest.raises(
        UnknownVersionError, match="dead letter of schema version '7': this Penstock reads 1 and 2"
    ):
        read_letter(ledger, "x-1")


def test_hostile_words_do_not_keep_a_failure_from_being_recorded(ledger, letter):
    """Text that no database can hold is replaced, and the letter is kept."""
    bury(ledger, replace(letter, message="a\x00\ud800", payload={"raw": "\x00\ud800"}))
    (kept,) = list_letters(ledger)
    assert (kept.message, kept.payload) == ("a\ufffd?", {"raw": "\x00?"})


def test_a_batch_is_dead_with_its_letter_or_not_at_all(ledger, letter, make):
    """A crash while the letter is written leaves the batch RUNNING, for another worker to take."""
    work = claim(ledger, letter.batch, lease_id="l", owner="w", now=make.now, lease_for=make.minute)
    end = Settlement(BatchState.DEAD, "no", letter=replace(letter, message=object()))
    with pytest.raises(Exception, match="object"):
        settle_batch(ledger, letter.batch, work.lease, end, make.now)
    assert read_batch(ledger, letter.batch).state is BatchState.RUNNING
    settle_batch(ledger, letter.batch, work.lease, replace(end, letter=letter), make.now)
    assert read_batch(ledger, letter.batch).state is BatchState.DEAD
    assert list_letters(ledger) == (letter,)


def test_who_lost_the_lease_writes_no_letter(ledger, letter, make):
    """The batch is another worker's, and so is what becomes of it."""
    claim(ledger, letter.batch, lease_id="l", owner="w", now=make.now, lease_for=make.minute)
    with pytest.raises(LeaseLostError):
        settle_batch(
            ledger, letter.batch, "other", Settlement(BatchState.DEAD, "no", letter=letter), make.now
        )
    assert list_letters(ledger) == ()
