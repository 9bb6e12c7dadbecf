"""The rehearsal's own accounts: what would be wrong is found to be wrong."""

from typing import NamedTuple

from benchmarks.crash.calls import FAILED, NEVER_LEFT, ON_THE_WIRE, STOOD_STILL, accounts_of


class Call(NamedTuple):
    """A row of `model_calls`, as far as it is asked for; times count from somewhere."""

    id: str
    state: str
    started_at: int
    finished_at: int | None = None
    item: str = "an item"
    batch_id: str = "a batch"
    purpose: str = "generate"
    request_hash: str = "the same"


def test_a_call_made_again_is_told_by_what_became_of_the_one_before():
    """On the wire, never left, failed, or of a worker that stood still: server and ledger together know."""
    calls = [
        Call("wire", "STARTED", 0),
        Call("idle", "STARTED", 1),
        Call("broke", "FAILED", 2, 3),
        Call("late", "SUCCEEDED", 4, 7),
        Call("good", "SUCCEEDED", 6, 8),
    ]
    accounts = accounts_of(calls, ["wire", "broke", "late", "good"], [["wire", "idle"]], {})
    assert accounts.again == {ON_THE_WIRE: 1, NEVER_LEFT: 1, FAILED: 1, STOOD_STILL: 1}
    assert (accounts.on_the_wire, accounts.never_left, accounts.most) == (1, 1, 2)
    assert (accounts.paid_twice, accounts.unexplained, accounts.unseen) == (0, 0, 0)


def test_an_answer_that_was_kept_and_asked_for_again_is_found():
    """That is the fault the rehearsal looks for."""
    calls = [Call("first", "SUCCEEDED", 0, 1), Call("again", "SUCCEEDED", 2, 3)]
    assert accounts_of(calls, ["first", "again"], [], {}).paid_twice == 1


def test_an_answer_that_the_server_never_gave_is_found():
    """It would have been made up, or be another call's."""
    assert accounts_of([Call("ghost", "SUCCEEDED", 0, 1)], [], [], {}).unseen == 1


def test_a_call_without_an_end_needs_a_killed_worker_or_a_lease_that_ran_out_after_it_began():
    """One that a living worker left would be a fault of the product's."""
    calls = [Call("open", "STARTED", 5)]
    assert accounts_of(calls, ["open"], [["other"]], {}).unexplained == 1
    assert accounts_of(calls, ["open"], [], {"a batch": 4}).unexplained == 1
    assert accounts_of(calls, ["open"], [["open"]], {}).unexplained == 0
    still = accounts_of(calls, ["open"], [], {"a batch": 6})
    assert (still.unexplained, still.stood_still) == (0, 1)


def test_the_most_that_one_kill_left_is_counted_by_worker():
    """Two kills with one and two calls: two."""
    calls = [Call(name, "STARTED", 0, item=name) for name in "abc"]
    assert accounts_of(calls, [], [["a"], ["b", "c"]], {}).most == 2
