"""What comes up while a transaction is written goes into the next one, all of it together."""

import asyncio
import threading

import pytest
from sqlalchemy import event

from ledger.sql import writing
from tasks.model.paid import PaidCalls, RetryPolicy
from tasks.together import Together

NOTE = "INSERT INTO turns (tenant, turn, first_at) VALUES ('{}', 0, 0)"


@pytest.fixture
def commits(sqlite_ledger):
    """Each commit from now on."""
    seen = []
    event.listen(sqlite_ledger, "commit", seen.append)
    return seen


@pytest.fixture
def together(sqlite_ledger):
    """The writer of a process."""
    return Together(sqlite_ledger)


def noted(ledger):
    """What has been written."""
    with ledger.connect() as connection:
        return {row[0] for row in connection.exec_driver_sql("SELECT tenant FROM turns")}


def note(name):
    """A step that writes `name` and returns it."""

    def step(within):
        within.exec_driver_sql(NOTE.format(name))
        return name

    return step


def held(name):
    """A step that waits until it is let go; and what lets it go."""
    go = threading.Event()

    def step(within):
        assert go.wait(30)
        return note(name)(within)

    return step, go


async def turns():
    """The loop has done all that can be done without an answer of the ledger's, which is held up."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_what_comes_up_meanwhile_shares_one_commit(together, sqlite_ledger, commits):
    """One is being written, twenty come: two commits, and each gets its own answer."""

    async def scenario():
        step, go = held("first")
        first = asyncio.create_task(together(step))
        await asyncio.sleep(0)
        others = [asyncio.create_task(together(note(f"n{number}"))) for number in range(20)]
        await asyncio.sleep(0)
        go.set()
        return await asyncio.gather(first, *others)

    names = ["first", *(f"n{number}" for number in range(20))]
    assert asyncio.run(scenario()) == names
    assert noted(sqlite_ledger) == set(names)
    assert len(commits) == 2


def test_an_answer_comes_only_after_its_commit(together, sqlite_ledger):
    """What a step has returned can be read by everybody else by then."""

    async def scenario():
        await together(note("kept"))
        return noted(sqlite_ledger)

    assert asyncio.run(scenario()) == {"kept"}


def test_who_is_cancelled_before_his_turn_writes_nothing(together, sqlite_ledger):
    """The others of the same transaction do."""

    async def scenario():
        step, go = held("first")
        first = asyncio.create_task(together(step))
        await asyncio.sleep(0)
        gone, stays = (
            asyncio.create_task(together(note("gone"))),
            asyncio.create_task(together(note("stays"))),
        )
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(first, stays)
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(scenario())
    assert noted(sqlite_ledger) == {"first", "stays"}


def test_what_was_paid_for_is_written_though_its_batch_is_cancelled(sqlite_ledger):
    """A lane that ends early ends after it: the next holder of the batch finds the answer and does not pay again."""
    calls = PaidCalls(sqlite_ledger, None, RetryPolicy((), lambda: 0.5), None, None)

    async def scenario():
        step, go = held("first")
        first = asyncio.create_task(calls.keep(step))
        await turns()
        kept = asyncio.create_task(calls.keep(note("kept")))
        await turns()
        kept.cancel()
        await turns()
        assert not kept.done()
        go.set()
        await first
        with pytest.raises(asyncio.CancelledError):
            await kept

    asyncio.run(scenario())
    assert noted(sqlite_ledger) == {"first", "kept"}


def test_an_error_is_raised_where_its_step_was_asked_for(together, sqlite_ledger):
    """And nowhere else; the next one finds a writer that goes on."""

    def wrong(within):
        note("wrong")(within)
        raise ValueError("no")

    async def scenario():
        results = await asyncio.gather(
            together(note("one")), together(wrong), together(note("two")), return_exceptions=True
        )
        return results, await together(note("three"))

    (one, failed, two), three = asyncio.run(scenario())
    assert (one, two, three) == ("one", "two", "three")
    assert isinstance(failed, ValueError)
    assert noted(sqlite_ledger) == {"one", "two", "three"}


def undone(ledger):
    """Writes within a transaction that its opener then gives up."""
    with writing(ledger) as outer:
        with writing(outer) as inner:
            note("inner")(inner)
        raise ValueError("undone")


def test_an_open_transaction_is_its_openers_to_end(sqlite_ledger):
    """Written within it and rolled back with it."""
    with pytest.raises(ValueError, match="undone"):
        undone(sqlite_ledger)
    assert noted(sqlite_ledger) == set()
