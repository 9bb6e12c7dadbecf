"""Flows for the worker to run: what they return says where they ran."""

import asyncio
import os
from pathlib import Path
from uuid import uuid4

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.runtime import current_runtime

PROCESS = uuid4().hex[:8]
"""Another one each time that this module is imported anew."""

_kept: list[bytes] = []


def write(path: str, text: str) -> None:
    """Tell the test how far it is."""
    Path(path).write_text(text)


@flow
async def tell() -> State[None]:
    """Where this runs."""
    return Completed(message=f"{os.getpid()} {PROCESS} {id(current_runtime())}")


@flow
async def grow(megabytes: int) -> State[None]:
    """Keep so much memory, as a leak would."""
    _kept.append(b"x" * (megabytes * 1_000_000))
    return Completed(message=f"{os.getpid()} {PROCESS} {id(current_runtime())}")


@flow
async def last(path: str) -> None:
    """Until cancelled, which a file tells of."""
    write(path, "begun")
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        write(path, "broken off")
        raise


@flow
async def last_until_stop(path: str) -> None:
    """Until the process is to end, as a lane does."""
    write(path, "begun")
    await asyncio.to_thread(current_runtime().stop.wait)


@flow
async def fail() -> None:
    """Not at all."""
    raise ValueError("no good")


@flow
def in_a_thread() -> None:
    """No coroutine."""
