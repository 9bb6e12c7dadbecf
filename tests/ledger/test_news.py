"""News: written with the fact, read on from a cursor without a gap, whatever commits in what order."""

import threading
from datetime import timedelta

import pytest

from contracts.batches import BatchState
from ledger.deliveries import commit_batch
from ledger.news import BEGINNING, Cursor, forget_news, newest_news, read_news, tell_news
from ledger.sql import writing
from ledger.stages import finish_stage, start_stage
from ledger.transitions import Settlement, settle_batch
from ledger.work import store_draft, store_verdict


def names(rows):
    """What they tell of."""
    return [row.name for row in rows]


def test_a_batch_is_told_of_from_its_events_to_its_end(ledger, make):
    """Accepted, ready, running, each stage, each verdict, done; nothing that people wrote."""
    work = make.claimed(ledger)
    batch = work.batch.id
    start_stage(ledger, batch, "insights", make.now)
    store_draft(ledger, batch, make.draft(), make.now)
    store_verdict(ledger, batch, "insights", "passed", [make.score()], make.now)
    finish_stage(ledger, batch, "insights", "DONE", None, make.now)
    commit_batch(ledger, batch, work.lease, [make.deliverable(batch)], ["file"], make.now)
    told = read_news(ledger, BEGINNING, tenant="acme")
    assert names(told) == [
        *("events.accepted", "batch.ready", "batch.running"),
        *("stage.started", "item.judged", "stage.ended", "batch.done"),
    ]
    assert told[0].payload == {"events": 2}
    assert told[4].payload == {"item": "insights", "verdict": "passed", "scores": {"clarity": 0.9}}
    assert names(read_news(ledger, BEGINNING, batch=batch)) == names(told)[1:]
    assert "words" not in repr(told)


def test_a_failed_batch_is_told_of(ledger, make):
    """With the state it ended in."""
    work = make.claimed(ledger)
    settle_batch(ledger, work.batch.id, work.lease, Settlement(BatchState.FAILED, "no"), make.now)
    assert names(read_news(ledger, BEGINNING, batch=work.batch.id))[-1] == "batch.failed"


def test_a_verdict_that_changes_nothing_is_no_news(ledger, make):
    """Stored again it stands, and was told."""
    work = make.claimed(ledger)
    store_draft(ledger, work.batch.id, make.draft(), make.now)
    for _ in range(2):
        store_verdict(ledger, work.batch.id, "insights", "passed", [make.score()], make.now)
    assert names(read_news(ledger, BEGINNING)).count("item.judged") == 1


def test_who_comes_back_reads_on_where_they_were(ledger, make):
    """In pieces of any size: everything once, in order."""
    for number in range(7):
        make.ready(ledger, number, tenant=f"t-{number % 2}")
    whole = read_news(ledger, BEGINNING)
    cursor, pieces = BEGINNING, []
    while some := read_news(ledger, cursor, limit=3):
        pieces += some
        cursor = Cursor.read(str(some[-1].cursor))
    assert pieces == list(whole)
    assert newest_news(ledger) == cursor
    assert {row.tenant for row in read_news(ledger, BEGINNING, tenant="t-1")} == {"t-1"}


@pytest.mark.parametrize("text", ["", "7", "x-1", "1-", "1-2-3", "1.5-2"])
def test_what_is_no_cursor_is_refused(text):
    """A reader who sends it has something else in hand."""
    with pytest.raises(ValueError, match=r"invalid literal|not enough"):
        Cursor.read(text)


def news_of(number, make):
    """A row of news."""
    return {"at": make.now, "tenant": "acme", "batch_id": "b", "name": f"n-{number}", "payload": {}}


def test_nothing_appears_behind_what_was_read(ledger, make):
    """A transaction that began first and commits last is read last, and not missed; on SQLite it has its turn."""
    if ledger.dialect.name == "sqlite":
        pytest.skip("writers of SQLite take turns: there is no other order")
    began, may_end = threading.Event(), threading.Event()

    def slowly():
        with writing(ledger) as connection:
            tell_news(connection, [news_of("slow", make)])
            began.set()
            assert may_end.wait(60)

    slow = threading.Thread(target=slowly)
    slow.start()
    assert began.wait(60)
    with writing(ledger) as connection:
        tell_news(connection, [news_of("quick", make)])
    assert read_news(ledger, BEGINNING) == ()
    may_end.set()
    slow.join()
    assert names(read_news(ledger, BEGINNING)) == ["n-slow", "n-quick"]


def test_many_writers_and_a_reader_lose_nothing(ledger, make):
    """What is read by a cursor while it is written is what is there at the end, in the same order."""
    done = threading.Event()
    read = []

    def listen():
        cursor = BEGINNING
        while True:
            is_over = done.is_set()
            while some := read_news(ledger, cursor, limit=7):
                read.extend(some)
                cursor = some[-1].cursor
            if is_over:
                return

    def write(number):
        for at in range(15):
            with writing(ledger) as connection:
                tell_news(connection, [news_of(f"{number}-{at}", make)])

    listener = threading.Thread(target=listen)
    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for one in (listener, *writers):
        one.start()
    for one in writers:
        one.join()
    done.set()
    listener.join()
    assert len(read) == 60
    assert read == list(read_news(ledger, BEGINNING))


def test_old_news_are_forgotten_in_pieces(ledger, make):
    """The oldest first; what is younger stays."""
    for age in range(5):
        with writing(ledger) as connection:
            tell_news(connection, [news_of(age, make) | {"at": make.now - timedelta(days=age)}])
    before = make.now - timedelta(days=1)
    assert forget_news(ledger, before, limit=2) == 2
    assert names(read_news(ledger, BEGINNING)) == ["n-0", "n-1", "n-2"]
    assert forget_news(ledger, before) == 1
    assert forget_news(ledger, before) == 0


def test_a_cursor_is_good_after_everything_was_forgotten(ledger, make):
    """No number is given twice."""
    for day in (0, 1):
        with writing(ledger) as connection:
            tell_news(connection, [news_of(day, make)])
        cursor = newest_news(ledger)
        assert forget_news(ledger, make.now + timedelta(days=1)) == 1
        with writing(ledger) as connection:
            tell_news(connection, [news_of("later", make)])
        assert names(read_news(ledger, cursor)) == ["n-later"]
        assert forget_news(ledger, make.now + timedelta(days=1)) == 1
