"""The shapes of what AWS puts around a message, as its documentation has them; what is not used here is left out.

SNS: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
SQS as a function gets it: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict, Field

ATTRIBUTES: Final = ("id", "source", "type", "time", "tenant", "user", "priority", "feature", "topic")
"""What of an event may be said in message attributes instead of its body."""
CREATED: Final = "ObjectCreated"


class ObjectPlace(NamedTuple):
    """An object in S3; `size` in bytes where it was told."""

    bucket: str
    key: str
    version: str | None = None
    size: int | None = None

    def __str__(self) -> str:
        """As an address."""
        return f"s3://{self.bucket}/{self.key}"


def place_of(address: str) -> ObjectPlace | None:
    """The object at `s3://bucket/key`; None for anything else."""
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return ObjectPlace(bucket, key) if address.startswith("s3://") and bucket and key else None


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Notification(_Shape):
    """What SNS delivers, to a queue, a function or an address."""

    kind: str = Field("Notification", alias="Type")
    topic: str = Field(alias="TopicArn")
    message_id: str = Field(alias="MessageId")
    message: str = Field(alias="Message")
    timestamp: str = Field(alias="Timestamp")
    attributes: dict[str, Any] = Field(default_factory=dict, alias="MessageAttributes")


class QueueRecord(_Shape):
    """One message of a queue as a function gets it."""

    message_id: str = Field(alias="messageId")
    body: str
    queue: str = Field(alias="eventSourceARN")
    attributes: dict[str, str] = Field(default_factory=dict)
    message_attributes: dict[str, Any] = Field(default_factory=dict, alias="messageAttributes")


class _Bucket(_Shape):
    name: str = Field(min_length=1)


class _Object(_Shape):
    key: str = Field(min_length=1)
    size: int | None = None
    version: str | None = Field(None, alias="versionId")
    version_id: str | None = Field(None, alias="version-id")


class _Stored(_Shape):
    bucket: _Bucket
    stored: _Object = Field(alias="object")


class StorageRecord(_Shape):
    """One record of what S3 sends itself: keys are quoted as in forms."""

    name: str = Field(alias="eventName")
    s3: _Stored

    @property
    def place(self) -> ObjectPlace:
        """Which object it is about."""
        stored = self.s3.stored
        return ObjectPlace(self.s3.bucket.name, unquote_plus(stored.key), stored.version, stored.size)


class StorageDetail(_Stored):
    """The `detail` of what S3 sends by EventBridge: keys are as they are."""

    @property
    def place(self) -> ObjectPlace:
        """Which object it is about."""
        return ObjectPlace(self.bucket.name, self.stored.key, self.stored.version_id, self.stored.size)


class Pointer(_Shape):
    """What AWS's Extended Client Library sends in the place of a body that is too large for a queue."""

    bucket: str = Field(alias="s3BucketName", min_length=1)
    key: str = Field(alias="s3Key", min_length=1)


def said_in(attributes: Mapping[str, Any]) -> dict[str, str]:
    """What of an event is said in the attributes of a message, of SQS or of SNS."""
    said = {}
    for name in ATTRIBUTES:
        given = attributes.get(name)
        text = next((given[key] for key in _TEXT if key in given), None) if isinstance(given, dict) else None
        if isinstance(text, str):
            said[name] = text
    return said


_TEXT: Final = ("StringValue", "stringValue", "Value")
