"""How long one process serves: so many runs, so much memory. Then it starts itself anew, when none is under way."""

import os
import sys
from dataclasses import dataclass
from typing import NoReturn

import psutil

MB = 1_000_000


@dataclass(frozen=True)
class Bounds:
    """After `runs` flow runs or beyond `memory_mb` MB a process is old."""

    runs: int
    memory_mb: int

    def reached(self, hosted: int, memory_mb: float) -> str | None:
        """Why the process is old, in words; None while it is not, and before it has served anything.

        One that is too big from its beginning serves a run at a time; otherwise it would begin anew for ever.
        """
        if hosted >= self.runs:
            return f"it has served {hosted} runs"
        if hosted and memory_mb > self.memory_mb:
            return f"it uses {memory_mb:.0f} MB"
        return None


def memory_mb() -> float:
    """What this process uses now."""
    return float(psutil.Process().memory_info().rss) / MB


def begin_anew() -> NoReturn:
    """The same command in the same process, by its id; who supervises it sees no end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line
