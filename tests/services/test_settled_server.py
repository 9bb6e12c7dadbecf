"""The command that begins a Prefect server: Prefect's own, once its memory is settled."""

import gc
import subprocess
import sys

from deployments.settled_server import settle_memory


def test_it_is_prefects_own_command():
    """What it is told goes to `prefect server`, and a word that is none is refused by it."""
    command = [sys.executable, "-m", "deployments.settled_server"]
    told = subprocess.run([*command, "start", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--no-services" in told
    assert subprocess.run([*command, "nonsense"], capture_output=True, check=False).returncode != 0


def test_what_is_there_by_then_is_set_aside():
    """And what comes later is looked through as ever."""
    gc.unfreeze()
    try:
        settle_memory()
        frozen = gc.get_freeze_count()
        assert frozen > 10_000
        later = [[] for _ in range(1_000)]
        assert gc.get_freeze_count() == frozen
        assert later
    finally:
        gc.unfreeze()
