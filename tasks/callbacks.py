"""Callbacks of tasks that came over HTTP: who asked is told when what they asked for has come to its end."""

import asyncio
from datetime import datetime
from typing import Any, Final

from contracts.batches import BatchState
from ledger.callbacks import Callback, settle_callback, take_callbacks
from ledger.deliveries import list_deliverables
from ledger.errors import LedgerFaultError
from tasks.channels import RefusedTargetError
from tasks.channels.webhooks import GoneError, post
from tasks.diagnosis.redact import redact
from tasks.publisher import ATTEMPTS, wait_after
from tasks.runtime import Runtime

AT_ONCE: Final = 16


async def call_back(run: Runtime) -> int:
    """Call everybody whose task has ended; returns how many took it."""
    taken = 0
    while due := await run.in_ledger(take_callbacks, run.clock(), AT_ONCE, run.settings.delivery_hold):
        taken += sum(await asyncio.gather(*(_called(one, run) for one in due)))
    return taken


async def _called(callback: Callback, run: Runtime) -> bool:
    """Whether it was taken; whatever else happens is settled, so that it comes again later, or never."""
    key, number = callback.event_key, callback.event_key.hex()
    kind = "task.done" if callback.state == BatchState.DONE.value else "task.failed"
    next_at: datetime | None = None
    try:
        await post(run, callback.url, callback.secret, f"task:{number}", kind, await _told(callback, run))
    except (RefusedTargetError, GoneError) as refused:
        error: Exception = refused
    except LedgerFaultError:
        raise
    except Exception as failed:  # noqa: BLE001 - one receiver's trouble is nobody else's
        error = failed
        if callback.attempts < ATTEMPTS:
            next_at = run.clock() + wait_after(callback.attempts)
    else:
        await run.in_ledger(settle_callback, key, run.clock())
        return True
    said = redact(f"{type(error).__name__}: {error}", run.settings.secrets)
    await run.in_ledger(settle_callback, key, run.clock(), said, next_at)
    return False


async def _told(callback: Callback, run: Runtime) -> dict[str, Any]:
    made = await run.in_ledger(list_deliverables, callback.batch)
    number = callback.event_key.hex()
    return {
        "id": number,
        "status": f"/v1/tasks/{number}",
        "batch": callback.batch,
        "state": callback.state,
        "deliverables": [one.model_dump(mode="json") for one in made],
    }
