"""Several writers' work in one transaction: one commit, and one turn at SQLite's lock, for all of them."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from ledger.engine import Ledger
from ledger.errors import LedgerFaultError
from ledger.faults import is_deadlock
from ledger.sql import writing

Step = Callable[[Connection], Any]
"""Work in a write transaction that is open: a function of this package, given the transaction for its ledger."""


def write_together(ledger: Ledger, steps: Sequence[Step]) -> list[Any]:
    """What each step returns, or the exception of one that fails: that one leaves nothing behind, the others stay.

    A ledger that fails, fails for all of them that have not been written: it is waited for once, and not once a step.
    """
    if len(steps) > 1:
        try:
            with writing(ledger) as connection:
                return [step(connection) for step in steps]
        except LedgerFaultError as fault:
            if not is_deadlock(fault):
                return [fault] * len(steps)
        except Exception:  # noqa: BLE001, S110 - rolled back for all: below, the one that fails does so alone
            pass
    return _one_by_one(ledger, steps)


def _one_by_one(ledger: Ledger, steps: Sequence[Step]) -> list[Any]:
    results: list[Any] = []
    for step in steps:
        results.append(_alone(ledger, step))
        if isinstance(results[-1], LedgerFaultError):
            results += [results[-1]] * (len(steps) - len(results))
            break
    return results


def _alone(ledger: Ledger, step: Step) -> Any:  # noqa: ANN401 - whatever the step returns
    try:
        with writing(ledger) as connection:
            return step(connection)
    except Exception as error:  # noqa: BLE001 - raised where the step was asked for
        return error
