"""A worker to be killed: lanes in a long-lived process that dies by SIGKILL at a chosen point of a chosen passing.

It has at hand what a warm worker has, but nothing tells it to begin: seeds share one Prefect server, and a work pool
for each would be most of what is played. The product knows nothing of it: the functions that it passes are wrapped
here, before it starts.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, NoReturn

from benchmarks.crash.plan import Kill
from contracts.errors import OperatorError
from evaluation.names import distinctive

if TYPE_CHECKING:
    from tasks.runtime import Runtime
    from tasks.settings import Settings

READY_EVERY_S = 0.2
PRELOAD = (
    "benchmarks.crash.worker",
    "flows.cockpit",
    "flows.lane",
    "gateway.cli.start",
    "deployments.installed",
    "anthropic",
    "flywheel",
    "flywheel.page",
    "altair",
    "scipy.stats",
    "evaluation.names",
)
"""What a worker's process has imported before it is forked off: start-up is not what is measured."""
distinctive(["penstock"])  # reads its word list, here and not in every worker


def work(environment: Mapping[str, str], kill: Kill | None, log: Path, calls: Path) -> None:
    """Lanes with this environment until it is killed or stopped; names its calls in the file `calls`."""
    os.environ.update(environment)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, sys.stdout.fileno())
    os.dup2(descriptor, sys.stderr.fileno())
    name_calls(calls)
    if kill is not None:
        arm(kill)
    from gateway.cli.errors import explain
    from gateway.cli.interrupt import run_until_stopped
    from gateway.cli.start import start_services

    stop = Event()
    try:
        settings, _ = start_services()
        run_until_stopped(serve(settings, stop), lambda _: stop.set())
    except OperatorError as error:
        explain(error)


async def serve(settings: "Settings", stop: Event) -> None:
    """Look for what is ready until told to stop, through outages."""
    from flows.cockpit import at_hand
    from gateway.cli.outages import Outages

    outages = Outages(READY_EVERY_S)
    async with at_hand(settings, stop) as run:
        while not stop.is_set():
            await outages.outlasted(partial(lane_where_ready, run), stop)


async def lane_where_ready(run: "Runtime") -> None:
    """A lane, if there is something in it."""
    from flows.lane import process_ready_batches
    from ledger.due import count_ready

    if await run.in_ledger(count_ready) > 0:
        await process_ready_batches()


def name_calls(file: Path) -> None:
    """Write each call's id down before it is on record: so it is known which worker made it."""
    from tasks.model import paid

    begin_call = paid.begin_call
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def named(ledger: Any, identity: Any, *given: Any) -> Any:
        os.write(descriptor, f"{identity.id}\n".encode())
        return begin_call(ledger, identity, *given)

    paid.begin_call = named


def arm(kill: Kill) -> None:
    """Wrap what the worker passes at the kill's point; `any moment` is the parent's affair."""
    from flows import lane, leases
    from tasks import publisher
    from tasks.model import client

    counted = Countdown(kill.nth)
    match kill.point:
        case "after claim":
            _after(leases, "claim_several", counted)
        case "before call":
            _before(client.ModelClient, "ask", counted)
        case "during call":
            _during(client.ModelClient, counted)
        case "after call, before commit":
            _answered(client.ModelClient, counted)
        case "after commit, before publish":
            _before(lane, "publish", counted)
        case "during publish":
            _before(publisher, "mark_published", counted)


class Countdown:
    """Dies at the n-th passing."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def is_over(self) -> bool:
        """One more passing; True at the last."""
        self.left -= 1
        return self.left == 0

    def passing(self) -> None:
        """One more passing, and perhaps the end."""
        if self.is_over():
            die()


def die() -> NoReturn:
    """The end, without any chance to tidy up."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("dead")


def _after(module: Any, name: str, counted: Countdown) -> None:
    wrapped: Callable[..., Any] = getattr(module, name)

    def function(*args: Any, **kwargs: Any) -> Any:
        result = wrapped(*args, **kwargs)
        # A claim that finds nothing is no passing.
        if result:
            counted.passing()
        return result

    setattr(module, name, function)


def _before(module: Any, name: str, counted: Countdown) -> None:
    wrapped: Callable[..., Any] = getattr(module, name)

    def function(*args: Any, **kwargs: Any) -> Any:
        counted.passing()
        return wrapped(*args, **kwargs)

    setattr(module, name, function)


def _during(client: Any, counted: Countdown) -> None:
    """The request has left: die before its answer is here."""
    ask = client.ask

    async def function(self: Any, *args: Any) -> Any:
        asked = asyncio.ensure_future(ask(self, *args))
        if counted.is_over():
            await asyncio.sleep(0.02)
            die()
        return await asked

    client.ask = function


def _answered(client: Any, counted: Countdown) -> None:
    """The answer is here and paid for, and nobody has written it down."""
    ask = client.ask

    async def function(self: Any, *args: Any) -> Any:
        reply = await ask(self, *args)
        counted.passing()
        return reply

    client.ask = function
