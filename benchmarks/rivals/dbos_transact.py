"""DBOS Transact on a PostgreSQL of its own, with its defaults: a workflow a batch, a step a model call.

The cap is a semaphore, which holds in this process alone. A queue of DBOS caps across processes; it is looked at once
a second, and would make of each call a workflow of its own.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import anthropic
from dbos import DBOS, StepOptions, StepReservation

from benchmarks.postgres import postgres
from benchmarks.rivals.player import Names, Player
from benchmarks.work import IN_FLIGHT, STAGES, request
from contracts.content import InsightReport

PASSING: Final = (anthropic.RateLimitError, anthropic.InternalServerError, anthropic.APIConnectionError)
RETRIED: Final = StepOptions(
    retries_allowed=True, max_attempts=4, should_retry=lambda error: isinstance(error, PASSING)
)


client = anthropic.AsyncAnthropic(api_key="offline", max_retries=0)
slots = asyncio.Semaphore(IN_FLIGHT)
body = request()


async def ask() -> InsightReport:
    """The parsed answer, which DBOS stores."""
    async with slots:
        reply = await client.messages.create(**body)
    return InsightReport.model_validate_json(reply.content[0].text)


async def item(generate: StepReservation, judge: StepReservation) -> None:
    """Two steps, one after the other."""
    await generate.run_async(RETRIED | {"name": "generate"}, ask)
    await judge.run_async(RETRIED | {"name": "judge"}, ask)


@DBOS.workflow()
async def process_batch(_name: str) -> None:
    """The stages of one batch, the items of each at once."""
    for width in STAGES:
        # Drawn in order: steps that are drawn as answers come have other numbers when the workflow is played again.
        steps = [(DBOS.reserve_step(), DBOS.reserve_step()) for _ in range(width)]
        await asyncio.gather(*(item(*pair) for pair in steps))


@contextmanager
def ready(url: str, _folder: Path) -> Iterator[Player]:
    """DBOS, launched."""
    client.base_url = url

    async def play(names: Names) -> None:
        started = [await DBOS.start_workflow_async(process_batch, name) for name in names]
        await asyncio.gather(*(handle.get_result() for handle in started))

    with postgres() as server:
        DBOS(config={"name": "rival", "system_database_url": server.url})
        DBOS.launch()
        try:
            yield Player(play, beside=(server.pid,))
        finally:
            DBOS.destroy()
