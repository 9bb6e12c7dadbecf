"""Callbacks of tasks that came over HTTP: who asked is told when what they asked for has come to its end."""

import asyncio
from typing import Any, Final

from contracts.batches import BatchState
from ledger.callbacks import Callback, settle_callback, take_callbacks
from ledger.deliveries import list_deliverables
from tasks.channels import RefusedTargetError, UndeliveredError
from tasks.channels.webhooks import GoneError, post
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
    key, number = callback.event_key, callback.event_key.hex()
    kind = "task.done" if callback.state == BatchState.DONE.value else "task.failed"
    try:
        await post(run, callback.url, callback.secret, f"task:{number}", kind, await _told(callback, run))
    except UndeliveredError as error:
        again = callback.attempts < ATTEMPTS
        next_at = run.clock() + wait_after(callback.attempts) if again else None
        await run.in_ledger(settle_callback, key, run.clock(), str(error), next_at)
        return False
    except (RefusedTargetError, GoneError) as error:
        await run.in_ledger(settle_callback, key, run.clock(), str(error))
        return False
    await run.in_ledger(settle_callback, key, run.clock())
    return True


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
