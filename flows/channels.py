"""The ways out of an installation: files, webhooks, and AWS as its block says."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from flows.aws import aws_clients, bucket_of
from ledger.outbox import OutboxMessage
from ledger.subscriptions import Subscription
from tasks import publisher
from tasks.channels import Send, UndeliveredError, subscription_of
from tasks.channels.aws import objects_of, to_queue, to_topic
from tasks.runtime import Runtime
from tasks.sources.aws.clients import AwsClients

Put = Callable[[AwsClients, Subscription, OutboxMessage], None]


def _by_aws(put: Put) -> Send:
    async def send(run: Runtime, message: OutboxMessage) -> None:
        subscription = await subscription_of(run, message)
        clients = await aws_clients(run.settings.aws_block)
        await asyncio.to_thread(partial(put, clients, subscription, message))

    return send


async def to_bucket(run: Runtime, message: OutboxMessage) -> None:
    """Put a deliverable into S3, by prefect-aws.

    Raises:
        UndeliveredError: S3 does not take it.
        AwsBlockError: Prefect has no such block.
    """
    subscription = await subscription_of(run, message)
    bucket = await bucket_of(subscription.target, run.settings.aws_block)
    try:
        for key, body in objects_of(message).items():
            await bucket.awrite_path(key, body)
    except (ClientError, BotoCoreError) as error:
        raise UndeliveredError(f"{type(error).__name__}: {error}") from error


CHANNELS: Final = {
    **publisher.CHANNELS,
    "sns": _by_aws(to_topic),
    "sqs": _by_aws(to_queue),
    "s3": to_bucket,
}


async def publish(run: Runtime) -> int:
    """Publish all that is due in the outbox, by whatever way; returns how many left."""
    return await publisher.publish(run, CHANNELS)
