"""Processes by name, `host:pid`: which one this is, and whether another of this host is no more."""

import os
import socket

import psutil


def process_name() -> str:
    """This process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def has_died(process: str) -> bool:
    """True where it was on this host and is no more; of other hosts nobody here can tell.

    Killed and not yet waited for by whoever started it, a process is dead too: in containers that may be for ever.
    """
    host, _, pid = process.rpartition(":")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        return psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
