"""The faults of a database beneath the ledger, told from those of the program, in an operator's words.

A fault is nobody's doing here: the disk is full, the database is read-only, locked by somebody else, or gone.
Whatever function meets it raises `LedgerFaultError`; a missing table or a wrong value stays what it is.
"""

import sqlite3
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from sqlalchemy import ExceptionContext

from ledger.errors import LedgerFaultError


class Fault(StrEnum):
    """What happened to the ledger, `{where}` and what to do."""

    FULL = (
        "the disk of the ledger {where} is full ({said}); free some space: "
        "what was acknowledged is kept, and the rest is done in the next round or run"
    )
    READ_ONLY = (
        "the ledger {where} cannot be written ({said}); check that you may write to it and that its disk or "
        "database is not read-only: what it holds is unharmed, and the rest is done in the next round or run"
    )
    LOCKED = (
        "the ledger {where} stayed locked by somebody else for longer than we wait ({said}); end what holds it, "
        "an open transaction in a shell or a backup perhaps: nothing is lost, the rest is done in the next round or run"
    )
    GONE = (
        "the ledger at {where} cannot be reached: {said}; "
        "check that the database runs, that the address is right and that you may write to it"
    )


_SQLITE: Final[Mapping[int, Fault]] = {
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_READONLY: Fault.READ_ONLY,
    sqlite3.SQLITE_PERM: Fault.READ_ONLY,
    sqlite3.SQLITE_BUSY: Fault.LOCKED,
    sqlite3.SQLITE_LOCKED: Fault.LOCKED,
    sqlite3.SQLITE_CANTOPEN: Fault.GONE,
    sqlite3.SQLITE_IOERR: Fault.GONE,
}
_DEADLOCK: Final = "40P01"
_POSTGRESQL: Final[Mapping[str, Fault]] = {
    "53100": Fault.FULL,
    "25006": Fault.READ_ONLY,
    "42501": Fault.READ_ONLY,
    "55P03": Fault.LOCKED,
    _DEADLOCK: Fault.LOCKED,
}
"""By SQLSTATE; https://www.postgresql.org/docs/current/errcodes-appendix.html"""

_GONE_CLASSES: Final = frozenset({"08", "53", "57", "58"})
_PRIMARY: Final = 0xFF


def in_operators_words(where: str) -> Callable[[ExceptionContext], None]:
    """A listener to SQLAlchemy's `handle_error` that raises `LedgerFaultError` for what is a fault."""

    def listen(context: ExceptionContext) -> None:
        # A connection that the pool tries before it hands it out is replaced by a fresh one.
        fault = None if context.is_pre_ping else fault_of(context.original_exception)
        if fault is not None:
            said = " ".join(str(context.original_exception).split())
            raise LedgerFaultError(fault.format(where=where, said=said)) from context.original_exception

    return listen


def is_deadlock(fault: LedgerFaultError) -> bool:
    """Two transactions have waited for each other, and PostgreSQL has ended this one: done again, it gets on."""
    return getattr(fault.__cause__, "sqlstate", None) == _DEADLOCK


def fault_of(error: BaseException) -> Fault | None:
    """Which fault a driver's error tells of; None where it is the program's."""
    if isinstance(error, sqlite3.Error):
        return _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & _PRIMARY)
    # Only psycopg's errors have it: None where the server said nothing, for the connection broke.
    state = getattr(error, "sqlstate", "")
    if state is None:
        return Fault.GONE
    return _POSTGRESQL.get(state) or (Fault.GONE if state[:2] in _GONE_CLASSES else None)
