"""Erasing a person everywhere: files, Prefect's artifacts, the ledger, the lake and the report over it.

No flow: a flow's parameters stay in Prefect's database, and with them the name of whoever was erased.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flows.artifacts import artifact_keys
from ledger.engine import Ledger
from ledger.erased_attachments import mark_removed, objects_to_remove
from ledger.erasure import Erasure, erase_person
from tasks.delivery import remove_files
from tasks.lake_supply import write_facts
from tasks.settings import Settings


@dataclass(frozen=True)
class Removed:
    """What is gone: from the ledger, as files, as objects of S3, as artifacts, as old versions of the lake's files."""

    ledger: Erasure
    files: int
    objects: int
    artifacts: int
    lake_versions: int


async def erase_everywhere(
    ledger: Ledger,
    settings: Settings,
    tenant: str,
    names: Sequence[str],
    *,
    remove_artifacts: Callable[[Sequence[str]], Awaitable[int]],
    clock: Callable[[], datetime],
) -> Removed:
    """Remove a user of a tenant, under all `names`. Broken off, it is begun again by the same call.

    `remove_artifacts` takes their keys out of Prefect, wherever its database is, and says how many there were. What is
    in S3 comes last: its addresses are kept until it is gone.
    The ledger comes after what it leads to, and the lake, which follows from it, is written anew each time.
    """
    planned = await asyncio.to_thread(erase_person, ledger, tenant, names, clock(), dry_run=True)
    files = _remove_files(settings, tenant, planned)
    artifacts = await remove_artifacts(artifact_keys(planned.batches))
    erasure = await asyncio.to_thread(erase_person, ledger, tenant, names, clock())
    # What was on its way while the ledger still had it.
    artifacts += await remove_artifacts(artifact_keys(erasure.batches))
    files += _remove_files(settings, tenant, erasure)
    lake_versions = await asyncio.to_thread(_rewrite_lake, ledger, settings, clock())
    objects = await remove_objects(ledger, settings)
    return Removed(erasure, files, objects, artifacts, lake_versions)


def _remove_files(settings: Settings, tenant: str, erasure: Erasure) -> int:
    return sum(remove_files(settings.deliverables, tenant, batch) for batch in erasure.batches)


async def remove_objects(ledger: Ledger, settings: Settings) -> int:
    """Attachments of all who were erased, as they came and what was made of them; how many objects.

    Raises:
        AwayError: S3 cannot be reached, or AWS is not set up; they are still to be removed.
    """
    due = await asyncio.to_thread(objects_to_remove, ledger)
    if not due:
        return 0
    # Only here: AWS takes most of a second to load, and few who are erased had any files.
    from flows.aws import reachable_clients  # noqa: PLC0415
    from tasks.attachments.store import remove  # noqa: PLC0415

    clients = await reachable_clients(settings.aws_block)
    removed = await asyncio.to_thread(remove, clients.s3, due)
    await asyncio.to_thread(mark_removed, ledger, due)
    return removed


def _rewrite_lake(ledger: Ledger, settings: Settings, now: datetime) -> int:
    """Write the lake from the ledger as it is now, and remove every older version of its files."""
    from flywheel import forget  # noqa: PLC0415 - as in `tasks.lake_supply`

    if not settings.lake.exists():
        return 0
    write_facts(ledger, settings, now)
    return forget(settings.lake)
