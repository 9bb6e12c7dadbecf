"""Work of several in one transaction: as if each had its own, and one commit for all."""

from functools import partial

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


def test_a_fault_of_the_ledger_is_raised_once_for_all(ledger, ledger_url, make):
    """Locked by somebody else: its patience is over once and not once a step, and nothing is written."""
    patience = "?timeout=0.05" if ledger_url.startswith("sqlite") else "&options=-c%20lock_timeout%3D50ms"
    impatient, tried = open_ledger(ledger_url + patience), []
    event.listen(impatient, "checkout", lambda *_: tried.append(1))
    with locked(ledger_url), pytest.raises(LedgerFaultError):
        write_together(impatient, beginnings(make, 3))
    impatient.dispose()
    assert len(tried) == 1
    assert states(ledger) == {}
