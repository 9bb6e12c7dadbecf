"""What a team writes that follows Prefect's tutorial: a flow, a subflow a batch, a task a model call.

The throttle is Prefect's own, taken for each call, so that it holds for all processes. Where the model is, the SDK
reads from the environment.
"""

import asyncio
from typing import Any, Final

import anthropic
from prefect import flow, task
from prefect.concurrency.asyncio import concurrency

from benchmarks.work import STAGES, request
from contracts.content import InsightReport

LIMIT: Final = "model"

client = anthropic.AsyncAnthropic(max_retries=0)
body = request()


async def ask(content: dict[str, Any]) -> InsightReport:
    """One model call."""
    async with concurrency(LIMIT, occupy=1):
        reply = await client.messages.create(**content)
    return InsightReport.model_validate_json(reply.content[0].text)


@task(retries=3, retry_delay_seconds=[1, 5, 25])
async def generate(content: dict[str, Any]) -> InsightReport:
    """The draft of an item."""
    return await ask(content)


@task(retries=3, retry_delay_seconds=[1, 5, 25])
async def judge(content: dict[str, Any], draft: InsightReport) -> InsightReport:  # noqa: ARG001 - its lineage
    """What is thought of the draft."""
    return await ask(content)


async def item() -> None:
    """A draft and its judgement."""
    await judge(body, await generate(body))


@flow
async def process_batch(name: str) -> None:  # noqa: ARG001 - shown in the UI
    """The stages of one batch, the items of each at once."""
    for width in STAGES:
        await asyncio.gather(*(item() for _ in range(width)))


@flow
async def process_batches(names: list[str]) -> None:
    """All batches at once."""
    await asyncio.gather(*(process_batch(name) for name in names))
