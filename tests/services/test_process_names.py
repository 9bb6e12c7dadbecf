"""Processes by name: who is alive here, who has died, and of whom nobody here can tell."""

import os
import subprocess
import sys

from tasks.processes import has_died, process_identity, process_name


def test_a_process_that_was_killed_has_died_also_before_anybody_has_waited_for_it():
    """A supervisor that waits for nobody keeps the ids of the dead in the list of processes."""
    host = process_name().rpartition(":")[0]
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1) as child:
        child.stdout.readline()
        name = f"{host}:{child.pid}"
        assert not has_died(name)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert has_died(name)
        child.wait()
        assert has_died(name)


def test_whoever_has_the_id_of_one_that_died_is_not_taken_for_it():
    """A container that is started again gives its first process the same id, and so may any host after a while."""
    name, _, begun = process_identity().partition("@")
    assert not has_died(process_identity())
    assert has_died(f"{name}@{float(begun) - 5}")


def test_of_other_hosts_and_of_what_is_no_name_nobody_can_tell():
    """Neither has died as far as is known here."""
    assert not has_died(process_name())
    assert not any(map(has_died, ["elsewhere:1", "", ":", f"{process_name()}x"]))
