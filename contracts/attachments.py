"""Attachments: files that belong to an event, such as the screenshot and the invoice that came with a ticket."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from contracts.base import Contract
from contracts.events import Name, Who, event_key

ATTACHMENT_SCHEMA_VERSION: Final = "1"


class AttachmentState(StrEnum):
    """Where an attachment stands. A refused one that was replayed is WAITING; of an ERASED one nothing is left."""

    KEPT = "KEPT"
    REFUSED = "REFUSED"
    WAITING = "WAITING"
    ERASED = "ERASED"


class Findings(Contract):
    """What an attachment holds, and what was made of it.

    `size` in bytes. `details` are its format's own: width, height, pages, title, when it was taken. `text` is what can
    be read in it without looking at pictures. `thumbnail` and `marked` are the addresses of its small and of its
    watermarked copy.
    """

    media_type: str
    size: int
    sha256: str
    details: dict[str, Any]
    text: str
    thumbnail: str
    marked: str


class Attachment(Contract):
    """One version of an object in S3, whose event and which file it is, and once that is known what it holds.

    `event` is the event's own id, which with tenant and source makes its key.
    """

    schema_version: Literal["1"] = ATTACHMENT_SCHEMA_VERSION
    id: str
    tenant: Who
    source: Name
    event: Name
    name: Name
    bucket: str
    key: str
    version: str
    is_versioned: bool
    """Whether `version` is S3's; otherwise it is the entity tag, by which no object can be asked for."""
    stored_at: datetime
    """When S3 got it (UTC): of several versions the last is shown, in whatever order they are told of."""
    findings: Findings | None = None

    @property
    def event_key(self) -> bytes:
        """The key of the event it belongs to, which may not have come yet."""
        return event_key(self.tenant, self.source, self.event)

    @property
    def address(self) -> str:
        """Where it is."""
        return f"s3://{self.bucket}/{self.key}"
