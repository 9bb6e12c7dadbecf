"""AWS as sources see it: boto3 clients, and which of their errors pass by themselves.

How to reach AWS, region, endpoint and credentials, is said by whoever makes the clients; nothing here knows a key.
"""

from dataclasses import dataclass
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

RETRIES: Final = Config(
    retries={"mode": "standard", "max_attempts": 3},
    connect_timeout=10,
    read_timeout=30,
    max_pool_connections=64,
)
"""The client's own: throttling and broken connections; what fails longer is left to the queue."""
GONE: Final = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404"})


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
    """The error as a source has to take it. Without permission nothing is gone: operators may give it."""
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    said = f"{type(error).__name__}: {error}"
    return GoneError(said) if code in GONE else AwayError(said)
