"""How this installation reaches AWS: by a block of prefect-aws, or as every AWS tool on the machine does."""

from collections.abc import Awaitable
from typing import Any, cast

import boto3
from prefect_aws.credentials import AwsCredentials

from contracts.errors import OperatorError
from tasks.sources.aws.clients import RETRIES, AwsClients


class AwsBlockError(OperatorError):
    """The block that is named in the settings is not there; the message says how to make it."""


async def aws_clients(block: str | None) -> AwsClients:
    """Clients by the `AwsCredentials` block of that name: its region, endpoint, keys or role.

    Without a name by the environment, the profile or the machine's role, as boto3 finds them.

    Raises:
        AwsBlockError: Prefect has no such block.
    """
    if block is None:
        return _clients(boto3.Session(), {})
    try:
        credentials = cast(AwsCredentials, await cast(Awaitable[object], AwsCredentials.aload(block)))
    except ValueError as error:
        raise AwsBlockError(
            f"Prefect has no AWS Credentials block called {block!r}; make it in the UI under Blocks, "
            "or correct PENSTOCK_AWS_BLOCK"
        ) from error
    return _clients(credentials.get_boto3_session(), credentials.aws_client_parameters.get_params_override())


def _clients(session: Any, given: dict[str, Any]) -> AwsClients:  # noqa: ANN401 - boto3's are
    config = RETRIES.merge(given["config"]) if given.get("config") else RETRIES
    made = {name: session.client(name, **given | {"config": config}) for name in ("sqs", "s3", "sns")}
    return AwsClients(**made)
