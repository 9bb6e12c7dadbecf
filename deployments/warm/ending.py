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
        self.is_final = False
        """True where the process is to end, False where it is to begin anew."""
        self.has_broken_off = False
        """True once a run was cancelled because the process had to end."""

    def ask(self) -> bool:
        """True at the first time; from the second on nothing is waited for."""
        if self.is_final:
            self.patience_s = 0.0
            return False
        self.is_final = True
        self.asked.set()
        return True

    async def rest(self, host: Host, is_busy: Callable[[], bool]) -> None:
        """Wait for what is under way, or on its way here; cancel what lasts too long once the process is to end."""
        self.asked.set()
        now, ends_since = asyncio.get_running_loop().time, None
        while is_busy():
            if self.is_final:
                ends_since = now() if ends_since is None else ends_since
                if now() - ends_since >= self.patience_s:
                    for run in host.active:
                        self.has_broken_off |= host.end(run, BY_STOP)
            await asyncio.sleep(LOOK_S)
