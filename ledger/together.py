"""Several writers' work in one transaction: one commit, and one turn at SQLite's lock, for all of them."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from ledger.engine import Ledger
from ledger.errors import LedgerFaultError
from ledger.sql import writing

Step = Callable[[Connection], Any]
"""Work in a write transaction that is open: a function of this package, given the transaction for its ledger."""


def write_together(ledger: Ledger, steps: Sequence[Step]) -> list[Any]:
    """What each step returns, or the exception of one that fails: that one leaves nothing behind, the others stay.

    Steps must take no named locks: two processes that take them in different orders wait for each other.

    Raises:
        LedgerFaultError: the ledger failed beneath all of them; nothing is written.
    """
    if len(steps) > 1:
        try:
            with writing(ledger) as connection:
                return [step(connection) for step in steps]
        except LedgerFaultError:
            raise
        except Exception:  # noqa: BLE001, S110 - rolled back for all: below, the one that fails does so alone
            pass
    return [_alone(ledger, step) for step in steps]


def _alone(ledger: Ledger, step: Step) -> Any:  # noqa: ANN401 - whatever the step returns
    try:
        with writing(ledger) as connection:
            return step(connection)
    except Exception as error:  # noqa: BLE001 - raised where the step was asked for
        return error
