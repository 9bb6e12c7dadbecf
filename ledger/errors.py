"""What can go wrong with a ledger, each with what to do about it."""

from collections.abc import Sequence
from typing import Any

from contracts.batches import BatchWork
from contracts.errors import OperatorError


class LedgerError(OperatorError):
    """The base of every error of the ledger."""


class LedgerUnavailableError(LedgerError):
    """The database cannot be reached or opened; the message is one line and holds no password."""


class LedgerFaultError(LedgerUnavailableError):
    """The database failed beneath a function of the ledger: full, read-only, locked, gone. Nothing was written."""


class NewerLedgerError(LedgerError):
    """The database was written by a newer version; it has been left as it was."""


class UnknownBatchError(LedgerError):
    """No batch has the id that was given."""


class UnknownCallError(LedgerError):
    """No model call has the id that was given."""


class AmbiguousIdError(LedgerError):
    """More than one id begins with the prefix that was given."""


class IllegalTransitionError(LedgerError):
    """The batch is in a state from which the wanted one cannot be reached."""


class LeaseLostError(LedgerError):
    """The batch is no longer held by the lease that was shown: another worker has it, or may."""


class UnreadableBatchError(LedgerError):
    """A batch was claimed whose events cannot be read; `work` is the claim, `stored` the events as they are."""

    def __init__(self, work: BatchWork, stored: Sequence[Any], error: Exception) -> None:
        super().__init__(f"the events of {work.batch.id} cannot be read: {error}")
        self.work = work
        self.stored = stored
