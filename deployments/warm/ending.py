"""The end of a worker: nothing more begins, what is in work has its time, and what lasts longer is broken off."""

import asyncio
import threading
from collections.abc import Callable

from deployments.warm.host import Host

BY_STOP = "The worker was stopped. What was in work goes on with the next run."
LOOK_S = 0.1


class Ending:
    """Asked for once, it leaves `patience_s`; asked for again, no time at all."""

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self.asked = threading.Event()
        """Set when nothing more is to begin."""
        self.has_broken_off = False
        """True once a run was cancelled because the process had to end."""

    def ask(self) -> bool:
        """True at the first time; from the second on nothing is waited for."""
        if self.asked.is_set():
            self.patience_s = 0.0
            return False
        self.asked.set()
        return True

    async def rest(self, host: Host, is_busy: Callable[[], bool], *, breaks_off: bool = True) -> None:
        """Wait for what is under way, or on its way here; cancel what lasts too long."""
        self.asked.set()
        began = asyncio.get_running_loop().time()
        while is_busy():
            if breaks_off and asyncio.get_running_loop().time() - began >= self.patience_s:
                for run in host.active:
                    self.has_broken_off |= host.end(run, BY_STOP)
            await asyncio.sleep(LOOK_S)
