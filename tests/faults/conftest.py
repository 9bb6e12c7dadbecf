"""Disks of our own to fill and to write-protect, where the machine lets us mount them."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

BALLAST = "ballast"


@dataclass(frozen=True)
class Disk:
    """A small file system in memory."""

    path: Path

    def set(self, options: str) -> None:
        """Remount with these options: `ro`, `rw`, `size=64m`."""
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)

    def fill_up(self, leave: int = 0) -> None:
        """Put something on it, so that only so many bytes are free."""
        found = os.statvfs(self.path)
        left = found.f_bavail * found.f_frsize - leave
        with (self.path / BALLAST).open("wb") as ballast:
            ballast.write(b"\0" * left)

    def make_room(self) -> None:
        """Take away what `fill_up` put there."""
        (self.path / BALLAST).unlink()


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    """A disk of 16 MB."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "penstock-test", path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting a disk is not permitted here: {mounted.stderr.decode().strip()}")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
