"""Work under the cost throttle: no model is called but with slots that all processes share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from prefect.client.orchestration import get_client

from flows.provider import Provider
from tasks.runtime import Runtime


@dataclass
class _Use:
    """The blocks of a runtime that are under way, and what is open for them."""

    blocks: int = 0
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    open: AsyncExitStack = field(default_factory=AsyncExitStack)


_uses: dict[str, _Use] = {}


@asynccontextmanager
async def throttled(run: Runtime) -> AsyncIterator[None]:
    """Provide for the requests of the block; blocks of the same runtime, side by side or within, share a provider.

    Raises:
        httpx.HTTPError: Prefect's server is not there at the beginning. Later it may be away for a while.
    """
    use = _uses.setdefault(run.owner, _Use())
    async with use.opening:
        if not use.blocks:
            await use.open.enter_async_context(_provided(run))
        use.blocks += 1
    try:
        yield
    finally:
        use.blocks -= 1
        # Who comes while the last one closes waits, and opens anew.
        async with use.opening:
            if not use.blocks:
                _uses.pop(run.owner, None)
                await use.open.aclose()


@asynccontextmanager
async def _provided(run: Runtime) -> AsyncIterator[None]:
    async with get_client() as client:
        provider = Provider(run, client)
        await provider.look()
        keeping = asyncio.create_task(provider.keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
            await provider.close()
            if not keeping.cancelled():
                keeping.result()
