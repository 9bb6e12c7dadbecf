"""Attachments as a flow: files that queues tell of are checked, made small, marked and read, and go to their events."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final, cast

from prefect import flow, get_run_logger
from prefect.logging import get_logger

from contracts.attachments import Attachment, AttachmentState
from flows.aws import aws_clients
from flows.display import displayed
from flows.erasure import remove_objects
from flows.queues import for_a_while
from flows.task_runner import EventLoopTaskRunner, settled, whole
from flows.watch import announced
from ledger.attachments import take_attachments
from ledger.engine import Ledger
from ledger.errors import LedgerFaultError
from tasks.attachments.intake import AttachmentIntake, Taken
from tasks.attachments.notices import publish_attachments
from tasks.attachments.places import label_of
from tasks.attachments.queue import AttachmentQueue, Take
from tasks.attachments.rules import AttachmentRules, rules_of
from tasks.attachments.workplace import workplace
from tasks.attachments.workshop import IN_FLIGHT, Workshop
from tasks.redaction.start import redactor_of
from tasks.runtime import utc_now
from tasks.settings import Settings
from tasks.shells import take_attachment
from tasks.sources.aws.clients import AwayError, AwsClients
from tasks.sources.aws.queue_reader import QueueOptions
from tasks.sources.aws.shapes import ObjectPlace

HELD_FOR: Final = timedelta(minutes=10)
"""A replayed file that could not be taken is due again after this time."""
LOOK_EVERY_S: Final = 1.0
"""How often what is on record is published, and what was replayed is taken again."""


@dataclass(frozen=True)
class Desk:
    """What taking attachments takes."""

    clients: AwsClients
    ledger: Ledger
    intake: AttachmentIntake
    rules: AttachmentRules
    settings: Settings


@flow(
    name="take in attachments",
    flow_run_name="take in attachments",
    task_runner=EventLoopTaskRunner(),
    persist_result=False,
)
async def take_in_attachments(queues: list[str], for_s: float = 0.0) -> dict[str, dict[str, int]]:
    """Take in the files that queues tell of; returns what became of them, by queue.

    Args:
        queues: Addresses of SQS queues, as https://sqs.eu-west-1.amazonaws.com/123456789012/attachments.
        for_s: How many seconds to go on waiting for more; 0 ends when the queues are empty.
    """
    async with announced() as run, displayed(), open_desk(run.settings, run.ledger) as desk:
        stop, options = for_a_while(for_s)
        take = desk.intake.take if run.settings.track == "batches" else partial(as_task_run, desk)
        found = await worked_off(queues, desk, stop, options, take=take, until_empty=not for_s)
        get_run_logger().info("%s", found)
        return found


async def as_task_run(desk: Desk, place: ObjectPlace, received: int) -> Taken:
    """Take one as a task run of its own."""
    work = partial(desk.intake.take, place, received)
    [taken] = await settled([take_attachment.submit(label_of(place), whole(work))])
    if isinstance(taken, BaseException):
        raise taken
    return cast(Taken, taken)


@asynccontextmanager
async def open_desk(settings: Settings, ledger: Ledger) -> AsyncIterator[Desk]:
    """All that taking attachments takes, by the installation's settings."""
    rules = await asyncio.to_thread(rules_of, settings)
    redactor = await asyncio.to_thread(redactor_of, settings)
    clients = await aws_clients(settings.aws_block)
    with workplace(settings.workplace) as folder:
        async with Workshop() as workshop:
            intake = AttachmentIntake(
                clients.s3, ledger, workshop, rules, now=utc_now, redactor=redactor, workplace=folder
            )
            try:
                yield Desk(clients, ledger, intake, rules, settings)
            finally:
                intake.close()


async def worked_off(
    queues: Sequence[str],
    desk: Desk,
    stop: threading.Event,
    options: QueueOptions,
    *,
    take: Take | None = None,
    until_empty: bool = False,
) -> dict[str, dict[str, int]]:
    """Work the queues off side by side, and meanwhile what is due of those on record; counts by queue."""
    taking = [
        AttachmentQueue(desk.clients, queue, desk.ledger, take or desk.intake.take, utc_now, options)
        for queue in queues
    ]
    ended = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for look in (publish_kept, take_replayed, remove_erased):
            group.create_task(_every_so_often(partial(look, desk), ended))
        await asyncio.gather(*(one.run(stop, until_empty=until_empty) for one in taking))
        ended.set()
    return {queue: one.tally.told() for queue, one in zip(queues, taking, strict=True)}


async def _every_so_often(look: Callable[[], Awaitable[None]], ended: asyncio.Event) -> None:
    """Until it is over, and once more; never broken off, for what a look has begun is nobody else's.

    What cannot be done now is due again later, and keeps nobody from taking new files.
    """
    while not ended.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), LOOK_EVERY_S)
        try:
            await look()
        except (AwayError, LedgerFaultError) as error:
            get_logger("penstock").warning("what is due of attachments is done later: %s", error)


async def publish_kept(desk: Desk) -> None:
    """Tell the topic of what was kept."""
    if desk.rules.topic is not None:
        sns, topic = desk.clients.sns, desk.rules.topic
        await asyncio.to_thread(publish_attachments, sns, topic, desk.ledger, utc_now())


async def take_replayed(desk: Desk) -> None:
    """Take again what was refused and has been replayed, side by side."""
    again = partial(take_attachments, desk.ledger, AttachmentState.WAITING, utc_now(), IN_FLIGHT, HELD_FOR)
    due = await asyncio.to_thread(again)
    await asyncio.gather(*(_taken_again(desk, one, attempts) for one, attempts in due))


async def _taken_again(desk: Desk, replayed: Attachment, attempts: int) -> None:
    """One; whatever is wrong with it, it ends nothing but itself, and is due again."""
    try:
        await desk.intake.take_again(replayed, attempts)
    except Exception as error:  # noqa: BLE001 - no file ends the work on the others
        get_logger("penstock").warning("attachment %s is taken later: %r", replayed.id, error)


async def remove_erased(desk: Desk) -> None:
    """Remove what is still in S3 of those who were erased while it was away."""
    await remove_objects(desk.ledger, desk.settings)
