"""Whose an attachment is: its object's key says it, `attachments/TENANT/SOURCE/EVENT/NAME`, each part quoted."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote, unquote

from pydantic import ValidationError

from contracts.attachments import Attachment
from tasks.sources.aws.shapes import ObjectPlace

FOLDER: Final = "attachments"
MADE: Final = "attachments-made"
"""Where what was made goes in the same bucket, if no other place is set; nobody is told of objects there."""
_PARTS: Final = 4
BEFORE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""While it is not known when S3 got an object."""


class NoAttachmentError(Exception):
    """An object that is nobody's attachment; the message is for the rejection."""


def attachment_key(tenant: str, source: str, event: str, name: str) -> str:
    """The key to put a file under, so that it comes to the event with this tenant, source and id."""
    return "/".join((FOLDER, *(quote(part, safe="") for part in (tenant, source, event, name))))


def attachment_at(
    place: ObjectPlace, version: str, *, is_versioned: bool = True, stored_at: datetime = BEFORE
) -> Attachment:
    """The attachment that an object is. Raises NoAttachmentError."""
    folder, *parts = place.key.split("/")
    if folder != FOLDER or len(parts) < _PARTS:
        raise NoAttachmentError(f"{place} is no attachment: its key is not {FOLDER}/TENANT/SOURCE/EVENT/NAME")
    said = [unquote(part) for part in parts]
    if not all(part.isprintable() for part in said):
        raise NoAttachmentError(f"{place} is no attachment: its key holds what nobody could print")
    try:
        return Attachment(
            id=_id(place.bucket, place.key, version),
            tenant=said[0],
            source=said[1],
            event=said[2],
            name="/".join(said[3:]),
            bucket=place.bucket,
            key=place.key,
            version=version,
            is_versioned=is_versioned,
            stored_at=stored_at,
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise NoAttachmentError(f"{place} is no attachment: {first['loc'][0]}: {first['msg']}") from None


def _id(*parts: str) -> str:
    """`a-` and 20 hex digits: told of twice, it is one attachment."""
    return f"a-{sha256('|'.join(map(quote, parts)).encode()).hexdigest()[:20]}"


def made_at(attachment: Attachment, results: str | None, name: str = "") -> ObjectPlace:
    """Where a result of an attachment goes: the same place each time, so that made twice it is one.

    Without a name the place that those of all its event's attachments lie below.
    """
    bucket, _, prefix = (results or f"s3://{attachment.bucket}/{MADE}").removeprefix("s3://").partition("/")
    parts = (
        attachment.tenant,
        attachment.source,
        attachment.event,
        *((attachment.id, name) if name else ("",)),
    )
    key = "/".join(quote(part, safe="") for part in parts)
    return ObjectPlace(bucket, f"{prefix.rstrip('/')}/{key}".lstrip("/"))


def label_of(place: ObjectPlace) -> str:
    """What it is called where nothing can be erased: the tenant, and a number in the place of the rest."""
    parts = place.key.split("/")
    tenant = unquote(parts[1]) if len(parts) > 1 else "-"
    return f"{tenant} / {sha256(str(place).encode()).hexdigest()[:8]}"
