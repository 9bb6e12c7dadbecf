"""What one tenant, and one request, may ask for."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request

from gateway.http.problems import RefusedError

BURST_S: Final = 2.0
"""So many seconds' worth of events may come at once."""


@dataclass
class RateLimit:
    """A token bucket for each tenant: so many events a second, and what has not been used for `BURST_S`.

    In one process; several processes of a gateway allow each tenant so much each.
    """

    per_s: Callable[[str], float]
    clock: Callable[[], float] = time.monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def spend(self, tenant: str, events: int) -> None:
        """Count events; RefusedError, with the seconds to wait, where the tenant has had its share.

        A request that is larger than all that may come at once is let through when nothing was used.
        """
        per_s, now = self.per_s(tenant), self.clock()
        most = per_s * BURST_S
        left, at = self._left.get(tenant, (most, now))
        left = min(most, left + (now - at) * per_s)
        if left < min(events, most):
            wait_s = (min(events, most) - left) / per_s
            raise RefusedError(
                429,
                "Too many events",
                f"the tenant {tenant!r} may send {per_s:g} events a second; try again later",
                {"retry-after": str(max(1, round(wait_s + 0.5)))},
            )
        self._left[tenant] = (left - events, now)


async def read_body(request: Request, most_bytes: int, within_s: float) -> bytes:
    """The body, bounded in size and time.

    Raises:
        RefusedError: it is too large, or does not come.
    """
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > most_bytes:
        raise _too_large(most_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise _too_large(most_bytes)
    except TimeoutError:
        raise RefusedError(
            408,
            "Too slow",
            f"the body was not there after {within_s:g} s; send it again",
            {"connection": "close"},
        ) from None
    return bytes(body)


def _too_large(most_bytes: int) -> RefusedError:
    return RefusedError(
        413, "Too large", f"a body may have {most_bytes:,} bytes; send several", {"connection": "close"}
    )
