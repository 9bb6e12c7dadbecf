"""Batches: the unit of work, of isolation and of accounting."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final, Literal

from contracts.base import Contract
from contracts.events import Event, Name, Priority

BATCH_SCHEMA_VERSION: Final = "1"


class Scope(StrEnum):
    """Whose events a batch holds: a tenant's, or those of one user of a tenant."""

    TENANT = "tenant"
    USER = "user"


class BatchState(StrEnum):
    """Where a batch stands. Every transition is one conditional update with its time and reason."""

    COLLECTING = "COLLECTING"
    READY = "READY"
    RUNNING = "RUNNING"
    PENDING = "PENDING"
    WAITING = "WAITING"
    SUBMITTED = "SUBMITTED"
    HELD = "HELD"
    DONE = "DONE"
    FAILED = "FAILED"
    DEAD = "DEAD"


RESUMABLE = frozenset({BatchState.PENDING, BatchState.HELD})
FINISHED = frozenset({BatchState.DONE, BatchState.FAILED, BatchState.DEAD})


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """A closed batch as the policy proposes it; `events` are ledger sequence numbers.

    A plain value: all of it comes from rows that were checked, and a burst makes a hundred thousand of them.
    """

    id: str
    scope: Scope
    tenant: Name
    user: Name | None
    level: Priority
    pipeline: Name
    events: tuple[int, ...]
    tokens: int


class Batch(Contract):
    """A batch as the ledger holds it; `resume_at` says when a PENDING or HELD one tries again (UTC)."""

    schema_version: Literal["1"] = BATCH_SCHEMA_VERSION
    id: str
    scope: Scope
    tenant: Name
    user: Name | None
    level: Priority
    pipeline: Name
    state: BatchState
    size: int
    tokens: int
    created_at: datetime
    reason: str | None = None
    resume_at: datetime | None = None

    @property
    def label(self) -> str:
        """What a person calls it: `acme / HIGH / b-1a2b3c4d`, or `acme / one user / HIGH / b-1a2b3c4d`.

        It names runs and artifacts in Prefect, where nobody could erase a user's name.
        """
        who = self.tenant if self.user is None else f"{self.tenant} / one user"
        return f"{who} / {self.level} / {self.id[:10]}"


class BatchWork(Contract):
    """What a claimed batch brings: itself, its events in ledger order, and the lease that holds it."""

    batch: Batch
    events: tuple[Event, ...]
    lease: str


def batch_id(scope: Scope, level: Priority, event_keys: list[bytes]) -> str:
    """An id derived from scope, level and the sorted events' keys: planned twice, it is the same batch."""
    digest = sha256(f"{scope}|{level}|".encode())
    digest.update(b"".join(sorted(event_keys)))
    return f"b-{digest.hexdigest()[:24]}"
