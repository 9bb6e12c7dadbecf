"""The rehearsal's own accounts: what would be wrong is found to be wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from benchmarks.crash.calls import FAILED, NEVER_LEFT, ON_THE_WIRE, WIRE, accounts_of
from benchmarks.crash.world import DURING_INTAKE, IN_FLIGHT, Death
from ledger.columns import to_micros

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Call(NamedTuple):
    """A row of `model_calls`, as far as it is asked for."""

    id: str
    state: str
    started_at: int
    finished_at: int | None
    item: str = "an item"
    batch_id: str = "a batch"
    purpose: str = "generate"
    request_hash: str = "the same"


def call(name: str, state: str, start: timedelta, end: timedelta | None = None, **other: Any) -> Call:
    """A call that began and ended so long after noon."""
    return Call(name, state, to_micros(NOON + start), end and to_micros(NOON + end), **other)


def test_a_call_made_again_is_told_by_what_became_of_the_one_before():
    """On the wire, never left, or failed: the model's server and the ledger together know."""
    calls = [
        call("wire", "STARTED", 0 * SECOND),
        call("idle", "STARTED", 1 * SECOND),
        call("broke", "FAILED", 2 * SECOND, 3 * SECOND),
        call("good", "SUCCEEDED", 4 * SECOND, 5 * SECOND),
    ]
    accounts = accounts_of(calls, ["wire", "broke", "good"], [Death("any moment", NOON + SECOND)])
    assert accounts.again == {ON_THE_WIRE: 1, NEVER_LEFT: 1, FAILED: 1}
    assert (accounts.on_the_wire, accounts.never_left) == (1, 1)
    assert (accounts.paid_twice, accounts.unexplained, accounts.unseen) == (0, 0, 0)


def test_an_answer_that_was_kept_and_asked_for_again_is_found():
    """That is the fault the rehearsal looks for."""
    calls = [
        call("first", "SUCCEEDED", 0 * SECOND, 1 * SECOND),
        call("again", "SUCCEEDED", 2 * SECOND, 3 * SECOND),
    ]
    assert accounts_of(calls, ["first", "again"], []).paid_twice == 1


def test_an_answer_that_the_server_never_gave_is_found():
    """It would have been made up, or be another call's."""
    assert accounts_of([call("ghost", "SUCCEEDED", 0 * SECOND, 1 * SECOND)], [], []).unseen == 1


@pytest.mark.parametrize(
    ("death", "why"),
    [
        (Death("any moment", NOON - SECOND), "before the call"),
        (Death("any moment", NOON + WIRE + SECOND), "long after the call"),
        (Death(DURING_INTAKE, NOON + SECOND), "of a process that calls no model"),
    ],
)
def test_a_call_without_an_end_is_explained_by_no_death(death, why):
    """A kill explains what was on the wire just before it, and nothing else."""
    assert accounts_of([call("open", "STARTED", 0 * SECOND)], ["open"], [death]).unexplained == 1, why


def test_a_death_explains_no_more_calls_than_a_worker_has_in_flight():
    """And two deaths explain twice as many."""
    calls = [call(f"c{n}", "STARTED", n * SECOND / 10, item=f"i{n}") for n in range(2 * IN_FLIGHT)]
    deaths = [Death("during call", NOON + 2 * SECOND), Death("during call", NOON + 3 * SECOND)]
    assert accounts_of(calls, [], deaths[:1]).unexplained == IN_FLIGHT
    assert accounts_of(calls, [], deaths).unexplained == 0
