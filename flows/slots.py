"""The cost throttle: a lease on the model's requests in flight, shared by every process through Prefect."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Final

import httpx
from prefect.client.orchestration import get_client
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError, concurrency
from prefect.exceptions import ObjectNotFound

from tasks.runtime import Runtime

MODEL_LIMIT: Final = "penstock-model-requests"
SHORTEST_LEASE_S: Final = 60.0
"""The shortest that Prefect's server grants."""


@asynccontextmanager
async def model_slots(run: Runtime) -> AsyncIterator[None]:
    """Hold one block of slots, as many as this process may have requests in flight; waits until they are free.

    An operator may have set the limit lower than that: then it is the limit that counts. A limit that does not
    exist is an error: without it nothing would bound what all processes spend together.
    """
    wanted = run.settings.model_requests_in_flight
    allowed = min(wanted, max(1, await limit_or(wanted)))
    slots = concurrency(
        MODEL_LIMIT,
        occupy=allowed,
        strict=True,
        # The slots of a worker that died are free again about when its batches are.
        lease_duration=max(SHORTEST_LEASE_S, run.settings.lease_s),
        # A lease that cannot be renewed because the server is away for minutes breaks off no call that is paid for.
        raise_on_lease_renewal_failure=False,
    )
    async with AsyncExitStack() as held:
        with _what_the_server_said():
            await held.enter_async_context(slots)
        await held.enter_async_context(run.calls.client.held_back(wanted - allowed))
        yield


@contextmanager
def _what_the_server_said() -> Iterator[None]:
    """A server that is away is an error of HTTP here as everywhere; Prefect wraps it."""
    try:
        yield
    except ConcurrencySlotAcquisitionError as error:
        if isinstance(error.__cause__, httpx.HTTPError):
            raise error.__cause__ from None
        raise


async def limit_or(default: int) -> int:
    """How many slots the limit has in all; `default` where there is no limit."""
    async with get_client() as client:
        try:
            return (await client.read_global_concurrency_limit_by_name(MODEL_LIMIT)).limit
        except ObjectNotFound:
            return default
