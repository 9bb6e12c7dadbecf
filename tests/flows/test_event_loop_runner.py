"""The task runner on the flow's own loop: what it starts there, and what it refuses because it would block it."""

import asyncio
from uuid import uuid4

import pytest
from prefect import flow, task

from flows.task_runner import EventLoopFuture, EventLoopTaskRunner, settled, whole

# Defined here and not in the tests: Prefect reads the source of a task.


@task
async def halve(number):
    """Half of an even number."""
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2, id(asyncio.get_running_loop())


@task
def block():
    """A task that would hold up the loop."""


@flow(task_runner=EventLoopTaskRunner())
async def halves(numbers):
    """All halves, errors in their place, and the loop they ran on."""
    return await settled(halve.map(whole(numbers))), id(asyncio.get_running_loop())


def test_mapped_tasks_run_on_the_flows_loop_and_fail_in_their_place(prefect_home, run_async):
    """Results in order, an exception where a task failed, the others unharmed, all on one loop."""
    from prefect.settings import PREFECT_HOME  # noqa: PLC0415

    assert PREFECT_HOME.value() == prefect_home / "prefect"
    results, loop = run_async(halves([2, 3, 4]))
    assert [results[0], results[2]] == [(1, loop), (2, loop)]
    assert isinstance(results[1], ValueError)
    assert str(results[1]) == "3 is odd"


def test_a_task_that_is_not_async_is_refused_by_name():
    """It would block the loop that everything else runs on."""
    with EventLoopTaskRunner() as runner, pytest.raises(ValueError, match="task 'block' is not async"):
        runner.submit(block, {})


def test_a_future_cannot_be_waited_for_on_its_own_loop():
    """`wait` and `result` would wait for ever; the message says what to do instead."""

    async def future():
        return EventLoopFuture(uuid4(), asyncio.create_task(asyncio.sleep(0)))

    async def tried():
        one = await future()
        for wait in (one.wait, one.result):
            with pytest.raises(RuntimeError, match=r"await settled\(\[future\]\) instead"):
                wait()
        await one.running

    asyncio.run(tried())


def test_a_future_tells_when_it_is_done():
    """The callback gets the future itself, after its end."""
    told = []

    async def done():
        one = EventLoopFuture(uuid4(), asyncio.create_task(asyncio.sleep(0)))
        one.add_done_callback(told.append)
        await one.running
        await asyncio.sleep(0)
        return one

    assert told == [asyncio.run(done())]


def test_a_copy_of_the_runner_is_another_runner():
    """Prefect starts a copy a flow run."""
    one = EventLoopTaskRunner()
    assert type(one.duplicate()) is EventLoopTaskRunner
    assert one.duplicate() is not one
