"""Outages while `up` works: told once, waited for, and told when they are over. No batch is the worse for one."""

import asyncio
from collections.abc import Awaitable, Callable
from threading import Event

from gateway.cli.errors import ExitCode, exit_code, told
from gateway.cli.output import err

LONGEST_WAIT_S = 30.0


class Outages:
    """What stands in the way of the rounds for now, if anything."""

    def __init__(self, first_wait_s: float) -> None:
        self._first_wait_s = first_wait_s
        self._wait_s = first_wait_s
        self._said: str | None = None

    async def outlasted(self, round_of_work: Callable[[], Awaitable[object]], stop: Event) -> None:
        """One round and the wait after it; what is out of reach is no end but a longer wait."""
        try:
            await round_of_work()
        except Exception as error:
            if exit_code(error) is not ExitCode.OUT_OF_REACH:
                raise
            self._tell(told(error))
        else:
            self._tell_over()
        await _rested(self._wait_s, stop)

    def _tell(self, message: str) -> None:
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        if message != self._said:
            err.print(f"waiting: {message}", markup=False, soft_wrap=True)
        self._said = message

    def _tell_over(self) -> None:
        if self._said is not None:
            err.print("going on: what was out of reach is back")
        self._wait_s, self._said = self._first_wait_s, None


async def _rested(seconds: float, stop: Event) -> None:
    """Wait that long, or until the process is to end."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while not stop.is_set() and (left := until - loop.time()) > 0:  # noqa: ASYNC110 - set from another thread
        await asyncio.sleep(min(left, 1.0))
