"""How this installation reaches AWS: by blocks of prefect-aws, or as every AWS tool on the machine does."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, Final, cast

import boto3
from botocore.exceptions import BotoCoreError
from prefect_aws import S3Bucket
from prefect_aws.credentials import AwsCredentials

from contracts.errors import OperatorError
from tasks.sources.aws.clients import RETRIES, AwayError, AwsClients
from tasks.sources.aws.objects import fetch
from tasks.sources.aws.shapes import ObjectPlace
from tasks.sources.records import Limits

BLOCK: Final = "block:"
KNOWN_S: Final = 300.0
"""So soon a block that was changed in the UI is in force."""
_made: dict[str | None, tuple[AwsClients, float]] = {}
"""Clients are dear to make, and those of a process serve all of it."""


class AwsBlockError(OperatorError):
    """The block that is named is not there, or AWS is not set up; the message says what to do."""


async def aws_clients(block: str | None) -> AwsClients:
    """Clients by the `AwsCredentials` block of that name: its region, endpoint, keys or role.

    Without a name by the environment, the profile or the machine's role, as boto3 finds them.

    Raises:
        AwsBlockError: Prefect has no such block, or neither it nor the environment says all that is needed.
    """
    clients, until = _made.get(block, (None, 0.0))
    if clients is None or until < time.monotonic():
        clients = await _new_clients(block)
        _made[block] = clients, time.monotonic() + KNOWN_S
    return clients


async def reachable_clients(block: str | None) -> AwsClients:
    """As `aws_clients`, for what is tried again later: AwayError, too, while AWS is not set up."""
    try:
        return await aws_clients(block)
    except AwsBlockError as error:
        raise AwayError(str(error)) from error


async def fetch_by(block: str | None, place: ObjectPlace) -> bytes:
    """A whole object, as large as an event may be. Raises as `fetch`; AwayError, too, while AWS is not set up."""
    clients = await reachable_clients(block)
    return await asyncio.to_thread(fetch, clients.s3, place, Limits().record_bytes)


async def bucket_of(target: str, block: str | None) -> S3Bucket:
    """The bucket at `s3://bucket/prefix`, or `block:name` for an `S3Bucket` block.

    Raises:
        AwsBlockError: Prefect has no such block.
    """
    if target.startswith(BLOCK):
        return cast(S3Bucket, await _loaded(S3Bucket, target.removeprefix(BLOCK)))
    bucket, _, prefix = target.removeprefix("s3://").partition("/")
    return S3Bucket(bucket_name=bucket, bucket_folder=prefix, credentials=await _credentials(block))


async def _new_clients(block: str | None) -> AwsClients:
    if block is None:
        return _clients(boto3.Session(), {})
    found = await _credentials(block)
    return _clients(found.get_boto3_session(), found.aws_client_parameters.get_params_override())


async def _credentials(block: str | None) -> AwsCredentials:
    return AwsCredentials() if block is None else cast(AwsCredentials, await _loaded(AwsCredentials, block))


async def _loaded(kind: type[S3Bucket] | type[AwsCredentials], name: str) -> object:
    try:
        return await cast(Awaitable[object], kind.aload(name))
    except ValueError as error:
        raise AwsBlockError(
            f"Prefect has no block {name!r} of the type {kind.get_block_type_slug()}; make it in the UI under Blocks, "
            "or correct PENSTOCK_AWS_BLOCK or the subscription"
        ) from error


def _clients(session: Any, given: dict[str, Any]) -> AwsClients:  # noqa: ANN401 - boto3's are
    config = RETRIES.merge(given["config"]) if given.get("config") else RETRIES
    try:
        made = {name: session.client(name, **given | {"config": config}) for name in ("sqs", "s3", "sns")}
    except (BotoCoreError, ValueError) as error:
        why = str(error).removesuffix(".")
        raise AwsBlockError(
            f"AWS is not set up: {why}; say it in an AWS Credentials block that PENSTOCK_AWS_BLOCK names, or as for "
            "every AWS tool on this machine (AWS_DEFAULT_REGION, AWS_PROFILE)"
        ) from error
    return AwsClients(**made)
