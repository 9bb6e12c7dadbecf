"""AWS as sources see it: boto3 clients, and which of their errors pass by themselves.

How to reach AWS, region, endpoint and credentials, is said by whoever makes the clients; nothing here knows a key.
"""

from dataclasses import dataclass
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

RETRIES: Final = Config(
    retries={"mode": "standard", "max_attempts": 3},
    connect_timeout=10,
    read_timeout=30,
    max_pool_connections=64,
)
"""The client's own: throttling and broken connections; what fails longer is left to the queue."""
GONE: Final = frozenset(
    {
        *("NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404"),
        *(
            "MethodNotAllowed",
            "KeyTooLongError",
            "InvalidBucketName",
            "InvalidArgument",
            "InvalidObjectState",
        ),
    }
)
"""What S3 says of an object that is not there, was deleted or archived, or cannot be."""


@dataclass(frozen=True, slots=True)
class AwsClients:
    """Clients of boto3: made once, used by all threads of a process."""

    sqs: Any
    s3: Any
    sns: Any


class GoneError(Exception):
    """What a message refers to is not there, and will not be."""


class AwayError(Exception):
    """AWS does not answer, or refuses for now: the same again, later, may succeed."""


def judged(error: ClientError | BotoCoreError) -> GoneError | AwayError:
    """The error as a source has to take it. Without permission nothing is gone: operators may give it.

    Who may not list a bucket is told 403 of what is not there: `s3:ListBucket` belongs to reading.
    """
    if isinstance(error, ParamValidationError):
        return GoneError(f"it cannot be an object's name: {error}")
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    said = f"{type(error).__name__}: {error}"
    return GoneError(said) if code in GONE else AwayError(said)
