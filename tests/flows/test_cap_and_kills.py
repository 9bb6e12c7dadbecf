"""The cap of model requests while processes that hold a part of it are killed: as the model's own server counts."""

from benchmarks.throttle import KILLED_AT, SLOTS, play

CALLS = 800
LASTING_S = (0.5, 2.0)
"""Long enough that a slow machine reaches the cap, too."""


def test_the_cap_holds_while_processes_are_killed_and_others_begin():
    """Four processes, two of them killed with requests in flight: never one more than there are slots."""
    seen = play(CALLS, KILLED_AT, LASTING_S)
    assert seen["kills"] == 2
    assert SLOTS // 2 < seen["max_in_flight"] <= SLOTS
