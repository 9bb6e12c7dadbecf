"""Where files are worked on: nothing stays of processes that are gone, and nothing is taken from one that is not."""

import subprocess
import sys

from tasks.attachments.workplace import workplace

LIVES = """
import sys, time
from pathlib import Path
from tasks.attachments.workplace import workplace
with workplace(Path(sys.argv[1])) as own:
    (own / "file").write_bytes(b"somebody's")
    print(own, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    """And what is in use is left alone."""
    command = [sys.executable, "-c", LIVES, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as living:
        own = living.stdout.readline().strip()
        with workplace(tmp_path) as other:
            assert {one for one in map(str, tmp_path.iterdir()) if not one.endswith(".lock")} == {
                own,
                str(other),
            }
        living.kill()
    with workplace(tmp_path) as other:
        assert [one for one in tmp_path.iterdir() if one.is_dir()] == [other]
    assert [one.name for one in tmp_path.iterdir()] == [".lock"]
