"""Prefect's global concurrency limits: the cost throttle that all processes share."""

from contextlib import suppress

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectAlreadyExists

from tasks.settings import Settings

PAGE = 200


async def ensure_limits(settings: Settings) -> None:
    """Create the limits that the settings ask for where there are none; an operator's change is kept."""
    async with get_client() as client:
        there: set[str] = set()
        while page := await client.read_global_concurrency_limits(limit=PAGE, offset=len(there)):
            there |= {limit.name for limit in page}
        for cap in settings.caps:
            if cap.name not in there:
                limit = GlobalConcurrencyLimitCreate(
                    name=cap.name, limit=cap.slots, slot_decay_per_second=cap.decay
                )
                # Another process that starts now may have been first; its limit is as good.
                with suppress(ObjectAlreadyExists):
                    await client.create_global_concurrency_limit(limit)
