"""A ledger that somebody else keeps locked: ridden out for a minute, after that a clear error and nothing half done."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from ledger.claims import claim_next
from ledger.engine import LOCK_PATIENCE_S, close_ledger, open_ledger
from ledger.errors import LedgerFaultError
from ledger.status import status
from tests.faults.locks import OUTAGE_S, locked

LEASE = {"lease_id": "lease-1", "owner": "worker"}


@pytest.fixture
def impatient(ledger_url):
    """The same ledger for a process that waits a moment only, by what its address says."""
    asked = "timeout=0.05" if ledger_url.startswith("sqlite") else "options=-c%20lock_timeout%3D50"
    opened = open_ledger(f"{ledger_url}{'&' if '?' in ledger_url else '?'}{asked}")
    yield opened
    close_ledger(opened)


def test_by_default_a_lock_of_30_seconds_is_waited_for_twice_over(ledger):
    """Every connection waits a minute, by the database's own clock."""
    with ledger.connect() as connection:
        if ledger.dialect.name == "sqlite":
            waits = connection.exec_driver_sql("PRAGMA busy_timeout").scalar() / 1000
        else:
            waits = 60 * int(connection.execute(text("SHOW lock_timeout")).scalar().removesuffix("min"))
    assert waits == LOCK_PATIENCE_S >= 2 * OUTAGE_S


def test_what_waits_for_a_lock_goes_on_when_it_is_given_back(ledger, ledger_url, fill):
    """Intake that met a lock is done a moment after its end, and nobody was told of an error."""
    waiting = threading.Event()

    def take_in():
        waiting.set()
        return fill.take_in(ledger, fill.events(["The phone is dead."]))

    with ThreadPoolExecutor(1) as other:
        with locked(ledger_url):
            taken = other.submit(take_in)
            waiting.wait()
            assert not taken.done()
        assert len(taken.result(timeout=60)) == 1


def test_a_lock_that_outlasts_the_wait_is_one_clear_line_and_nothing_is_written(
    ledger, ledger_url, impatient, fill, clock
):
    """Intake and claims say who, where and what to do; what was there is there, and afterwards both succeed."""
    batch = fill.ready(ledger, ["The phone is dead."])
    events = fill.events(["It is dead again."])
    for work in (
        lambda: fill.take_in(impatient, events),
        lambda: claim_next(impatient, **LEASE, now=clock.now, lease_for=clock.now - clock.now),
    ):
        with (
            locked(ledger_url),
            pytest.raises(LedgerFaultError, match="stayed locked by somebody else") as told,
        ):
            work()
        assert "\n" not in str(told.value)
        assert "nothing is lost" in str(told.value)
    assert status(ledger)["events"]["accepted"] == 1
    assert status(ledger)["batches"]["by_state"] == {"READY": 1}
    fill.take_in(impatient, events)
    found = claim_next(impatient, **LEASE, now=clock.now, lease_for=clock.now - clock.now)
    assert found is not None
    assert found.batch.id == batch


def test_the_message_holds_no_password_and_a_missing_table_is_no_fault_of_the_database(ledger):
    """What is wrong with the program stays an error of the program, with its log."""
    with pytest.raises(Exception, match="nowhere") as found, ledger.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM nowhere")
    assert not isinstance(found.value, LedgerFaultError)
