"""The cost throttle: a lease on the model's requests in flight, shared by every process through Prefect."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from prefect.concurrency.asyncio import concurrency

from tasks.settings import Settings

MODEL_LIMIT: Final = "penstock-model-requests"


@asynccontextmanager
async def model_slots(settings: Settings) -> AsyncIterator[None]:
    """Hold one block of slots, as many as this process may have requests in flight; waits until they are free.

    A limit that does not exist is an error: without it nothing would bound what all processes spend together.
    """
    async with concurrency(MODEL_LIMIT, occupy=settings.model_requests_in_flight, strict=True):
        yield
