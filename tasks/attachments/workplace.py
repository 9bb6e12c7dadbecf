"""Where files lie while they are worked on: a folder of this process, and none of processes that are gone.

A process that is killed cannot tidy up. What it left may be anybody's, so whoever comes next removes it.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from filelock import FileLock, Timeout

LOCK: Final = "in-use"


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """A folder of our own in `folder` for the time of the block; what others have left there goes."""
    folder.mkdir(parents=True, exist_ok=True)
    # One at a time, so that nobody takes away what somebody else is about to lock.
    with FileLock(folder / ".lock"):
        for left in folder.iterdir():
            if left.is_dir() and _is_nobodys(left):
                shutil.rmtree(left, ignore_errors=True)
        own = Path(mkdtemp(dir=folder))
        lock = FileLock(own / LOCK)
        lock.acquire()
    try:
        yield own
    finally:
        lock.release()
        shutil.rmtree(own, ignore_errors=True)


def _is_nobodys(folder: Path) -> bool:
    """The system gives back the lock of a process that has gone, however it went."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            return True
    except Timeout:
        return False
