"""Prefect's global concurrency limits: the cost throttle that all processes share."""

from contextlib import suppress

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from flows.slots import MODEL_LIMIT
from tasks.settings import Settings


async def ensure_limits(settings: Settings) -> None:
    """Create the limit on model requests in flight where there is none; an operator's change is kept."""
    async with get_client() as client:
        try:
            await client.read_global_concurrency_limit_by_name(MODEL_LIMIT)
        except ObjectNotFound:
            limit = GlobalConcurrencyLimitCreate(name=MODEL_LIMIT, limit=settings.model_requests_in_flight)
            # Another process that starts now may have been first; its limit is as good.
            with suppress(ObjectAlreadyExists):
                await client.create_global_concurrency_limit(limit)
