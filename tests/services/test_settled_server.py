"""The command that begins a Prefect server: Prefect's own, once its memory is settled."""

import gc
import subprocess
import sys

from tasks.collector import settle_memory


def test_it_is_prefects_own_command():
    """What it is told goes to `prefect server`, and a word that is none is refused by it."""
    command = [sys.executable, "-m", "deployments.settled_server"]
    told = subprocess.run([*command, "start", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--no-services" in told
    assert subprocess.run([*command, "nonsense"], capture_output=True, check=False).returncode != 0


def is_looked_through(thing) -> bool:
    """Whether the collector looks at it when it looks for garbage."""
    return any(one is thing for one in gc.get_objects())


def test_what_is_there_by_then_is_set_aside():
    """And what comes later is looked through as ever."""
    before = [[]]
    try:
        settle_memory()
        after = [[]]
        assert not is_looked_through(before)
        assert is_looked_through(after)
    finally:
        gc.unfreeze()
    assert is_looked_through(before)
