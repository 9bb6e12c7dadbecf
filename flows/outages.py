"""Errors of Prefect's server, by one name wherever they come from."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError


@contextmanager
def what_the_server_said() -> Iterator[None]:
    """A server that is away or overloaded is an error of HTTP here as everywhere; for tags' limits Prefect wraps it."""
    try:
        yield
    except ConcurrencySlotAcquisitionError as error:
        if isinstance(error.__cause__, httpx.HTTPError):
            raise error.__cause__ from None
        raise
