"""The ledger, for the time of a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from ledger.engine import Ledger, close_ledger, open_ledger
from tasks.settings import Settings


@contextmanager
def ledger_of(settings: Settings) -> Iterator[Ledger]:
    """The ledger, open for the time of the block."""
    ledger = open_ledger(settings.ledger_url)
    try:
        yield ledger
    finally:
        close_ledger(ledger)
