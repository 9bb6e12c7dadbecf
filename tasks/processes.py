"""Processes by name, `host:pid`: which one this is, and whether another of this host is no more."""

import os
import socket
from typing import Final

import psutil

CLOCKS_DIFFER_S: Final = 1.5
"""By so much two looks at when a process began may differ: the kernel's time of its own start is in whole seconds."""


def process_name() -> str:
    """This process, as people read it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def process_identity() -> str:
    """This process and no other that has its id later: `host:pid@begun`."""
    return f"{process_name()}@{psutil.Process().create_time():.2f}"


def nobody() -> str:
    """A process of this host that is no more, whenever it is asked for."""
    return f"{socket.gethostname()}:0"


def has_died(process: str) -> bool:
    """True where it was on this host and is no more; of other hosts nobody here can tell.

    Killed and not yet waited for by whoever started it, a process is dead too: in containers that may be for ever.
    Its id may be another's by now: the first process of a container that is started again always has the same.
    """
    name, _, begun = process.partition("@")
    host, _, pid = name.rpartition(":")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        found = psutil.Process(int(pid))
        return found.status() == psutil.STATUS_ZOMBIE or _has_begun_later(found, begun)
    except psutil.NoSuchProcess:
        return True


def _has_begun_later(found: psutil.Process, begun: str) -> bool:
    """True where it is not the one that began then, but has got its id."""
    return begun.replace(".", "", 1).isdecimal() and found.create_time() - float(begun) > CLOCKS_DIFFER_S
