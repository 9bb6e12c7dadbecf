"""Work of several in one transaction: as if each had its own, and one commit for all."""

import threading
from contextlib import ExitStack
from functools import partial

import psycopg
import pytest
from sqlalchemy import event

from ledger.engine import Ledger, open_ledger
from ledger.errors import LedgerFaultError, UnknownCallError
from ledger.together import write_together
from ledger.work import begin_call, settle_call
from tests.faults.locks import locked


@pytest.fixture
def commits(ledger):
    """How many transactions are committed from now on: `sum(commits)`."""
    seen = []
    event.listen(ledger, "commit", lambda _: seen.append(1))
    return seen


def states(ledger: Ledger) -> dict[str, str]:
    """Each call's state."""
    with ledger.connect() as connection:
        return dict(connection.exec_driver_sql("SELECT id, state FROM model_calls").fetchall())


def beginnings(make, count):
    """Steps that begin so many calls."""
    return [partial(begin_call, identity=make.call("b-1", number)) for number in range(count)]


def test_steps_share_a_transaction_and_each_gets_its_own_result(ledger, make, commits):
    """Three calls begun and one of them settled, after it, with a single commit."""
    settled = partial(settle_call, call_id="call-1", outcome=make.reply(), now=make.now)
    assert write_together(ledger, [*beginnings(make, 3), settled]) == [None] * 4
    assert states(ledger) == {"call-0": "STARTED", "call-1": "SUCCEEDED", "call-2": "STARTED"}
    assert sum(commits) == 1


def test_a_step_that_fails_leaves_nothing_behind_and_the_others_stay(ledger, make):
    """What it wrote before it failed is gone; its exception stands in the place of its result."""

    def half(within):
        begin_call(within, make.call("b-1", 9))
        settle_call(within, "no such call", make.reply(), make.now)

    one, failed, two = write_together(ledger, [beginnings(make, 1)[0], half, beginnings(make, 2)[1]])
    assert (one, two) == (None, None)
    assert isinstance(failed, UnknownCallError)
    assert states(ledger) == {"call-0": "STARTED", "call-1": "STARTED"}


@pytest.fixture
def impatient(ledger, ledger_url):
    """The same ledger, for somebody who waits for a lock for a twentieth of a second; `tried` counts connections."""
    assert ledger
    patience = "?timeout=0.05" if ledger_url.startswith("sqlite") else "&options=-c%20lock_timeout%3D50ms"
    opened = open_ledger(ledger_url + patience)
    yield opened
    opened.dispose()


@pytest.fixture
def tried(impatient):
    """How often a transaction was tried from now on: `len(tried)`."""
    seen = []
    event.listen(impatient, "checkout", lambda *_: seen.append(1))
    return seen


def test_a_fault_of_the_ledger_is_told_to_all(ledger, ledger_url, make, impatient, tried):
    """Locked by somebody else: its patience is over once and not once a step, and nothing is written."""
    with locked(ledger_url):
        results = write_together(impatient, beginnings(make, 3))
    assert {type(one) for one in results} == {LedgerFaultError}
    assert len(tried) == 1
    assert states(ledger) == {}


def test_a_fault_after_a_steps_own_failure_is_waited_for_once(ledger, ledger_url, make, impatient, tried):
    """One step fails, and when each is done alone the ledger is locked: the first to meet it speaks for the rest."""
    with ExitStack() as stranger:

        def wrong(within):
            begin_call(within, make.call("b-1", 9))
            if not stranger_has_come:
                stranger_has_come.append(1)
                event.listen(impatient, "checkin", lock, once=True)
            raise ValueError("no")

        def lock(*_):
            stranger.enter_context(locked(ledger_url))

        stranger_has_come = []
        results = write_together(impatient, [wrong, *beginnings(make, 3)])
    assert {type(one) for one in results} == {LedgerFaultError}
    assert len(tried) == 2
    assert states(ledger) == {}


ROW = """
INSERT INTO breakers (model, state, failures, openings, changed_at, reason) VALUES (%s, 'CLOSED', 0, 0, 0, '')
ON CONFLICT (model) DO UPDATE SET failures = breakers.failures + 1
"""


def test_steps_that_another_process_waits_for_while_they_wait_for_it_are_done_one_by_one(copied_postgres):
    """PostgreSQL ends one of the two, ours: then each step waits alone, and nothing of either side is lost."""
    # Whose patience is over first is ended.
    ledger = open_ledger(copied_postgres + "&options=-c%20deadlock_timeout%3D100ms")
    with psycopg.connect(copied_postgres) as other:
        other.execute(ROW, ["b"])
        other.commit()
        other.execute(ROW, ["b"])

        def crossing():
            other.execute(ROW, ["a"])
            other.commit()

        crosses = threading.Thread(target=crossing)

        def first(within):
            within.exec_driver_sql(ROW, ("a",))
            if crosses.ident is None:
                crosses.start()

        results = write_together(ledger, [first, lambda within: within.exec_driver_sql(ROW, ("b",)) and None])
        crosses.join()
        failures = dict(other.execute("SELECT model, failures FROM breakers").fetchall())
    ledger.dispose()
    assert results == [None, None]
    assert failures == {"a": 1, "b": 2}
