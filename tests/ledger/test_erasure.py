"""Erasing a person in the ledger: nothing of them is left, and nothing of anybody else is touched."""

from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import MetaData, event, select

from contracts.batches import BatchState
from contracts.events import Priority, Rejection
from ledger.batches import batch_history, create_batches, read_batch
from ledger.claims import claim
from ledger.costs import item_costs
from ledger.dead_letters import LetterFilter, list_letters, purge_letters
from ledger.deliveries import commit_batch, list_deliverables
from ledger.engine import close_ledger, open_ledger
from ledger.erasure import Erasure, erase_person
from ledger.errors import LedgerFaultError
from ledger.intake import IntakeCounts, record_intake
from ledger.outbox import take_messages
from ledger.outcome_tables import promotions
from ledger.promotions import promote_events
from ledger.sql import reading
from ledger.status import status
from ledger.transitions import Settlement, settle_batch
from ledger.work import begin_call, settle_call, store_draft, store_verdict
from tests.faults.locks import locked

ANN = "ann@acme.test"
WORDS = "the-words-of-ann"
OTHERS = "the-words-of-others"


def dump(ledger, *but: str) -> str:
    """Every row of every table as text, without the rows that hold one of these."""
    tables = MetaData()
    with reading(ledger) as connection:
        tables.reflect(connection)
        rows = [
            str(tuple(row)) for table in tables.sorted_tables for row in connection.execute(select(table))
        ]
    return "\n".join(row for row in rows if not any(one in row for one in but))


@dataclass
class World:
    """Batches of Ann's words, of others' words and of both, in every state."""

    ledger: object
    make: object

    def event(self, number, user=ANN, words=WORDS, **fields):
        """An event of a user who says these words."""
        given = {"topic": words[:200], "data": {"text": words}} | fields
        return self.make.event(number, user=user, **given)

    def batch(self, events, user=None, **plan):
        """The id of a READY batch of these events."""
        seqs = self.make.take_in(self.ledger, events)
        made = self.make.plan(seqs, user=user, tenant=events[0].tenant, **plan)
        assert create_batches(self.ledger, [made], self.make.now) == 1
        return made.id

    def worked(self, batch, words, user=None, number=1):
        """The batch RUNNING with a paid call, a draft and a verdict, all in these words."""
        lease = f"lease-{number}"
        minutes = 10 * self.make.minute
        work = claim(self.ledger, batch, lease_id=lease, owner="w", now=self.make.now, lease_for=minutes)
        call = self.make.call(batch, number, user=user)
        begin_call(self.ledger, call)
        settle_call(self.ledger, call.id, self.make.reply(text=words), self.make.now)
        store_draft(self.ledger, batch, self.make.draft(content={"summary": words}), self.make.now)
        scores = [self.make.score(reason=words)]
        store_verdict(self.ledger, batch, "insights", "passed", scores, self.make.now)
        return work

    def done(self, events, words, user=None, number=1):
        """A DONE batch with a deliverable in these words."""
        batch = self.batch(events, user)
        self.worked(batch, words, user, number)
        made = [self.make.deliverable(batch, number, title=words)]
        commit_batch(self.ledger, batch, f"lease-{number}", made, ["files"], self.make.now)
        return batch

    def dead(self, events, words, number):
        """A DEAD batch with its letter in these words."""
        batch = self.batch(events)
        self.worked(batch, words, None, number)
        letter = self.make.letter(batch, id=f"x-{number}", message=words, prompt=words)
        end = Settlement(BatchState.DEAD, words, diagnosis={"summary": words}, letter=letter)
        settle_batch(self.ledger, batch, f"lease-{number}", end, self.make.now)
        return batch

    def rejected(self, raw, tenant=None):
        """A rejection on record."""
        refused = [Rejection(origin="o", line=1, reason="no", raw=raw, tenant=tenant)]
        record_intake(self.ledger, "o", [], refused, self.make.now)


@pytest.fixture
def world(ledger, make) -> World:
    """Ann and others, in all that a ledger holds."""
    made = World(ledger, make)
    made.own = made.done([made.event("a-1"), made.event("a-2")], WORDS, ANN, 1)
    made.dead_one = made.dead([made.event("a-3"), made.event("b-1", "bob", OTHERS)], WORDS, 2)
    made.open_one = made.batch([made.event("a-4"), made.event("b-2", "bob", OTHERS)])
    made.emptied = made.batch([made.event("a-5")], ANN)
    made.bobs = made.done([made.event("b-3", "bob", OTHERS)], OTHERS, "bob", 3)
    made.namesake = made.done([made.event("c-1", words=OTHERS, tenant="bolt")], OTHERS, ANN, 4)
    made.make.take_in(ledger, [made.event("a-6"), made.event("b-4", "bob", OTHERS)])
    made.rejected(f'{{"user": "{ANN}", "said": "{WORDS}"')
    made.rejected(f'{{"user": "{ANN}", "said": "{OTHERS}"}}', "bolt")
    made.rejected(f'{{"user": "j{ANN}", "said": "{OTHERS}"}}')
    return made


def test_nothing_of_the_person_is_left_in_any_table(world, ledger):
    """Their words, and their name but for a namesake's at another tenant, stand in no row."""
    assert ANN in dump(ledger, "bolt", "jann")
    erase_person(ledger, "acme", [ANN], world.make.now)
    assert WORDS not in dump(ledger)
    assert ANN not in dump(ledger, "bolt", "jann", world.namesake, OTHERS)


def test_it_says_what_it_removed_and_a_rehearsal_says_the_same_and_removes_nothing(world, ledger):
    """Counts of everything; erased again there is nothing."""
    before = dump(ledger)
    rehearsed = erase_person(ledger, "acme", [ANN], world.make.now, dry_run=True)
    assert dump(ledger) == before
    erased = erase_person(ledger, "acme", [ANN], world.make.now)
    assert erased == rehearsed
    mine = {world.own, world.dead_one, world.open_one, world.emptied}
    assert set(erased.batches) == mine
    assert (erased.events, erased.rejections, erased.items, erased.calls) == (6, 1, 2, 2)
    assert (erased.deliverables, erased.letters, erased.in_hand) == (1, 1, ())
    again = erase_person(ledger, "acme", [ANN], world.make.now)
    assert again.is_empty
    assert again == Erasure(0, 0, 0, 0, 0, 0, 0, (), ())


def test_nothing_of_anybody_else_is_touched(world, ledger):
    """Rows of others, at this tenant and at a namesake's, are to the letter as they were."""
    before = dump(ledger, ANN, WORDS)
    kept = [row for row in before.splitlines() if OTHERS in row]
    erase_person(ledger, "acme", [ANN], world.make.now)
    after = dump(ledger).splitlines()
    assert len(kept) >= 10
    assert set(kept) <= set(after)
    assert [one.title for one in list_deliverables(ledger, world.bobs, 9)] == [OTHERS]
    assert [one.title for one in list_deliverables(ledger, world.namesake, 9)] == [OTHERS]


def test_open_batches_go_on_without_them(world, ledger, make):
    """What is left of a batch is worked on; one that held nothing else is at its end."""
    erase_person(ledger, "acme", [ANN], make.now)
    assert read_batch(ledger, world.open_one).size == 1
    work = claim(ledger, world.open_one, lease_id="l", owner="w", now=make.now, lease_for=10 * make.minute)
    assert [event.user for event in work.events] == ["bob"]
    emptied = read_batch(ledger, world.emptied)
    assert (emptied.state, emptied.reason) == (BatchState.FAILED, "all its events were erased")
    assert list_letters(ledger) == ()


def test_what_has_not_left_yet_does_not_leave(world, ledger, make):
    """A deliverable that was still in the outbox is not published; another's is."""
    erase_person(ledger, "acme", [ANN], make.now)
    taken = take_messages(ledger, make.now, 100, make.minute)
    assert {message.deliverable.batch for message in taken} == {world.bobs, world.namesake}


def test_a_promotion_of_their_own_topic_says_nothing_of_it_any_more(world, ledger, make):
    """That it was stays; a topic that others wrote about, too, is left with its evidence."""
    low = {"priority": Priority.LOW}
    both = [
        world.event("s-1", topic="phones", **low),
        world.event("s-2", "bob", OTHERS, topic="phones", **low),
    ]
    shared = make.take_in(ledger, both)
    own = make.take_in(ledger, [world.event("o-1", **low)])
    assert promote_events(ledger, "acme", "phones", shared, {"topic": "phones"}, make.now) == 2
    assert promote_events(ledger, "acme", WORDS, own, {"topic": WORDS}, make.now) == 1
    erase_person(ledger, "acme", [ANN], make.now)
    with reading(ledger) as connection:
        rows = connection.execute(
            select(promotions.c.topic, promotions.c.evidence, promotions.c.events)
        ).all()
    assert [tuple(row) for row in rows] == [("phones", {"topic": "phones"}, 2), ("erased", {}, 1)]
    assert WORDS not in dump(ledger, "namesake")


def test_costs_counts_and_moves_stay(world, ledger, make):
    """The books are as they were: what was read, what calls cost, when batches moved."""
    before = status(ledger), item_costs(ledger, world.own)
    moves = [(move.from_state, move.to_state, move.at) for move in batch_history(ledger, world.own)]
    erase_person(ledger, "acme", [ANN], make.now)
    after = status(ledger), item_costs(ledger, world.own)
    for name in ("events", "calls", "cost_usd"):
        assert after[0][name] == before[0][name]
    assert after[1] == before[1]
    assert moves == [(move.from_state, move.to_state, move.at) for move in batch_history(ledger, world.own)]


@pytest.mark.parametrize("words", [WORDS, "something else"])
def test_an_erased_event_delivered_again_does_not_come_back(world, ledger, make, words):
    """Whatever it says now, it is a duplicate: nothing of it is written down, not even as a rejection."""
    erase_person(ledger, "acme", [ANN], make.now)
    again = [make.prepared(world.event("a-1", words=words))]
    assert record_intake(ledger, "test", again, [], make.now) == IntakeCounts(1, 0, 1, 0)
    assert words not in dump(ledger)


def test_what_somebody_has_in_hand_is_named_and_erased_when_it_has_ended(world, ledger, make):
    """A running batch is left alone, with its events: it is finished, and erased the next time."""
    running = world.batch([world.event("a-7"), world.event("b-7", "bob", OTHERS)])
    world.worked(running, WORDS, None, 7)
    erased = erase_person(ledger, "acme", [ANN], make.now)
    assert erased.in_hand == (running,)
    assert WORDS in dump(ledger)
    made = [make.deliverable(running, 7, title=WORDS)]
    commit_batch(ledger, running, "lease-7", made, ["files"], make.now)
    assert erase_person(ledger, "acme", [ANN], make.now).batches == (running,)
    assert WORDS not in dump(ledger)


def test_sqlite_s_files_hold_nothing_of_them_either(sqlite_url, make):
    """Neither the pages that became free, then or before, nor the write-ahead log keep what was deleted."""
    with closing(_Open(sqlite_url)) as opened:
        world = World(opened.ledger, make)
        world.dead([world.event("d-1", words=f"{WORDS} " * 2_000)], f"{WORDS} " * 2_000, 9)
        assert purge_letters(opened.ledger, LetterFilter()) == 1
        world.done([world.event(f"a-{n}", words=f"{WORDS} {n} " * 200) for n in range(20)], WORDS, ANN)
        erase_person(opened.ledger, "acme", [ANN], make.now)
        path = Path(sqlite_url.removeprefix("sqlite:///"))
        for file in path.parent.glob(f"{path.name}*"):
            assert WORDS.encode() not in file.read_bytes(), file


def test_a_lock_between_the_erasure_and_the_file_is_told_and_the_same_again_ends_it(sqlite_url, make):
    """Somebody locks the file as soon as the rows are gone: that is no success, and done again nothing is left."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    with closing(_Open(sqlite_url + "?timeout=0.05")) as opened:
        world = World(opened.ledger, make)
        world.done([world.event(f"a-{n}", words=f"{WORDS} {n} " * 200) for n in range(20)], WORDS, ANN)
        with ExitStack() as stranger:

            def lock(*_):
                stranger.enter_context(locked(sqlite_url))

            event.listen(opened.ledger, "checkin", lock, once=True)
            with pytest.raises(LedgerFaultError, match="locked"):
                erase_person(opened.ledger, "acme", [ANN], make.now)
        assert WORDS not in dump(opened.ledger)
        erase_person(opened.ledger, "acme", [ANN], make.now)
        for file in path.parent.glob(f"{path.name}*"):
            assert WORDS.encode() not in file.read_bytes(), file


class _Open:
    """A ledger that closes."""

    def __init__(self, url) -> None:
        self.ledger = open_ledger(url)

    def close(self) -> None:
        """Close it."""
        close_ledger(self.ledger)
