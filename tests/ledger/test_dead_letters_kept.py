"""Dead letters: everything needed to understand a failure, kept whatever it says."""

from dataclasses import replace

import pytest

from contracts.batches import BatchState
from ledger.batches import read_batch
from ledger.claims import claim
from ledger.dead_letters import bury, list_letters, read_letter
from ledger.errors import LeaseLostError
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
    assert list_letters(ledger, tenant="acme") == (letter,)
    assert list_letters(ledger, stage="notices") == (newer,)


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
