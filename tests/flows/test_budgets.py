"""Budgets in the UI: what operators write there is in force, and what nobody has written is what is set."""

import pytest

from flows.budgets import SOLUTIONS, TAGS, VARIABLE, solutions_budget
from flows.lane import process_ready_batches
from tasks.runtime import current_runtime
from tests.flows.variables import looked, variable_named

TEXTS = ["The phones are dead in the whole building.", "Nobody can call us since Monday."]


@pytest.fixture
def variable(prefect_slots):
    """The Variable of the budgets, in the UI."""
    assert prefect_slots
    with variable_named(VARIABLE) as made:
        yield made


async def in_force():
    """What a tenant may have, after a look."""
    await looked()
    run = current_runtime()
    return await solutions_budget(run.ledger, run.settings)


def test_the_variable_shows_what_is_set_and_what_it_is_about(make_world, variable):
    """Made by the first look, with a tag that says what the number counts."""
    assert make_world(solutions_per_window=7).run(in_force) == 7
    assert variable.read() == {SOLUTIONS: 7}
    assert variable.tags() == TAGS


def test_a_setting_that_changes_is_no_operators_wish_and_an_operators_outlives_it(make_world, variable):
    """What the Variable shows of the old setting is not held against the new one; null takes a wish back."""
    world = make_world(solutions_per_window=7)
    world.run(in_force)
    other = make_world(solutions_per_window=9)
    assert other.run(in_force) == 9
    assert variable.read() == {SOLUTIONS: 9}
    variable.write({SOLUTIONS: 3})
    assert other.run(in_force) == world.run(in_force) == 3
    variable.remove()
    assert world.run(in_force) == 3
    assert variable.read() == {SOLUTIONS: 3}
    variable.write({SOLUTIONS: None})
    assert world.run(in_force) == 7


@pytest.mark.parametrize(
    "wrong", [[], {SOLUTIONS: 0}, {SOLUTIONS: "9"}, {SOLUTIONS: True}, {"solution": 3}, 5]
)
def test_what_no_batch_could_live_with_is_put_right(world, variable, wrong):
    """And changes nothing."""
    before = world.run(in_force)
    variable.write(wrong)
    assert world.run(in_force) == before
    assert variable.read() == {SOLUTIONS: before}


def test_a_lowered_budget_makes_the_next_batch_wait(world, fill, variable):
    """Two batches, room for one solution since an operator said so: the second waits for the window."""
    world.run(in_force)
    variable.write({SOLUTIONS: 1})
    world.run(in_force)
    for number in range(2):
        fill.ready(world.ledger, [f"{text} {number}" for text in TEXTS])
    state = world.run(lambda: process_ready_batches(return_state=True))
    assert state.message == "1 DONE, 1 PENDING"
