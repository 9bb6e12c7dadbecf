"""What must not be left half done."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def uninterrupted(step: Awaitable[T]) -> T:
    """A step to its end, also where whoever waits for it is cancelled meanwhile; the cancellation comes after it."""
    task = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # An error is of no use to who is ending; asked for, it is not reported as one that nobody saw.
        await asyncio.gather(task, return_exceptions=True)
        raise
