"""Erasing a person everywhere: files, Prefect's artifacts, the ledger, the lake and the report over it.

No flow: a flow's parameters stay in Prefect's database, and with them the name of whoever was erased.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flows.artifacts import artifact_keys
from flows.aws import aws_clients
from ledger.engine import Ledger
from ledger.erasure import Erasure, erase_person
from tasks.attachments.store import remove
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

    `remove_artifacts` takes their keys out of Prefect, wherever its database is, and says how many there were.
    The ledger comes after what it leads to, and the lake, which follows from it, is written anew each time.
    """
    planned = await asyncio.to_thread(erase_person, ledger, tenant, names, clock(), dry_run=True)
    files = _remove_files(settings, tenant, planned)
    objects = await _remove_objects(settings, planned)
    artifacts = await remove_artifacts(artifact_keys(planned.batches))
    erasure = await asyncio.to_thread(erase_person, ledger, tenant, names, clock())
    # What was on its way while the ledger still had it.
    artifacts += await remove_artifacts(artifact_keys(erasure.batches))
    files += _remove_files(settings, tenant, erasure)
    objects += await _remove_objects(settings, erasure)
    lake_versions = await asyncio.to_thread(_rewrite_lake, ledger, settings, clock())
    return Removed(erasure, files, objects, artifacts, lake_versions)


def _remove_files(settings: Settings, tenant: str, erasure: Erasure) -> int:
    return sum(remove_files(settings.deliverables, tenant, batch) for batch in erasure.batches)


async def _remove_objects(settings: Settings, erasure: Erasure) -> int:
    """Attachments, as they came and what was made of them. AwayError, AwsBlockError: begin again later."""
    if not erasure.objects:
        return 0
    clients = await aws_clients(settings.aws_block)
    return await asyncio.to_thread(remove, clients.s3, erasure.objects)


def _rewrite_lake(ledger: Ledger, settings: Settings, now: datetime) -> int:
    """Write the lake from the ledger as it is now, and remove every older version of its files."""
    from flywheel import forget  # noqa: PLC0415 - as in `tasks.lake_supply`

    if not settings.lake.exists():
        return 0
    write_facts(ledger, settings, now)
    return forget(settings.lake)
