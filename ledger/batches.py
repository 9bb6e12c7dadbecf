"""Batches: how they are made and read. What other rooms need of `batch_plans` and `batch_reads`."""

from ledger.batch_plans import create_batches
from ledger.batch_reads import (
    Transition,
    batch_diagnosis,
    batch_event_ids,
    batch_history,
    list_batches,
    read_batch,
)

__all__ = [
    "Transition",
    "batch_diagnosis",
    "batch_event_ids",
    "batch_history",
    "create_batches",
    "list_batches",
    "read_batch",
]
